/* SPDX-License-Identifier: MIT */
/** The parts of check_kernels. Each check prints one line PASS or FAIL and counts its failures. */
#ifndef MEICENSUS_TEST_CHECK_H
#define MEICENSUS_TEST_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "guarded.h"
#include "kernels.h"
#include "model.h"

/** How the kernels under test round what they multiply. */
enum operand_kind { OPERANDS_FLOAT32, OPERANDS_TF32, OPERANDS_BFLOAT16, OPERANDS_SPLIT };

/** What the reference made of one frame of a case. */
struct known_frame {
    char name[128];
    float *values;
};

/** What it made so far: other sets meet the same cases. */
struct known_frames {
    size_t n, capacity;
    struct known_frame *frames;
};

/** What is under test, and with which random numbers. */
struct check {
    const struct kernels *kernels;
    enum operand_kind operands;
    uint64_t seed;
    struct stream stream; /**< of this seed */
    struct known_frames *known;
    int n_failed;
    char fault[256]; /**< first fault of the check that is running; "" so far */
};

/** A stream for a case of this name, whatever the set. */
struct stream check_stream(const struct check *check, const char *name);

/** Do the kernels promise an image's bits whatever it stands beside, and wherever in memory? Those of a
 * device do not: their products are a library's. */
bool check_promises_bits(const struct check *check);

/** A number as it is multiplied, where that is exactly known; else as it is. */
float check_operand(const struct check *check, float value);

/** What rounding of operands that is not exactly known adds to a tolerance's factor. */
double check_operand_error(const struct check *check, double n_terms);

/** Note a fault (printf-like); the first one of a check is shown. */
void check_fault(struct check *check, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** End a check: prints its line. */
void check_end(struct check *check, const char *name);

/** |value - expected| <= allowed, else a fault at `place` of `what`. */
void check_value(struct check *check, const char *what, size_t place, double value, double expected,
                 double allowed);

/** Allowed differences, with the reason for each. */
struct tolerance {
    const char *kernel;
    double factor; /**< times 2^-24 times the sum of the absolute terms */
    const char *reason;
};
double tolerance_factor(const char *kernel);

/** A convolution that occurs somewhere, for names. */
struct convolution_case {
    struct convolution_shape shape;
    bool is_transposed, has_bias;
    char name[96];
};

/* checks */
void check_convolution(struct check *check, const struct convolution_case *convolution, enum fill fill,
                       int n_frames);
void check_batch_position(struct check *check, const struct convolution_case *convolution);
void check_odd_convolutions(struct check *check, bool transposed);
void check_elementwise(struct check *check);
void check_generators(struct check *check);
void check_spikes(struct check *check);

/** Convolutions of a model, one of each shape: returns how many. `cases` has room for `capacity`. */
int model_convolutions(const struct model *model, struct convolution_case *cases, int capacity);

/** Layers of a model other than convolutions: the kernels under test against the reference. */
void check_model_layers(struct check *check, const struct model *model);

/** Print nanoseconds, speed and ratio to the reference for every layer of a model, loaded with both. */
void bench_model(const struct model *model, const struct model *reference, struct stream *stream);

#endif
