/* SPDX-License-Identifier: MIT */
/* What the CUDA kernels leave to a library or to the device's memory, on the host. */
#include <cblas.h>

#include "cuda_kernels.h"

void cuda_product(int n_rows, size_t n_columns, int n_terms, const float *weight, const float *columns,
                  float *out, size_t out_stride)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n_rows, (int)n_columns, n_terms, 1.0f, weight,
                n_terms, columns, (int)n_columns, 1.0f, out, (int)out_stride);
}

void cuda_channel_sums(int n_channels, size_t n_values, const float *in, double *sums)
{
    for (size_t c = 0; c < (size_t)n_channels; c++) {
        sums[c] = 0;
        for (size_t i = 0; i < n_values; i++)
            sums[c] += (double)in[c * n_values + i];
    }
}
