/* SPDX-License-Identifier: MIT */
/* What needs a library, or an answer: products, and sums for the host. */
#include "parallel.h"
#include "session.h"

/** cuBLAS counts columns first: its matrices are the transposed ones. */
void cuda_product(int n_rows, size_t n_columns, int n_terms, const float *weight, const float *columns,
                  float *out, size_t out_stride)
{
    const struct session *session = cuda_session();
    const float one = 1.0f;
    cuda_note_cublas(session->cublas.multiply(session->handle, CUBLAS_OP_N, CUBLAS_OP_N, (int)n_columns,
                                              n_rows, n_terms, &one, columns, CUDA_R_32F, (int)n_columns,
                                              weight, CUDA_R_32F, n_terms, &one, out, CUDA_R_32F,
                                              (int)out_stride, session->compute, CUBLAS_GEMM_DEFAULT),
                     "cublasGemmEx");
}

namespace
{

struct Sum {
    const size_t *first;
    size_t n_values, stride;
    const float *in;
    double *sums;

    ON_DEVICE void operator()(size_t i) const
    {
        double sum = 0;
        for (size_t j = 0; j < n_values; j++)
            sum += (double)in[first[i] + j * stride];
        sums[i] = sum;
    }
};

} // namespace

void cuda_sums(int n_sums, const size_t *first, size_t n_values, size_t stride, const float *in, double *sums)
{
    const struct session *session = cuda_session();
    for (int done = 0; done < n_sums; done += SESSION_SUMS) {
        const size_t n = n_sums - done < SESSION_SUMS ? (size_t)(n_sums - done) : (size_t)SESSION_SUMS;
        cuda_memory.write(session->first, first + done, n * sizeof *first);
        parallel::for_each(n, Sum{session->first, n_values, stride, in, session->sums});
        cuda_memory.read(sums + done, session->sums, n * sizeof *sums);
    }
}
