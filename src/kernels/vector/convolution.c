/* SPDX-License-Identifier: MIT */
/* The table of the kernels, and of the ways to compute a convolution. */
#include "kernels.h"

#include "../columns.h"
#include "../reference/elementwise.h"
#include "elementwise.h"
#include "product.h"
#include "set.h"
#include "spikes.h"
#include "ways.h"

/* ---- convolutions ---- */

/** The first that fits is taken; the last one always does where nothing is around a convolution. */
static const struct convolution_way *const ways[] = {&way_events,    VECTOR_SET_WAYS &way_image,
                                                     &way_upsampled, &way_few_outputs,
                                                     &way_winograd,  &way_points,
                                                     &way_shifted,   &way_gathered};
enum { N_WAYS = sizeof ways / sizeof *ways };

static bool is_alone(const struct generator_convolution *call)
{
    return call->scale == NULL && !call->rectifies_input && !call->upsamples && !call->adds &&
           !call->rectifies_output;
}

/** NULL: none can do all of that. */
static const struct convolution_way *find_way(const struct generator_convolution *call)
{
    const bool alone = is_alone(call);
    for (int i = 0; i < N_WAYS; i++)
        if ((alone || ways[i]->fuses) && ways[i]->fits(call))
            return ways[i];
    return NULL;
}

static bool generator_fits(const struct generator_convolution *call)
{
    return find_way(call) != NULL;
}

static size_t generator_weight_size(const struct generator_convolution *call)
{
    return find_way(call)->weight_size(call->shape);
}

static void arrange_generator(const struct generator_convolution *call, const float *weight, float *arranged)
{
    find_way(call)->arrange(call->shape, weight, arranged);
}

static size_t generator_scratch(const struct generator_convolution *call)
{
    return find_way(call)->scratch(call);
}

static void generator_convolution(const struct generator_convolution *call, float *out, float *scratch)
{
    find_way(call)->convolution(call, out, scratch);
}

static const struct generator_kernels generators = {
    .fits = generator_fits,
    .weight_size = generator_weight_size,
    .arrange = arrange_generator,
    .scratch = generator_scratch,
    .convolution = generator_convolution,
};

static size_t convolution_weight_size(const struct convolution_shape *s)
{
    return generator_weight_size(&(struct generator_convolution){.shape = s});
}

static void arrange_convolution(const struct convolution_shape *s, const float *weight, float *arranged)
{
    arrange_generator(&(struct generator_convolution){.shape = s}, weight, arranged);
}

static size_t convolution_scratch(const struct convolution_shape *s)
{
    return generator_scratch(&(struct generator_convolution){.shape = s});
}

static void convolution(const struct convolution_shape *s, const float *weight, const float *bias,
                        const float *in, float *out, float *scratch)
{
    const struct generator_convolution alone = {.shape = s, .weight = weight, .bias = bias, .in = in};
    generator_convolution(&alone, out, scratch);
}

/* ---- transposed convolutions ---- */

static int transposed_rows(const struct convolution_shape *s)
{
    return s->out_channels * s->kernel_height * s->kernel_width;
}

static size_t transposed_weight_size(const struct convolution_shape *s)
{
    return product_blocks(transposed_rows(s)) * BLOCK_ROWS * (size_t)s->in_channels;
}

static void arrange_transposed(const struct convolution_shape *s, const float *weight, float *arranged)
{
    product_arrange(weight, transposed_rows(s), (size_t)s->in_channels, 1, (size_t)transposed_rows(s),
                    arranged);
}

static size_t transposed_positions(const struct convolution_shape *s)
{
    return (size_t)s->time * (size_t)s->in_height * (size_t)s->in_width;
}

static size_t transposed_scratch(const struct convolution_shape *s)
{
    const size_t n = transposed_positions(s);
    return product_mask_floats(product_vectors(n)) + (size_t)transposed_rows(s) * n;
}

static void transposed_convolution(const struct convolution_shape *s, const float *weight, const float *bias,
                                   const float *in, float *out, float *scratch)
{
    const size_t n = transposed_positions(s);
    float *products = scratch + product_mask_floats(product_vectors(n));
    struct product product = {.n_outputs = transposed_rows(s),
                              .n_inputs = s->in_channels,
                              .step = product_step(1),
                              .n_positions = n,
                              .in_stride = n,
                              .out_stride = n,
                              .weight = weight,
                              .in = in,
                              .out = products};
    product_multiply_matrix(&product, product_masks(scratch));
    columns_scatter(s, products, bias, out);
}

const struct kernels VECTOR_SET_KERNELS = {
    .name = VECTOR_SET_NAME,
    .image_batch = 10,
    .convolution_weight_size = convolution_weight_size,
    .arrange_convolution = arrange_convolution,
    .convolution_scratch = convolution_scratch,
    .convolution = convolution,
    .transposed_weight_size = transposed_weight_size,
    .arrange_transposed = arrange_transposed,
    .transposed_convolution_scratch = transposed_scratch,
    .transposed_convolution = transposed_convolution,
    SCALAR_KERNELS,
    .spike = lanes_spike,
    .relu = lanes_relu,
    .scale_shift = lanes_scale_shift,
    .add = lanes_add,
    .max_pool = lanes_max_pool,
    .upsample = lanes_upsample,
    .generators = &generators,
    .spikes = &lanes_spikes,
};
