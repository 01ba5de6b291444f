/* SPDX-License-Identifier: MIT */
/** The set's name, and the ways to compute a convolution that it alone has, each with a comma behind it. */
#ifndef MEICENSUS_VECTOR_SET_H
#define MEICENSUS_VECTOR_SET_H

#define VECTOR_SET_NAME    "avx2"
#define VECTOR_SET_KERNELS kernels_avx2
#define VECTOR_SET_WAYS

#endif
