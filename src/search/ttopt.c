/* SPDX-License-Identifier: MIT */
/**
 * TTOpt: cross approximation of a tensor train by submatrices of large volume.
 *
 * A code is a multi-index of binary modes: an index of n = 2^q points is q modes, least significant bit
 * first, dimension after dimension. Between two neighbouring modes stand up to `rank` beginnings (values of
 * all modes before) or endings (of all modes from there on). A step of the search asks, for one mode, every
 * beginning with either value and every ending; the scores make a matrix, whose rows of the largest volume
 * (maxvol.h) are the next beginnings or endings, at the side that the search moves away from. It moves from
 * the last mode to the first and back; the modes at both ends are asked twice, as in the package. An ask has
 * two codes, which divides all steps.
 *
 * A beginning is kept as a shorter one and a bit: those of one mode are made from those of the mode before,
 * and so are endings from those of the mode after.
 *
 * Source: Sozykin et al. 2022 (arXiv 2205.00293), as the package ttopt 0.6.2 does it when it minimises the
 * negative score, without its cache: starts from a train of N(0,1) cores, the matrix is exp(smoothing (score
 * - best)) or pi/2 - arctan(best - score), and the row of its largest element is always taken.
 */
#include "search.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "draws.h"
#include "maxvol.h"
#include "memory.h"
#include "methods.h"

enum { MODE_SIZE = 2, CODES_PER_ASK = 2, LARGEST_RANK = 100 };

struct ttopt_settings {
    long long rank;
    double smoothing;
};

/* A beginning: that one of the mode before, then `bit`; an ending: `bit`, then that one of the mode after. */
struct link {
    int neighbour, bit;
};

struct search {
    struct search_problem problem;
    int digits, n_modes, rank;
    double smoothing;
    uint32_t step;
    int *n_links; /* [n_modes + 1]: before mode i; 1 at both ends */
    struct link
        *links; /* [n_modes + 1][rank]: before mode i, beginnings or endings of which it is one part */
    int mode;   /* that is asked now */
    bool moves_right;
    int n_asked;            /* of the codes of this step */
    double best;            /* score so far */
    int32_t *left, *right;  /* [rank][n_dimensions]: codes with the bits of all other modes zero */
    double *values;         /* [rank of the beginnings, fastest][2][rank of the endings, slowest] */
    double *matrix, *basis; /* [2 rank][rank] */
    int *order, *rows;      /* [2 rank] */
};

static const struct key ttopt_keys[] = {
    {"rank", KEY_INTEGER, offsetof(struct ttopt_settings, rank), 1, LARGEST_RANK, "5", "1", NULL,
     "rank of the tensor train"},
    {"smoothing", KEY_REAL, offsetof(struct ttopt_settings, smoothing), 0, 1e9, "1", "1/score", NULL,
     "steepness of the exponential that scores are taken by; 0: an arctangent"},
    {0},
};

static int ttopt_batch(const void *settings, int n_dimensions)
{
    (void)settings;
    (void)n_dimensions;
    return CODES_PER_ASK;
}

static void ttopt_release(struct search *search)
{
    void *const arrays[] = {search->n_links, search->links, search->left,  search->right, search->values,
                            search->matrix,  search->basis, search->order, search->rows};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        free(arrays[i]);
}

static enum status ttopt_allocate(struct search *search, struct error *error)
{
    const size_t d = (size_t)search->problem.n_dimensions, rank = (size_t)search->rank;
    if (__builtin_mul_overflow(search->problem.n_dimensions, search->digits, &search->n_modes))
        return error_set(error, STATUS_BAD_INPUT, "%d dimensions of %d binary modes are too many to search",
                         search->problem.n_dimensions, search->digits);
    TRY(MEMORY_ALLOCATE(search->n_links, (size_t)search->n_modes + 1, error));
    TRY(MEMORY_ALLOCATE(search->links, ((size_t)search->n_modes + 1) * rank, error));
    TRY(MEMORY_ALLOCATE(search->left, rank * d, error));
    TRY(MEMORY_ALLOCATE(search->right, rank * d, error));
    TRY(MEMORY_ALLOCATE(search->values, rank * MODE_SIZE * rank, error));
    TRY(MEMORY_ALLOCATE(search->matrix, MODE_SIZE * rank * rank, error));
    TRY(MEMORY_ALLOCATE(search->basis, MODE_SIZE * rank * rank, error));
    TRY(MEMORY_ALLOCATE(search->order, MODE_SIZE * rank, error));
    return MEMORY_ALLOCATE(search->rows, MODE_SIZE * rank, error);
}

static struct link *links_before(const struct search *search, int mode)
{
    return search->links + (ptrdiff_t)mode * search->rank;
}

/* ---- Beginnings and endings from values ---- */

/* Rows of `matrix` that span a large volume, among them that of its largest element; returns how many. */
static int choose_rows(struct search *search, int n_rows, int n_columns)
{
    const int n_chosen = n_rows < n_columns ? n_rows : n_columns;
    int largest = 0;
    for (int i = 1; i < n_rows * n_columns; i++)
        if (fabs(search->matrix[i]) > fabs(search->matrix[largest]))
            largest = i;
    if (n_rows <= n_columns) {
        for (int i = 0; i < n_rows; i++)
            search->rows[i] = i;
        return n_chosen;
    }
    memcpy(search->basis, search->matrix, sizeof *search->basis * (size_t)(n_rows * n_columns));
    maxvol_choose(n_rows, n_columns, search->basis, search->order, search->rows);
    for (int i = 0; i < n_chosen; i++)
        if (search->rows[i] == largest / n_columns)
            return n_chosen;
    search->rows[n_chosen - 1] = largest / n_columns;
    return n_chosen;
}

/* The beginnings of the next mode. */
static void choose_beginnings(struct search *search, int mode)
{
    const int n_left = search->n_links[mode], n_right = search->n_links[mode + 1];
    for (int row = 0; row < MODE_SIZE * n_left; row++)
        for (int end = 0; end < n_right; end++)
            search->matrix[row * n_right + end] = search->values[row + MODE_SIZE * n_left * end];
    const int n_chosen = choose_rows(search, MODE_SIZE * n_left, n_right);
    for (int i = 0; i < n_chosen; i++)
        links_before(search, mode + 1)[i] =
            (struct link){.neighbour = search->rows[i] % n_left, .bit = search->rows[i] / n_left};
    search->n_links[mode + 1] = n_chosen;
}

/* The endings of the mode before. */
static void choose_endings(struct search *search, int mode)
{
    const int n_left = search->n_links[mode], n_right = search->n_links[mode + 1];
    for (int row = 0; row < MODE_SIZE * n_right; row++)
        for (int begin = 0; begin < n_left; begin++)
            search->matrix[row * n_left + begin] = search->values[begin + n_left * row];
    const int n_chosen = choose_rows(search, MODE_SIZE * n_right, n_left);
    for (int i = 0; i < n_chosen; i++)
        links_before(search, mode)[i] =
            (struct link){.neighbour = search->rows[i] / MODE_SIZE, .bit = search->rows[i] % MODE_SIZE};
    search->n_links[mode] = n_chosen;
}

/* ---- Steps ---- */

static void set_bit(const struct search *search, int32_t *code, int mode, int bit)
{
    code[mode / search->digits] |= (int32_t)bit << mode % search->digits;
}

/* Write out the beginnings and endings at both sides of the mode that is asked. */
static void begin_step(struct search *search)
{
    const size_t d = (size_t)search->problem.n_dimensions;
    memset(search->left, 0, sizeof *search->left * (size_t)search->rank * d);
    memset(search->right, 0, sizeof *search->right * (size_t)search->rank * d);
    for (int i = 0; i < search->n_links[search->mode]; i++)
        for (int mode = search->mode, at = i; mode > 0; mode--) {
            const struct link link = links_before(search, mode)[at];
            set_bit(search, search->left + (size_t)i * d, mode - 1, link.bit);
            at = link.neighbour;
        }
    for (int i = 0; i < search->n_links[search->mode + 1]; i++)
        for (int mode = search->mode + 1, at = i; mode < search->n_modes; mode++) {
            const struct link link = links_before(search, mode)[at];
            set_bit(search, search->right + (size_t)i * d, mode, link.bit);
            at = link.neighbour;
        }
    search->n_asked = 0;
}

/* One mode further, or the same once more in the other direction. */
static void move_on(struct search *search)
{
    const int next = search->mode + (search->moves_right ? 1 : -1);
    if (next < 0 || next == search->n_modes)
        search->moves_right = !search->moves_right;
    else
        search->mode = next;
}

/* The scores of the step as the elements of a matrix to be approximated. */
static void smooth(struct search *search, int n_values)
{
    for (int i = 0; i < n_values; i++)
        search->best = fmax(search->best, search->values[i]);
    for (int i = 0; i < n_values; i++) {
        const double below = search->best - search->values[i];
        if (search->values[i] == -INFINITY)
            search->values[i] = 0;
        else
            search->values[i] =
                search->smoothing > 0 ? exp(-search->smoothing * below) : M_PI_2 - atan(below);
    }
}

static int step_size(const struct search *search)
{
    return search->n_links[search->mode] * MODE_SIZE * search->n_links[search->mode + 1];
}

/* ---- The search ---- */

static void choose_first_beginnings(struct search *search)
{
    struct draws draws = draws_begin(search->problem.key, 0);
    search->n_links[0] = search->n_links[search->n_modes] = 1;
    for (int mode = 0; mode < search->n_modes - 1; mode++) {
        const int most = MODE_SIZE * search->n_links[mode];
        search->n_links[mode + 1] = most < search->rank ? most : search->rank;
        draws_normals(&draws, search->values, search->n_links[mode] * MODE_SIZE * search->n_links[mode + 1]);
        choose_beginnings(search, mode);
    }
}

static enum status ttopt_prepare(const struct search_method *method, struct search *search,
                                 const void *settings, struct error *error)
{
    (void)method;
    const struct ttopt_settings *given = settings;
    search->digits = search_problem_digits(&search->problem);
    search->rank = (int)given->rank;
    search->smoothing = given->smoothing;
    TRY(ttopt_allocate(search, error));
    choose_first_beginnings(search);
    search->mode = search->n_modes - 1;
    search->best = -INFINITY;
    begin_step(search);
    return STATUS_OK;
}

static void ttopt_ask(struct search *search, int32_t *codes)
{
    const int d = search->problem.n_dimensions, n_left = search->n_links[search->mode];
    for (int i = 0; i < CODES_PER_ASK; i++, codes += d) {
        const int place = search->n_asked + i;
        const int32_t *left = search->left + (ptrdiff_t)(place % n_left) * d;
        const int32_t *right = search->right + (ptrdiff_t)(place / n_left / MODE_SIZE) * d;
        for (int dimension = 0; dimension < d; dimension++)
            codes[dimension] = left[dimension] | right[dimension];
        set_bit(search, codes, search->mode, place / n_left % MODE_SIZE);
    }
}

static void ttopt_tell(struct search *search, const float *scores)
{
    for (int i = 0; i < CODES_PER_ASK; i++)
        search->values[search->n_asked++] =
            isnan(scores[i]) ? -INFINITY : fmin((double)scores[i], (double)FLT_MAX);
    if (search->n_asked < step_size(search))
        return;
    smooth(search, search->n_asked);
    if (search->moves_right && search->mode < search->n_modes - 1)
        choose_beginnings(search, search->mode);
    if (!search->moves_right && search->mode > 0)
        choose_endings(search, search->mode);
    move_on(search);
    begin_step(search);
}

const struct search_method search_ttopt = {
    .name = "ttopt",
    .summary = "TTOpt on binary modes: cross approximation by maximum volume (ttopt 0.6.2)",
    .keys = ttopt_keys,
    .settings_size = sizeof(struct ttopt_settings),
    .needs_power_of_two = true,
    .search_size = sizeof(struct search),
    .prepare = ttopt_prepare,
    .batch = ttopt_batch,
    .ask = ttopt_ask,
    .tell = ttopt_tell,
    .release = ttopt_release,
};
