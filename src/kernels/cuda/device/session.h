/* SPDX-License-Identifier: MIT */
/** The device that a process works on: its libraries, and what went wrong with it. */
#ifndef MEICENSUS_CUDA_SESSION_H
#define MEICENSUS_CUDA_SESSION_H

#include <stddef.h>

#include <cublas_v2.h>
#include <cuda_runtime.h>

#include "cuda_kernels.h"

/** Functions of cuBLAS, which is loaded when a device is opened: programs that use none start without it. */
struct cublas {
    void *library;
    cublasStatus_t (*create)(cublasHandle_t *handle);
    cublasStatus_t (*set_workspace)(cublasHandle_t handle, void *workspace, size_t n_bytes);
    cublasStatus_t (*multiply)(cublasHandle_t handle, cublasOperation_t trans_a, cublasOperation_t trans_b,
                               int m, int n, int k, const void *alpha, const void *a, cudaDataType a_type,
                               int lda, const void *b, cudaDataType b_type, int ldb, const void *beta,
                               void *c, cudaDataType c_type, int ldc, cublasComputeType_t compute,
                               cublasGemmAlgo_t algorithm);
};

struct session {
    struct kernels kernels; /**< as they were opened last */
    struct cublas cublas;
    cublasHandle_t handle;
    void *workspace;             /**< of cuBLAS, so that it takes no memory later on */
    cublasComputeType_t compute; /**< of products of float32 numbers */
    cudaEvent_t marks[KERNELS_MARKS];
    char fault[256];
};

/** The session of this process: CUDA keeps one device and its stream for it anyway. */
struct session *cuda_session(void);

/** Keep what went wrong, if it is the first; `what` names the call. */
void cuda_note(cudaError_t result, const char *what);
void cuda_note_cublas(cublasStatus_t result, const char *what);

#endif
