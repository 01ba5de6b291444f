/* SPDX-License-Identifier: MIT */
/**
 * How the kernels of src/kernels/cuda/ are run: here on a CUDA device, in the order of the calls. A kernel is
 * a structure with what it works on, and an operator that does one item of the work without regard to others.
 * tests/kernels/on_host/parallel.h runs the same kernels on the host.
 */
#ifndef MEICENSUS_CUDA_PARALLEL_H
#define MEICENSUS_CUDA_PARALLEL_H

#include <stddef.h>

#include <cuda_runtime.h>

#define ON_DEVICE __device__
#define ON_BOTH   __host__ __device__

namespace parallel
{

const size_t THREADS = 256, MOST_BLOCKS = 1 << 20;

template <typename Work> __global__ void run(size_t n, Work work)
{
    const size_t step = (size_t)gridDim.x * blockDim.x;
    for (size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step)
        work(i);
}

/** work(i) for all i below n. A fault of the launch stays with the device until it is asked for. */
template <typename Work> void for_each(size_t n, const Work &work)
{
    const size_t blocks = (n + THREADS - 1) / THREADS;
    if (n > 0)
        run<<<(unsigned)(blocks < MOST_BLOCKS ? blocks : MOST_BLOCKS), (unsigned)THREADS>>>(n, work);
}

} // namespace parallel

#endif
