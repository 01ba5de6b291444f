/* SPDX-License-Identifier: MIT */
#include "search.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "methods.h"

const struct search_method *const search_methods[] = {
    &search_tt,           &search_tt_s, &search_tt_b,         &search_tt_exp,       &search_tt_plain,
    &search_ttopt,        &search_cma,  &search_cma_diagonal, &search_cma_cholesky, &search_de,
    &search_noisy_bandit, &search_spsa, &search_portfolio,    &search_one_plus_one, &search_elite_ga,
    &search_xdream_ga,    &search_fdgd, &search_nes,          &search_random,       NULL,
};

const struct search_method *search_method_find(const char *name)
{
    for (const struct search_method *const *method = search_methods; *method != NULL; method++) {
        if (strcmp((*method)->name, name) == 0)
            return *method;
    }
    return NULL;
}

enum status search_settings_read(const struct search_method *method, const struct node *mapping,
                                 const char *section, void **settings, struct error *error)
{
    void *filled = NULL;
    TRY(memory_allocate(&filled, 1, method->settings_size, "settings of a search method", error));
    enum status status = keys_read(method->keys, mapping, section, filled, error);
    if (status != STATUS_OK) {
        free(filled);
        return status;
    }
    *settings = filled;
    return STATUS_OK;
}
