/* SPDX-License-Identifier: MIT */
#include "hammersley.h"

#include <stdbool.h>
#include <stdlib.h>

#include "memory.h"
#include "random.h"

static bool is_prime(int number, const int *primes)
{
    for (; *primes != 0 && *primes * *primes <= number; primes++) {
        if (number % *primes == 0)
            return false;
    }
    return true;
}

/* primes [n] are the first; the rest of them is zero until found. Returns their sum. */
static size_t find_primes(int n, int *primes)
{
    size_t sum = 0;
    for (int found = 0, number = 2; found < n; number++) {
        if (!is_prime(number, primes))
            continue;
        primes[found++] = number;
        sum += (size_t)number;
    }
    return sum;
}

/* 0, then the other digits in random order. */
static void permute(int base, struct draws *draws, int *digits)
{
    for (int i = 0; i < base; i++)
        digits[i] = i;
    for (int i = base - 1; i > 1; i--) {
        const int other = 1 + (int)random_below(draws_word(draws), (uint32_t)i);
        const int digit = digits[i];
        digits[i] = digits[other];
        digits[other] = digit;
    }
}

enum status hammersley_prepare(struct hammersley *hammersley, int n_dimensions, int n_points, int64_t size,
                               struct draws *draws, struct error *error)
{
    const int n_bases = n_dimensions - 1;
    *hammersley = (struct hammersley){.n_dimensions = n_dimensions, .n_points = n_points, .size = size};
    TRY(MEMORY_ALLOCATE(hammersley->bases, (size_t)n_bases + 1, error));
    TRY(MEMORY_ALLOCATE(hammersley->digits, find_primes(n_bases, hammersley->bases), error));
    int *digits = hammersley->digits;
    for (int i = 0; i < n_bases; i++) {
        permute(hammersley->bases[i], draws, digits);
        digits += hammersley->bases[i];
    }
    return STATUS_OK;
}

void hammersley_release(struct hammersley *hammersley)
{
    free(hammersley->bases);
    free(hammersley->digits);
}

/* The digits of `number` >= 1 in reverse order behind the point. */
static double radical_inverse(int64_t number, int base, const int *digits)
{
    double inverse = 0, unit = 1;
    for (; number > 0; number /= base) {
        unit *= base;
        inverse += digits[number % base] / unit;
    }
    return inverse;
}

static int32_t index_of(const struct hammersley *hammersley, double number)
{
    const double rounding = 1e-9; /* of a number on the border of two indices */
    const int32_t index = (int32_t)(hammersley->n_points * number + rounding);
    return index < hammersley->n_points ? index : hammersley->n_points - 1;
}

void hammersley_next(struct hammersley *hammersley, int32_t *code)
{
    const int64_t number = hammersley->number++ % hammersley->size;
    const int *digits = hammersley->digits;
    code[0] = index_of(hammersley, (number + 0.5) / (double)hammersley->size);
    for (int i = 1; i < hammersley->n_dimensions; i++) {
        const int base = hammersley->bases[i - 1];
        code[i] = index_of(hammersley, radical_inverse(number + 1, base, digits));
        digits += base;
    }
}
