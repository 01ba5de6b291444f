/* SPDX-License-Identifier: MIT */
/** Division by what is the same for all items of a kernel: a product and a shift in the place of a division,
 *  which is slow on a device. After Granlund & Montgomery, PLDI 1994. */
#ifndef MEICENSUS_CUDA_DIVISOR_H
#define MEICENSUS_CUDA_DIVISOR_H

#include <stddef.h>
#include <stdint.h>

#include "parallel.h"

/** A number above 0 that can be used as any other; `/` and `%` by it are the fast ones. */
class Divisor
{
  public:
    Divisor(size_t value) : number(value), factor(0), shift(0)
    {
        const size_t limit = (size_t)1 << 31;
        if (value >= limit)
            return; /* every small number's quotient is 0 */
        shift = 31;
        while ((size_t)1 << (shift - 31) < value)
            shift++;
        factor = (((uint64_t)1 << shift) + value - 1) / value;
    }

    ON_BOTH operator size_t() const
    {
        return number;
    }

    ON_BOTH size_t quotient(size_t i) const
    {
        return i >> 31 == 0 ? i * factor >> shift : i / number;
    }

  private:
    size_t number;
    uint64_t factor;
    int shift;
};

ON_BOTH inline size_t operator/(size_t i, const Divisor &divisor)
{
    return divisor.quotient(i);
}

ON_BOTH inline size_t operator%(size_t i, const Divisor &divisor)
{
    return i - divisor.quotient(i) * (size_t)divisor;
}

#endif
