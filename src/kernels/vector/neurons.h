/* SPDX-License-Identifier: MIT */
/** One time step of spiking neurons, one a lane; the operations of reference/elementwise.c, in their order.
 */
#ifndef MEICENSUS_VECTOR_NEURONS_H
#define MEICENSUS_VECTOR_NEURONS_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#include "kernels.h"
#include "vector.h"

enum charge { CHARGE_DECAY_INPUT, CHARGE_HARD, CHARGE_SOFT, CHARGE_LEAKY };

/** What a neuron's step takes, in all lanes. */
struct neuron_constants {
    enum charge charge;
    bool soft_reset, rests_at_zero; /**< v_reset is 0 */
    bool multiplies;                /**< by 1 / tau, where that is the same as to divide by it */
    vector tau, keep, beta, threshold, v_reset;
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
        .tau = vector_all(is_power_of_two(n->tau) ? (float)(1 / n->tau) : (float)n->tau),
        .keep = vector_all((float)(1.0 - 1.0 / n->tau)),
        .beta = vector_all((float)n->beta),
        .threshold = vector_all((float)n->threshold),
        .v_reset = vector_all((float)n->v_reset),
    };
}

static inline vector divide_by_tau(const struct neuron_constants *k, vector value)
{
    return k->multiplies ? vector_multiply(value, k->tau) : vector_divide(value, k->tau);
}

/** How far the membrane is from rest. */
static inline vector above_rest(const struct neuron_constants *k, vector v)
{
    return k->rests_at_zero ? v : vector_subtract(v, k->v_reset);
}

/** The charged membrane, before noise. */
static inline vector neuron_charge(const struct neuron_constants *k, vector v, vector x)
{
    switch (k->charge) {
    case CHARGE_DECAY_INPUT:
        return vector_add(v, divide_by_tau(k, vector_subtract(x, above_rest(k, v))));
    case CHARGE_HARD:
        return vector_add(vector_subtract(v, divide_by_tau(k, above_rest(k, v))), x);
    case CHARGE_SOFT:
        return vector_add(vector_multiply(v, k->keep), x);
    default:
        break;
    }
    const vector_mask above = vector_above(v, k->threshold);
    const vector reset = vector_keep(above, k->threshold);
    return vector_subtract(vector_add(vector_multiply(k->beta, v), x), reset);
}

/** From the charged membrane: that afterwards, and who spiked. */
static inline vector neuron_fire(const struct neuron_constants *k, vector h, vector_mask *spikes)
{
    if (k->charge == CHARGE_LEAKY) {
        *spikes = vector_above(h, k->threshold);
        return h;
    }
    *spikes = vector_at_least(h, k->threshold);
    return vector_choose(*spikes, k->soft_reset ? vector_subtract(h, k->threshold) : k->v_reset, h);
}

#endif
