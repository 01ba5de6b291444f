/* SPDX-License-Identifier: MIT */
#include "product.h"

#include "session.h"

/** cuBLAS counts columns first: its matrices are the transposed ones. */
static void multiply(const Product &p, const void *weight, const void *columns, cudaDataType type,
                     cublasComputeType_t compute)
{
    const struct session *session = cuda_session();
    const float one = 1.0f, beta = p.adds ? 1.0f : 0.0f;
    cuda_note_cublas(session->cublas.multiply(session->handle, CUBLAS_OP_N, CUBLAS_OP_N, (int)p.n_columns,
                                              p.n_rows, p.n_terms, &one, columns, type, (int)p.n_columns,
                                              weight, type, p.n_terms, &beta, p.out, CUDA_R_32F,
                                              (int)p.out_stride, compute, CUBLAS_GEMM_DEFAULT),
                     "cublasGemmEx");
}

void multiply(const Product &product, const float *weight, const float *columns)
{
    multiply(product, weight, columns, CUDA_R_32F, cuda_session()->compute);
}

void multiply(const Product &product, const bfloat16 *weight, const bfloat16 *columns)
{
    multiply(product, weight, columns, CUDA_R_16BF, CUBLAS_COMPUTE_32F);
}
