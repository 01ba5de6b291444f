/* SPDX-License-Identifier: MIT */
#include "sprites.h"

#include <stdio.h>

enum { PAGE_WIDTH = 1024, PAGE_HEIGHT = 2048, TILE_LIMIT = 1 << 14 };

enum status sprites_begin(struct sprites *sprites, const char *path, size_t n, int64_t height, int64_t width,
                          int64_t channels, struct error *error)
{
    *sprites = (struct sprites){.width = width, .height = height, .channels = channels, .n = n};
    if (height < 1 || width < 1 || height > TILE_LIMIT || width > TILE_LIMIT)
        return error_set(error, STATUS_BAD_INPUT, "%s: images of %lld x %lld pixels, expected 1 to %d a side",
                         path, (long long)width, (long long)height, TILE_LIMIT);
    if (snprintf(sprites->path, sizeof sprites->path, "%s", path) >= PATH_MAX - NAME_MAX)
        return error_set(error, STATUS_USAGE, "%s: the path of the output folder is too long", path);
    sprites->columns = width < PAGE_WIDTH ? (size_t)(PAGE_WIDTH / width) : 1;
    sprites->rows = height < PAGE_HEIGHT ? (size_t)(PAGE_HEIGHT / height) : 1;
    return STATUS_OK;
}

static enum status write_page(struct sprites *sprites, struct error *error)
{
    char path[PATH_MAX];
    if (sprites->image.rgb == NULL)
        return STATUS_OK;
    snprintf(path, sizeof path, "%.*s-%zu.png", PATH_MAX - NAME_MAX, sprites->path, sprites->page);
    enum status status = image_write(&sprites->image, path, error);
    image_free(&sprites->image);
    return status;
}

/** The last page is as high as its tiles need. */
static enum status open_page(struct sprites *sprites, size_t page, struct error *error)
{
    const size_t left = sprites->n - page * sprites->columns * sprites->rows,
                 needed = (left + sprites->columns - 1) / sprites->columns,
                 rows = needed < sprites->rows ? needed : sprites->rows;
    TRY(write_page(sprites, error));
    sprites->page = page;
    return image_make((int)((int64_t)sprites->columns * sprites->width),
                      (int)((int64_t)rows * sprites->height), &sprites->image, error);
}

enum status sprites_add(struct sprites *sprites, size_t tile, const uint8_t *pixels, struct error *error)
{
    const size_t capacity = sprites->columns * sprites->rows, place = tile % capacity;
    if (sprites->image.rgb == NULL || tile / capacity != sprites->page)
        TRY(open_page(sprites, tile / capacity, error));
    image_paste(&sprites->image, (int)((int64_t)(place % sprites->columns) * sprites->width),
                (int)((int64_t)(place / sprites->columns) * sprites->height), (int)sprites->width,
                (int)sprites->height, pixels, sprites->width, sprites->height, sprites->channels);
    return STATUS_OK;
}

enum status sprites_end(struct sprites *sprites, struct error *error)
{
    return write_page(sprites, error);
}

void sprites_free(struct sprites *sprites)
{
    image_free(&sprites->image);
}
