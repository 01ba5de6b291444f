/* SPDX-License-Identifier: MIT */
#include "device.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "cuda_device.h"
#include "cuda_kernels.h"
#include "divisor.h"
#include "product.h"

namespace
{

const size_t CAPACITY = (size_t)1 << 34, ALIGNMENT = 4096;
const int BATCH = 12;

/** Something that was started and is not done yet; what it works on lies behind it. */
struct Started {
    Started *next;
    uint64_t number;
    void (*run)(const void *work);
};

struct {
    unsigned char *memory; /**< pieces one behind the other, none of which is used again */
    size_t used, held, limit, n_pieces;
    bool is_blocking;
    Started *first, *last;
    uint64_t n_started, n_done, marks[KERNELS_MARKS];
    const char *fault;
    struct kernels kernels;
} device;

/* ---- what it does, and when ---- */

void protect(int protection)
{
    if (device.used > 0 && mprotect(device.memory, device.used, protection) != 0)
        abort();
}

/** Do what was started, up to that number. */
void run_until(uint64_t number)
{
    if (device.n_done >= number)
        return;
    protect(PROT_READ | PROT_WRITE);
    while (device.n_done < number) {
        Started *started = device.first;
        started->run(started + 1);
        device.n_done = started->number;
        device.first = started->next;
        free(started);
    }
    protect(PROT_NONE);
}

void finish(void)
{
    run_until(device.n_started);
}

void mark(int number)
{
    device.marks[number] = device.n_started;
}

void wait_for(int number)
{
    run_until(device.marks[number]);
}

enum status check(struct error *error)
{
    const char *fault = device.fault;
    device.fault = NULL;
    return fault == NULL ? STATUS_OK : error_set(error, STATUS_INTERNAL, "CUDA: %s", fault);
}

/* ---- memory; the size of a piece stands before it ---- */

size_t *size_of(void *memory)
{
    return reinterpret_cast<size_t *>(static_cast<unsigned char *>(memory) - ALIGNMENT);
}

void start_device(void)
{
    const char *mib = getenv("MEICENSUS_ON_HOST_MIB"), *blocking = getenv("CUDA_LAUNCH_BLOCKING");
    void *room = mmap(NULL, CAPACITY, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room == MAP_FAILED)
        abort();
    device.memory = static_cast<unsigned char *>(room);
    device.limit = mib == NULL ? CAPACITY : (size_t)atoi(mib) << 20;
    device.is_blocking = blocking != NULL && strcmp(blocking, "1") == 0;
}

enum status allocate(size_t n_bytes, void **memory, struct error *error)
{
    const size_t n = (n_bytes + ALIGNMENT) / ALIGNMENT * ALIGNMENT;
    if (device.held + n > device.limit || n + ALIGNMENT > CAPACITY - device.used)
        return error_set(error, STATUS_INTERNAL,
                         "CUDA: no room for %zu MiB on the device (%zu of %zu MiB free)", n >> 20,
                         (device.limit - device.held) >> 20, device.limit >> 20);
    *memory = device.memory + device.used + ALIGNMENT;
    device.used += n + ALIGNMENT;
    device.held += n;
    device.n_pieces++;
    if (mprotect(size_of(*memory), ALIGNMENT, PROT_READ | PROT_WRITE) != 0)
        abort();
    *size_of(*memory) = n;
    return STATUS_OK;
}

/** A device waits for what it does before memory is given back. */
void release(void *memory)
{
    if (memory == NULL)
        return;
    finish();
    protect(PROT_READ | PROT_WRITE);
    const size_t n = *size_of(memory);
    if (madvise(memory, n, MADV_DONTNEED) != 0)
        abort();
    protect(PROT_NONE);
    device.held -= n;
    device.n_pieces--;
}

enum status allocate_shared(size_t n_bytes, void **memory, struct error *error)
{
    *memory = calloc(n_bytes > 0 ? n_bytes : 1, 1);
    if (*memory == NULL)
        return error_set(error, STATUS_INTERNAL, "no room for %zu bytes", n_bytes);
    device.n_pieces++;
    return STATUS_OK;
}

void release_shared(void *memory)
{
    finish();
    free(memory);
    device.n_pieces--;
}

struct Copy {
    void *to;
    const void *from;
    size_t n_bytes;
};

void run_copy(const void *work)
{
    const Copy *copy = static_cast<const Copy *>(work);
    memcpy(copy->to, copy->from, copy->n_bytes);
}

void send(void *to, const void *from, size_t n_bytes)
{
    const Copy copy = {to, from, n_bytes};
    device_start(run_copy, &copy, sizeof copy);
}

void read_from(void *to, const void *from, size_t n_bytes)
{
    send(to, from, n_bytes);
    finish();
}

void write_to(void *to, const void *from, size_t n_bytes)
{
    send(to, from, n_bytes);
    finish(); /* not to have to keep what is copied */
}

} // namespace

void device_start(void (*run)(const void *work), const void *work, size_t n_bytes)
{
    Started *started = static_cast<Started *>(malloc(sizeof *started + n_bytes));
    if (started == NULL)
        abort();
    *started = {NULL, ++device.n_started, run};
    memcpy(started + 1, work, n_bytes);
    (device.first == NULL ? device.first : device.last->next) = started;
    device.last = started;
    if (device.is_blocking)
        finish();
}

void device_fail(const char *fault)
{
    device.fault = fault;
}

void device_limit(size_t n_bytes)
{
    device.limit = n_bytes;
}

size_t device_held(void)
{
    return device.held;
}

size_t device_quotient(size_t i, size_t divisor)
{
    return i / Divisor(divisor);
}

size_t device_n_pieces(void)
{
    return device.n_pieces;
}

const struct kernel_memory cuda_memory = {
    allocate, release, allocate_shared, release_shared, write_to, read_from,
    send,     mark,    wait_for,        finish,         check};

int cuda_n_devices(void)
{
    return 2;
}

enum status cuda_open(int number, enum cuda_precision precision, struct cuda_device *chosen,
                      const struct kernels **kernels, struct error *error)
{
    if (number < 0 || number >= cuda_n_devices())
        return error_set(error, STATUS_BAD_INPUT, "CUDA: device %d of %d cannot be used", number,
                         cuda_n_devices());
    if (device.memory == NULL)
        start_device();
    chosen->number = number;
    snprintf(chosen->name, sizeof chosen->name, "host");
    snprintf(chosen->capability, sizeof chosen->capability, "0.%d", number);
    cuda_make_kernels(precision == CUDA_BF16, &device.kernels);
    device.kernels.image_batch = BATCH;
    *kernels = &device.kernels;
    return STATUS_OK;
}

/* ---- what kernels leave to a library: here, each sum on its own, in order ---- */

namespace
{

float widened(float value)
{
    return value;
}

float widened(bfloat16 value)
{
    return to_float(value);
}

template <typename Value> struct StartedProduct {
    Product p;
    const Value *weight, *columns;
};

/** Columns that are worked on at once: what is read again stays in the cache. */
const size_t SOME_COLUMNS = 256;

/** out[i] += sum over k of weight[k] columns[k][i], added in that order. */
template <typename Value>
void add_row(size_t n, size_t n_terms, const Value *weight, const float *columns, float *out)
{
    float sums[SOME_COLUMNS];
    memcpy(sums, out, n * sizeof *sums);
    size_t k = 0;
    for (; k + 4 <= n_terms; k += 4, columns += 4 * n) {
        const float a = widened(weight[k]), b = widened(weight[k + 1]), c = widened(weight[k + 2]),
                    d = widened(weight[k + 3]);
        for (size_t i = 0; i < n; i++)
            sums[i] = (((sums[i] + a * columns[i]) + b * columns[n + i]) + c * columns[2 * n + i]) +
                      d * columns[3 * n + i];
    }
    for (; k < n_terms; k++, columns += n)
        for (size_t i = 0; i < n; i++)
            sums[i] += widened(weight[k]) * columns[i];
    memcpy(out, sums, n * sizeof *sums);
}

/** n columns from `first` on; room: [n_terms][n]. */
template <typename Value>
void multiply_some(const StartedProduct<Value> &all, size_t first, size_t n, float *room)
{
    const Product &p = all.p;
    const size_t n_terms = (size_t)p.n_terms;
    for (size_t k = 0; k < n_terms; k++)
        for (size_t i = 0; i < n; i++)
            room[k * n + i] = widened(all.columns[k * p.n_columns + first + i]);
    for (size_t row = 0; row < (size_t)p.n_rows; row++) {
        float *out = p.out + row * p.out_stride + first;
        if (!p.adds)
            memset(out, 0, n * sizeof *out);
        add_row(n, n_terms, all.weight + row * n_terms, room, out);
    }
}

template <typename Value> void run_product(const void *work)
{
    const StartedProduct<Value> &all = *static_cast<const StartedProduct<Value> *>(work);
    float *room = static_cast<float *>(malloc(SOME_COLUMNS * (size_t)all.p.n_terms * sizeof *room));
    if (room == NULL)
        abort();
    for (size_t first = 0; first < all.p.n_columns; first += SOME_COLUMNS) {
        const size_t left = all.p.n_columns - first;
        multiply_some(all, first, left < SOME_COLUMNS ? left : SOME_COLUMNS, room);
    }
    free(room);
}

template <typename Value> void start_product(const Product &p, const Value *weight, const Value *columns)
{
    const StartedProduct<Value> all = {p, weight, columns};
    device_start(run_product<Value>, &all, sizeof all);
}

} // namespace

void multiply(const Product &product, const float *weight, const float *columns)
{
    start_product(product, weight, columns);
}

void multiply(const Product &product, const bfloat16 *weight, const bfloat16 *columns)
{
    start_product(product, weight, columns);
}
