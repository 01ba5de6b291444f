/* SPDX-License-Identifier: MIT */
/** Numbers in the memory of a device, where matrix products take them from: float32, or bfloat16. */
#ifndef MEICENSUS_CUDA_BFLOAT16_H
#define MEICENSUS_CUDA_BFLOAT16_H

#include <stdint.h>
#include <string.h>

#include "parallel.h"

/** The upper half of a float32: 8 significant bits. Whole numbers up to 256, spikes above all, are exact. */
struct bfloat16 {
    uint16_t bits;
};

/** Rounded to nearest, ties to even. */
ON_BOTH inline bfloat16 to_bfloat16(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (value != value)
        return {(uint16_t)(bits >> 16 | 0x40)};
    return {(uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16)};
}

ON_BOTH inline void store(float value, float *place)
{
    *place = value;
}

ON_BOTH inline void store(float value, bfloat16 *place)
{
    *place = to_bfloat16(value);
}

ON_BOTH inline float to_float(bfloat16 value)
{
    const uint32_t bits = (uint32_t)value.bits << 16;
    float result;
    memcpy(&result, &bits, sizeof result);
    return result;
}

#endif
