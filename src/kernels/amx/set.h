/* SPDX-License-Identifier: MIT */
/** AVX-512, and the tiles of AMX for the convolutions of generators. */
#ifndef MEICENSUS_VECTOR_SET_H
#define MEICENSUS_VECTOR_SET_H

#include "ways.h"

extern const struct convolution_way way_tile_upsampled, way_tile_pairs, way_tile_points;

#define VECTOR_SET_NAME    "amx"
#define VECTOR_SET_KERNELS kernels_amx
#define VECTOR_SET_WAYS    &way_tile_upsampled, &way_tile_pairs, &way_tile_points,

#endif
