/* SPDX-License-Identifier: MIT */
/** What the kernels other than convolutions are: the formulas of kernels.h, as plainly as can be. */
#ifndef MEICENSUS_TEST_PLAIN_H
#define MEICENSUS_TEST_PLAIN_H

#include "kernels.h"

/** One neuron at one step: returns the spike, updates the membrane. */
float plain_neuron(const struct neuron *neuron, float current, float noise, float *membrane);

/** One output value of a pool; of an upsampled plane. `magnitude`: the sum of the absolute terms. */
float plain_max(const struct pool_shape *shape, const float *plane, int y, int x);
double plain_mean(const struct pool_shape *shape, const float *plane, int y, int x, double *magnitude);
double plain_upsampled(int height, int width, const float *plane, int y, int x, double *magnitude);

#endif
