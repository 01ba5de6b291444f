/* SPDX-License-Identifier: MIT */
#include "hdf5_calls.h"

#include <stdio.h>

#include "results_file.h"

enum { DEFLATE_LEVEL = 4, COMPLAINT_CAPACITY = 300 };

void hdf5_prepare(void)
{
    /* After a fault on a full disk HDF5 cannot close at exit what it could not close before, and crashes. It
     * refuses the first call once it is in use: then the first user has made it. */
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    H5dont_atexit();
    H5Eclear2(H5E_DEFAULT);
}

void hdf5_version(char text[HDF5_VERSION_CAPACITY])
{
    unsigned int major = 0, minor = 0, release = 0;
    H5get_libversion(&major, &minor, &release);
    snprintf(text, HDF5_VERSION_CAPACITY, "%u.%u.%u", major, minor, release);
}

/** Some complaints have a date with the end of its line in them. */
static herr_t keep_innermost(unsigned int n, const H5E_error2_t *complaint, void *context)
{
    char *text = context;
    if (n == 0 && complaint->desc != NULL)
        snprintf(text, COMPLAINT_CAPACITY, "%s", complaint->desc);
    for (; *text != '\0'; text++)
        if (*text == '\n')
            *text = ' ';
    return 0;
}

hid_t hdf5_keep_complaint(void)
{
    return H5Eget_current_stack();
}

void hdf5_restore_complaint(hid_t complaint)
{
    H5Eset_current_stack(complaint);
}

enum status hdf5_error(struct error *error, enum status status, const char *path, const char *what)
{
    char complaint[COMPLAINT_CAPACITY] = "";
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_innermost, complaint);
    H5Eclear2(H5E_DEFAULT);
    if (complaint[0] == '\0')
        return error_set(error, status, "%s: %s", path, what);
    return error_set(error, status, "%s: %s (HDF5: %s)", path, what, complaint);
}

hid_t hdf5_access_alone(void)
{
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_fclose_degree(access, H5F_CLOSE_STRONG);
    H5Pset_file_locking(access, /*use_file_locking=*/false, /*ignore_when_disabled=*/true);
    return access;
}

hid_t hdf5_open_alone(const char *path, unsigned int flags)
{
    hid_t access = hdf5_access_alone();
    hid_t file = H5Fopen(path, flags, access);
    hid_t complaint = hdf5_keep_complaint();
    H5Pclose(access);
    hdf5_restore_complaint(complaint);
    return file;
}

static hid_t text_type(size_t n_bytes)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, n_bytes);
    H5Tset_strpad(type, H5T_STR_NULLPAD);
    H5Tset_cset(type, H5T_CSET_UTF8);
    return type;
}

hid_t hdf5_file_type(enum record_type type, size_t text_bytes)
{
    switch (type) {
    case RECORD_FLOAT32:
        return H5Tcopy(H5T_IEEE_F32LE);
    case RECORD_FLOAT64:
        return H5Tcopy(H5T_IEEE_F64LE);
    case RECORD_INT32:
        return H5Tcopy(H5T_STD_I32LE);
    case RECORD_INT64:
        return H5Tcopy(H5T_STD_I64LE);
    case RECORD_UINT64:
        return H5Tcopy(H5T_STD_U64LE);
    case RECORD_UINT8:
        return H5Tcopy(H5T_STD_U8LE);
    case RECORD_TEXT:
        return text_type(text_bytes);
    }
    return H5I_INVALID_HID;
}

hid_t hdf5_memory_type(enum record_type type, size_t text_bytes)
{
    hid_t file_type = hdf5_file_type(type, text_bytes);
    hid_t memory_type = H5Tget_native_type(file_type, H5T_DIR_ASCEND);
    H5Tclose(file_type);
    return memory_type;
}

void hdf5_choose_chunk(int n_dimensions, const hsize_t *shape, size_t element_bytes, size_t n_bytes,
                       hsize_t *chunk)
{
    size_t chunk_bytes = element_bytes;
    for (int i = 0; i < n_dimensions; i++)
        chunk_bytes *= chunk[i] = shape[i];
    for (int i = 0; i < n_dimensions; i++) {
        while (chunk_bytes > n_bytes && chunk[i] > 1) {
            const hsize_t half = (chunk[i] + 1) / 2;
            chunk_bytes = chunk_bytes / chunk[i] * half;
            chunk[i] = half;
        }
    }
}

hid_t hdf5_create_array(hid_t file, const char *path, hid_t type, int n_dimensions, const hsize_t *shape,
                        const hsize_t *chunk, bool compressed)
{
    hid_t space = H5Screate_simple(n_dimensions, shape, NULL);
    hid_t creation = H5Pcreate(H5P_DATASET_CREATE), link = H5Pcreate(H5P_LINK_CREATE);
    hid_t dataset = H5I_INVALID_HID;
    if (H5Pset_create_intermediate_group(link, 1) >= 0 && H5Pset_obj_track_times(creation, false) >= 0 &&
        H5Pset_chunk(creation, n_dimensions, chunk) >= 0 &&
        H5Pset_fill_time(creation, H5D_FILL_TIME_NEVER) >= 0 &&
        (!compressed || (H5Pset_shuffle(creation) >= 0 && H5Pset_deflate(creation, DEFLATE_LEVEL) >= 0)) &&
        H5Pset_fletcher32(creation) >= 0)
        dataset = H5Dcreate2(file, path, type, space, link, creation, H5P_DEFAULT);
    hid_t complaint = hdf5_keep_complaint();
    H5Pclose(link);
    H5Pclose(creation);
    H5Sclose(space);
    hdf5_restore_complaint(complaint);
    return dataset;
}

/* Takes over type and space. */
static bool set_attribute(hid_t object, const char *name, hid_t file_type, hid_t memory_type, hid_t space,
                          const void *values)
{
    hid_t attribute = H5Acreate2(object, name, file_type, space, H5P_DEFAULT, H5P_DEFAULT);
    bool written = attribute >= 0 && H5Awrite(attribute, memory_type, values) >= 0;
    hid_t complaint = hdf5_keep_complaint();
    if (attribute >= 0)
        H5Aclose(attribute);
    H5Sclose(space);
    H5Tclose(file_type);
    H5Tclose(memory_type);
    hdf5_restore_complaint(complaint);
    return written;
}

static hid_t attribute_space(size_t n)
{
    const hsize_t extent = n;
    return n == 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &extent, NULL);
}

bool hdf5_set_text(hid_t object, const char *name, const char *text)
{
    return hdf5_set_texts(object, name, 0, &text);
}

bool hdf5_set_texts(hid_t object, const char *name, size_t n, const char *const *texts)
{
    hid_t type = text_type(H5T_VARIABLE);
    return set_attribute(object, name, type, H5Tcopy(type), attribute_space(n), texts);
}

bool hdf5_set_numbers(hid_t object, const char *name, enum record_type type, size_t n, const void *values)
{
    return set_attribute(object, name, hdf5_file_type(type, 0), hdf5_memory_type(type, 0), attribute_space(n),
                         values);
}

bool hdf5_describe(hid_t dataset, const char *units, const char *long_name, const char *description)
{
    return hdf5_set_text(dataset, "units", units) && hdf5_set_text(dataset, "long_name", long_name) &&
           hdf5_set_text(dataset, "description", description);
}
