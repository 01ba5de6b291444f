/* SPDX-License-Identifier: MIT */
/** Matrix products: of the device by cuBLAS (device/product.cu), of the host where kernels are tested there.
 */
#ifndef MEICENSUS_CUDA_PRODUCT_H
#define MEICENSUS_CUDA_PRODUCT_H

#include <stddef.h>

#include "bfloat16.h"

/** out [n_rows][n_columns], rows `out_stride` apart, = or += weight [n_rows][n_terms] columns
 *  [n_terms][n_columns], added up in float32. */
struct Product {
    int n_rows;
    size_t n_columns;
    int n_terms;
    float *out;
    size_t out_stride;
    bool adds; /**< to what is there */
};

void multiply(const Product &product, const float *weight, const float *columns);
void multiply(const Product &product, const bfloat16 *weight, const bfloat16 *columns);

#endif
