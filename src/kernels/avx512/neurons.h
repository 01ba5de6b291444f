/* SPDX-License-Identifier: MIT */
/** One time step of 16 spiking neurons; the operations of reference/elementwise.c, in their order. */
#ifndef MEICENSUS_AVX512_NEURONS_H
#define MEICENSUS_AVX512_NEURONS_H

#include <immintrin.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#include "kernels.h"

enum { VECTOR_LANES = 16 };

/** So many lanes of a vector, at most all. */
static inline __mmask16 first_lanes(size_t n)
{
    return n >= VECTOR_LANES ? (__mmask16)0xffff : (__mmask16)((1u << n) - 1);
}

enum charge { CHARGE_DECAY_INPUT, CHARGE_HARD, CHARGE_SOFT, CHARGE_LEAKY };

/** What a neuron's step takes, in all lanes. */
struct neuron_constants {
    enum charge charge;
    bool soft_reset, rests_at_zero; /**< v_reset is 0 */
    bool multiplies;                /**< by 1 / tau, where that is the same as to divide by it */
    __m512 tau, keep, beta, threshold, v_reset;
};

static inline bool is_power_of_two(double value)
{
    int exponent;
    return frexp(value, &exponent) == 0.5;
}

static inline struct neuron_constants neuron_constants(const struct neuron *n)
{
    return (struct neuron_constants){
        .charge = n->kind == NEURON_LEAKY ? CHARGE_LEAKY
                  : n->decay_input        ? CHARGE_DECAY_INPUT
                  : n->soft_reset         ? CHARGE_SOFT
                                          : CHARGE_HARD,
        .soft_reset = n->soft_reset,
        .rests_at_zero = n->v_reset == 0,
        .multiplies = is_power_of_two(n->tau),
        .tau = _mm512_set1_ps(is_power_of_two(n->tau) ? (float)(1 / n->tau) : (float)n->tau),
        .keep = _mm512_set1_ps((float)(1.0 - 1.0 / n->tau)),
        .beta = _mm512_set1_ps((float)n->beta),
        .threshold = _mm512_set1_ps((float)n->threshold),
        .v_reset = _mm512_set1_ps((float)n->v_reset),
    };
}

static inline __m512 divide_by_tau(const struct neuron_constants *k, __m512 value)
{
    return k->multiplies ? _mm512_mul_ps(value, k->tau) : _mm512_div_ps(value, k->tau);
}

/** How far the membrane is from rest. */
static inline __m512 above_rest(const struct neuron_constants *k, __m512 v)
{
    return k->rests_at_zero ? v : _mm512_sub_ps(v, k->v_reset);
}

/** The charged membrane, before noise. */
static inline __m512 neuron_charge(const struct neuron_constants *k, __m512 v, __m512 x)
{
    switch (k->charge) {
    case CHARGE_DECAY_INPUT:
        return _mm512_add_ps(v, divide_by_tau(k, _mm512_sub_ps(x, above_rest(k, v))));
    case CHARGE_HARD:
        return _mm512_add_ps(_mm512_sub_ps(v, divide_by_tau(k, above_rest(k, v))), x);
    case CHARGE_SOFT:
        return _mm512_add_ps(_mm512_mul_ps(v, k->keep), x);
    default:
        break;
    }
    const __mmask16 above = _mm512_cmp_ps_mask(v, k->threshold, _CMP_GT_OQ);
    const __m512 reset = _mm512_maskz_mov_ps(above, k->threshold);
    return _mm512_sub_ps(_mm512_add_ps(_mm512_mul_ps(k->beta, v), x), reset);
}

/** From the charged membrane: that afterwards, and who spiked. */
static inline __m512 neuron_fire(const struct neuron_constants *k, __m512 h, __mmask16 *spikes)
{
    if (k->charge == CHARGE_LEAKY) {
        *spikes = _mm512_cmp_ps_mask(h, k->threshold, _CMP_GT_OQ);
        return h;
    }
    *spikes = _mm512_cmp_ps_mask(h, k->threshold, _CMP_GE_OQ);
    return _mm512_mask_mov_ps(h, *spikes, k->soft_reset ? _mm512_sub_ps(h, k->threshold) : k->v_reset);
}

#endif
