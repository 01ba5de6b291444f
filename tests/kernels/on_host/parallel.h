/* SPDX-License-Identifier: MIT */
/** The kernels of src/kernels/cuda/ on the host, one item after the other: see device/parallel.h there. */
#ifndef MEICENSUS_CUDA_PARALLEL_H
#define MEICENSUS_CUDA_PARALLEL_H

#include <math.h>
#include <stddef.h>

#include "device.h"

#define ON_DEVICE
#define ON_BOTH

namespace parallel
{

template <typename Work> struct Items {
    size_t n;
    Work work;
};

/** Last items first: none may depend on those before it. */
template <typename Work> void run(const void *items)
{
    const Items<Work> *some = static_cast<const Items<Work> *>(items);
    for (size_t i = some->n; i-- > 0;)
        some->work(i);
}

template <typename Work> void for_each(size_t n, const Work &work)
{
    const Items<Work> items = {n, work};
    device_start(run<Work>, &items, sizeof items);
}

} // namespace parallel

#endif
