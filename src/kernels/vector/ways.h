/* SPDX-License-Identifier: MIT */
/**
 * Ways to compute a convolution, alone or with what is around it: of those in the table of convolution.c, the
 * first that fits. Adding one = one file with a `const struct convolution_way`, one line in that table.
 */
#ifndef MEICENSUS_VECTOR_WAYS_H
#define MEICENSUS_VECTOR_WAYS_H

#include "kernels.h"

/** Ways between which shape->time decides have the same layout of the weight. */
struct convolution_way {
    bool fuses; /**< does what is around a convolution, too; others get calls without any of that only */
    bool (*fits)(const struct generator_convolution *call);

    /** Floats of the weight as it is wanted, and the way there from the tensor's. */
    size_t (*weight_size)(const struct convolution_shape *shape);
    void (*arrange)(const struct convolution_shape *shape, const float *weight, float *arranged);

    size_t (*scratch)(const struct generator_convolution *call);
    void (*convolution)(const struct generator_convolution *call, float *out, float *scratch);
};

extern const struct convolution_way way_events, way_image, way_upsampled, way_few_outputs, way_winograd,
    way_points, way_shifted, way_gathered;

#endif
