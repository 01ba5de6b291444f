/* SPDX-License-Identifier: MIT */
#include "../fusion.h"

extern const struct fusion_kind fusion_spiking_convolution, fusion_static_spikes, fusion_spike_pool,
    fusion_generator_convolution;

const struct fusion_kind *const fusion_kinds[] = {&fusion_spiking_convolution, &fusion_static_spikes,
                                                  &fusion_spike_pool, &fusion_generator_convolution, NULL};
