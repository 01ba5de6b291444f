/* SPDX-License-Identifier: MIT */
#include "external.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "frames are little endian");
_Static_assert(sizeof(struct external_frame) == 24, "a header has no holes");

enum { LARGEST_TEXT = 1 << 20 };

/* Seconds that a program has to end once its input has. */
static const double end_patience = 2.0;

struct external {
    struct external_settings settings;
    char name[CHILD_NAME_CAPACITY]; /**< of the program, in messages */
    struct external_frame greeting; /**< what it is told first */
    char *description;              /**< of a subject, once it is known */
    char *text;                     /**< the last one that it answered */
    struct child_process *child;    /**< NULL: to be started */
    void *question;                 /**< the frame that is being asked */
    size_t capacity;                /**< bytes of it */
};

/** What is asked, and where the answer goes. */
struct exchange {
    const void *question;
    size_t n_bytes;
    enum external_type answer_type;
    uint32_t n_items, n_values; /**< of the answer */
    float *scores;              /**< [n_items]; NULL: no numbers are expected */
    bool is_text;               /**< the answer's payload goes to the program's `text` */
    const struct child_watch *watch;
};

static struct external_frame make_frame(enum external_type type, uint32_t n_items, uint32_t n_values,
                                        uint64_t n_bytes)
{
    struct external_frame frame = {.version = EXTERNAL_VERSION,
                                   .type = (uint16_t)type,
                                   .n_items = n_items,
                                   .n_values = n_values,
                                   .n_bytes = n_bytes};
    memcpy(frame.magic, EXTERNAL_MAGIC, sizeof frame.magic);
    return frame;
}

/* ---- one question to a running program ---- */

static enum status read_bytes(struct external *external, const struct exchange *exchange, void *buffer,
                              size_t n_bytes, struct error *error)
{
    const struct child_wait wait = {external->settings.timeout, exchange->watch};
    return child_read(external->child, buffer, n_bytes, &wait, error);
}

static enum status read_text(struct external *external, const struct exchange *exchange,
                             const struct external_frame *frame, struct error *error)
{
    if (frame->n_bytes > LARGEST_TEXT)
        return error_set(error, STATUS_BAD_INPUT, "%s answered with a text of %llu bytes; at most %d",
                         external->name, (unsigned long long)frame->n_bytes, LARGEST_TEXT);
    free(external->text);
    external->text = NULL;
    TRY(MEMORY_ALLOCATE(external->text, (size_t)frame->n_bytes + 1, error));
    return read_bytes(external, exchange, external->text, (size_t)frame->n_bytes, error);
}

static enum status take_refusal(struct external *external, const struct exchange *exchange,
                                const struct external_frame *frame, struct error *error)
{
    TRY(read_text(external, exchange, frame, error));
    return error_set(error, STATUS_BAD_INPUT, "%s refused: %s", external->name, external->text);
}

static enum status check_magic(const struct external *external, const struct external_frame *frame,
                               struct error *error)
{
    const unsigned char *magic = (const unsigned char *)frame->magic;
    if (memcmp(magic, EXTERNAL_MAGIC, sizeof frame->magic) != 0)
        return error_set(error, STATUS_BAD_INPUT,
                         "%s answered with no frame: it begins with the bytes %02x %02x %02x %02x, not "
                         "with \"%s\"; nothing but frames may be written to standard output",
                         external->name, magic[0], magic[1], magic[2], magic[3], EXTERNAL_MAGIC);
    if (frame->version != EXTERNAL_VERSION)
        return error_set(error, STATUS_BAD_INPUT, "%s answered in version %d of frames, expected %d",
                         external->name, frame->version, EXTERNAL_VERSION);
    return STATUS_OK;
}

static enum status check_counts(const struct external *external, const struct exchange *exchange,
                                const struct external_frame *frame, struct error *error)
{
    const uint64_t n_bytes = exchange->scores == NULL ? 0 : sizeof(float) * (uint64_t)exchange->n_items;
    if (frame->type != exchange->answer_type)
        return error_set(error, STATUS_BAD_INPUT, "%s answered with a frame of type %d, expected %d",
                         external->name, frame->type, exchange->answer_type);
    if (frame->n_items != exchange->n_items || frame->n_values != exchange->n_values)
        return error_set(error, STATUS_BAD_INPUT,
                         "%s answered with n_items %u and n_values %u, expected %u and %u", external->name,
                         frame->n_items, frame->n_values, exchange->n_items, exchange->n_values);
    if (!exchange->is_text && frame->n_bytes != n_bytes)
        return error_set(error, STATUS_BAD_INPUT, "%s answered with n_bytes %llu, expected %llu",
                         external->name, (unsigned long long)frame->n_bytes, (unsigned long long)n_bytes);
    return STATUS_OK;
}

static enum status check_scores(const struct external *external, const struct exchange *exchange,
                                struct error *error)
{
    for (uint32_t i = 0; exchange->scores != NULL && i < exchange->n_items; i++)
        if (!isfinite(exchange->scores[i]))
            return error_set(error, STATUS_BAD_INPUT,
                             "%s answered with %g as number %u of %u: expected finite numbers",
                             external->name, (double)exchange->scores[i], i + 1, exchange->n_items);
    return STATUS_OK;
}

static enum status exchange_frames(struct external *external, const struct exchange *exchange,
                                   struct error *error)
{
    struct external_frame frame;
    child_write(external->child, exchange->question, exchange->n_bytes);
    TRY(read_bytes(external, exchange, &frame, sizeof frame, error));
    TRY(check_magic(external, &frame, error));
    if (frame.type == EXTERNAL_REFUSAL)
        return take_refusal(external, exchange, &frame, error);
    TRY(check_counts(external, exchange, &frame, error));
    if (exchange->is_text)
        TRY(read_text(external, exchange, &frame, error));
    else
        TRY(read_bytes(external, exchange, exchange->scores, (size_t)frame.n_bytes, error));
    if (child_has_unread(external->child))
        return error_set(error, STATUS_BAD_INPUT, "%s answered before it had read the whole question",
                         external->name);
    return check_scores(external, exchange, error);
}

/* ---- starts, and starts anew ---- */

/** The first description counts: what has been planned with it must stay true. */
static enum status take_description(struct external *external, struct error *error)
{
    if (external->description == NULL)
        return memory_copy_text(&external->description, external->text, error);
    return strcmp(external->description, external->text) == 0
               ? STATUS_OK
               : error_set(error, STATUS_BAD_INPUT, "%s describes itself otherwise than at its first start",
                           external->name);
}

static enum status start(struct external *external, const struct child_watch *watch, struct error *error)
{
    const struct external_frame *greeting = &external->greeting;
    const bool is_subject = greeting->type == EXTERNAL_SUBJECT;
    const struct exchange exchange = {.question = greeting,
                                      .n_bytes = sizeof *greeting,
                                      .answer_type = is_subject ? EXTERNAL_DESCRIPTION : EXTERNAL_READY,
                                      .n_items = is_subject ? 1 : greeting->n_items,
                                      .n_values = is_subject ? 1 : greeting->n_values,
                                      .is_text = is_subject,
                                      .watch = watch};
    TRY(child_start(external->settings.command, &external->child, error));
    TRY(exchange_frames(external, &exchange, error));
    return is_subject ? take_description(external, error) : STATUS_OK;
}

static enum status ask_once(struct external *external, const struct exchange *exchange, struct error *error)
{
    if (external->child == NULL)
        TRY(start(external, exchange->watch, error));
    return exchange->question == NULL ? STATUS_OK : exchange_frames(external, exchange, error);
}

static enum status give_up(const struct external *external, const struct error *fault, enum status status,
                           struct error *error)
{
    const int n = external->settings.restarts;
    if (status != STATUS_IO || n == 0)
        return error_set(error, status, "%s", fault->message);
    return error_set(error, status, "%.900s; it was started again %d time%s", fault->message, n,
                     n == 1 ? "" : "s");
}

/** Without a question: only be there. */
static enum status ask(struct external *external, const struct exchange *exchange, struct error *error)
{
    const int n = external->settings.restarts;
    for (int restart = 0;; restart++) {
        struct error fault = {0};
        const enum status status = ask_once(external, exchange, &fault);
        if (status == STATUS_OK)
            return STATUS_OK;
        child_stop(external->child, 0);
        external->child = NULL;
        if (status != STATUS_IO || restart == n)
            return give_up(external, &fault, status, error);
        fprintf(stderr, "meicensus: %s; starting it again (%d of %d)\n", fault.message, restart + 1, n);
    }
}

/* ---- what others see ---- */

static enum status open_program(const struct external_settings *settings,
                                const struct external_frame *greeting, struct external **result,
                                struct error *error)
{
    const struct exchange nothing = {0};
    struct external *external = NULL;
    TRY(MEMORY_ALLOCATE(external, 1, error));
    external->settings = *settings;
    child_name(settings->command, external->name);
    external->greeting = *greeting;
    const enum status status = ask(external, &nothing, error);
    if (status != STATUS_OK) {
        external_close(external);
        return status;
    }
    *result = external;
    return STATUS_OK;
}

enum status external_open_objective(const struct external_settings *settings, int n_dimensions, int n_points,
                                    struct external **external, struct error *error)
{
    const struct external_frame greeting =
        make_frame(EXTERNAL_OBJECTIVE, (uint32_t)n_points, (uint32_t)n_dimensions, 0);
    return open_program(settings, &greeting, external, error);
}

enum status external_open_subject(const struct external_settings *settings, struct external **external,
                                  struct error *error)
{
    const struct external_frame greeting = make_frame(EXTERNAL_SUBJECT, 0, 0, 0);
    return open_program(settings, &greeting, external, error);
}

const char *external_description(const struct external *external)
{
    return external->description;
}

/** Room for a frame with so much payload; its header is written. */
static enum status prepare_question(struct external *external, const struct external_frame *frame,
                                    struct error *error)
{
    const size_t n_bytes = sizeof *frame + (size_t)frame->n_bytes;
    if (n_bytes > external->capacity) {
        free(external->question);
        external->question = NULL;
        external->capacity = 0;
        TRY(memory_allocate(&external->question, n_bytes, 1, "a frame", error));
        external->capacity = n_bytes;
    }
    memcpy(external->question, frame, sizeof *frame);
    return STATUS_OK;
}

enum status external_score_codes(struct external *external, int n_codes, const int32_t *codes, float *scores,
                                 struct error *error)
{
    const uint32_t n = (uint32_t)n_codes, d = external->greeting.n_values;
    const struct external_frame frame =
        make_frame(EXTERNAL_CODES, n, d, sizeof *codes * (uint64_t)n * (uint64_t)d);
    TRY(prepare_question(external, &frame, error));
    memcpy((char *)external->question + sizeof frame, codes, (size_t)frame.n_bytes);
    const struct exchange exchange = {.question = external->question,
                                      .n_bytes = sizeof frame + (size_t)frame.n_bytes,
                                      .answer_type = EXTERNAL_SCORES,
                                      .n_items = n,
                                      .n_values = 1,
                                      .scores = scores};
    return ask(external, &exchange, error);
}

enum status external_show_images(struct external *external, const struct external_show *show,
                                 const struct child_watch *watch, float *activations, struct error *error)
{
    const size_t image_bytes = sizeof *show->images * show->n_values * (size_t)show->n_images;
    const struct external_frame frame = make_frame(EXTERNAL_IMAGES, (uint32_t)show->n_images,
                                                   (uint32_t)show->n_values, sizeof show->unit + image_bytes);
    TRY(prepare_question(external, &frame, error));
    char *payload = (char *)external->question + sizeof frame;
    memcpy(payload, &show->unit, sizeof show->unit);
    memcpy(payload + sizeof show->unit, show->images, image_bytes);
    const struct exchange exchange = {.question = external->question,
                                      .n_bytes = sizeof frame + (size_t)frame.n_bytes,
                                      .answer_type = EXTERNAL_SCORES,
                                      .n_items = frame.n_items,
                                      .n_values = 1,
                                      .scores = activations,
                                      .watch = watch};
    return ask(external, &exchange, error);
}

void external_close(struct external *external)
{
    if (external == NULL)
        return;
    child_stop(external->child, end_patience);
    free(external->question);
    free(external->description);
    free(external->text);
    free(external);
}
