/* SPDX-License-Identifier: MIT */
/** The kernels of src/kernels/cuda/ on the host, one item after the other: see device/parallel.h there. */
#ifndef MEICENSUS_CUDA_PARALLEL_H
#define MEICENSUS_CUDA_PARALLEL_H

#include <math.h>
#include <stddef.h>

#include "device.h"

#define ON_DEVICE

namespace parallel
{

/** Last items first: none may depend on those before it. */
template <typename Work> void for_each(size_t n, const Work &work)
{
    device_open();
    for (size_t i = n; i-- > 0;)
        work(i);
    device_close();
}

} // namespace parallel

#endif
