/* SPDX-License-Identifier: MIT */
#include "results_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "files.h"
#include "hdf5_calls.h"
#include "memory.h"
#include "results_array.h"
#include "results_seal.h"
#include "results_tables.h"

struct writer {
    MPI_Comm comm;
    int rank, size;
    const struct results_description *description;
    char *part;
    hid_t file, transfer;
    struct results_summary own; /**< of the runs this rank wrote */
};

/* One array on its way: the group's missing record, and a buffer for the blocks. */
struct passage {
    struct writer *writer;
    size_t group;
    struct record_layout layout;
    unsigned char *missing;
    struct results_array array;
    struct results_division division;
    hid_t dataset;
    unsigned char *values, *found; /**< found: what was read back, or NULL while writing */
};

/* All ranks go on only if all can: the first failing rank's status and message become everybody's. */
static enum status agree(const struct writer *writer, enum status status, struct error *error)
{
    int mine = status == STATUS_OK ? writer->size : writer->rank, first;
    if (MPI_Allreduce(&mine, &first, 1, MPI_INT, MPI_MIN, writer->comm) != MPI_SUCCESS)
        return error_set(error, STATUS_IO, "%s: MPI could not compare the ranks' states", writer->part);
    if (first == writer->size)
        return STATUS_OK;
    if (MPI_Bcast(error, sizeof *error, MPI_BYTE, first, writer->comm) != MPI_SUCCESS)
        return error_set(error, STATUS_IO, "%s: MPI could not pass on the message of a fault", writer->part);
    return error->status;
}

/* ---- blocks of runs ---- */

static void count_run(struct results_summary *summary, const struct results_row *row, uint8_t status)
{
    if (row->record == NULL)
        summary->n_missing++;
    else if (status == RUN_FAILED)
        summary->n_failed++;
    else
        summary->n_done++;
}

static enum status fill_run(struct passage *passage, size_t unit, size_t replicate, unsigned char *values,
                            struct error *error)
{
    const struct results_description *description = passage->writer->description;
    struct results_row row = {.record = NULL, .incarnation = -1};
    TRY(description->find_row(description->context, passage->group, unit, replicate, &row, error));
    const void *record = row.record != NULL ? row.record : passage->missing;
    const void *field = record_at_const(&passage->layout, record, passage->array.id);
    memcpy(values, passage->array.id == FIELD_INCARNATION ? &row.incarnation : field,
           passage->array.run_bytes);
    if (passage->array.id == FIELD_STATUS && passage->found == NULL)
        count_run(&passage->writer->own, &row, *values);
    return STATUS_OK;
}

static enum status fill_block(struct passage *passage, const struct results_block *block, struct error *error)
{
    unsigned char *values = passage->values;
    for (hsize_t unit = 0; unit < block->n_units; unit++) {
        for (hsize_t replicate = 0; replicate < block->n_replicates; replicate++) {
            TRY(fill_run(passage, block->first_unit + unit, block->first_replicate + replicate, values,
                         error));
            values += passage->array.run_bytes;
        }
    }
    return STATUS_OK;
}

static enum status transfer_block(struct passage *passage, const struct results_block *block,
                                  struct error *error)
{
    struct writer *writer = passage->writer;
    hid_t type = hdf5_memory_type(passage->array.field->type, RECORD_TEXT_BYTES);
    hid_t file_space = H5Dget_space(passage->dataset);
    hid_t memory_space = results_select(file_space, &passage->array, block);
    bool done = memory_space >= 0;
    if (done && passage->found == NULL)
        done = H5Dwrite(passage->dataset, type, memory_space, file_space, writer->transfer,
                        passage->values) >= 0;
    else if (done)
        done = H5Dread(passage->dataset, type, memory_space, file_space, H5P_DEFAULT, passage->found) >= 0;
    hid_t complaint = hdf5_keep_complaint();
    H5Sclose(memory_space);
    H5Sclose(file_space);
    H5Tclose(type);
    hdf5_restore_complaint(complaint);
    if (done)
        return STATUS_OK;
    char what[RESULTS_PATH_CAPACITY + 64];
    snprintf(what, sizeof what, "%s cannot be %s", passage->array.path,
             passage->found == NULL ? "written" : "read back");
    return hdf5_error(error, STATUS_IO, writer->part, what);
}

static enum status compare_block(const struct passage *passage, const struct results_block *block,
                                 struct error *error)
{
    const size_t run_bytes = passage->array.run_bytes;
    for (hsize_t i = 0; i < block->n_units * block->n_replicates; i++)
        if (memcmp(passage->values + i * run_bytes, passage->found + i * run_bytes, run_bytes) != 0)
            return error_set(
                error, STATUS_DAMAGED,
                "%s: %s: unit %llu, replicate %llu reads back other than its record; gather again",
                passage->writer->part, passage->array.path,
                (unsigned long long)(block->first_unit + i / block->n_replicates),
                (unsigned long long)(block->first_replicate + i % block->n_replicates));
    return STATUS_OK;
}

/* ---- writing ---- */

static enum status create_dataset(struct passage *passage, struct error *error)
{
    const struct results_array *array = &passage->array;
    hid_t type = hdf5_file_type(array->field->type, RECORD_TEXT_BYTES);
    passage->dataset = hdf5_create_array(passage->writer->file, array->path, type, array->n_dimensions,
                                         array->shape, array->chunk, array->compressed);
    hid_t complaint = hdf5_keep_complaint();
    H5Tclose(type);
    hdf5_restore_complaint(complaint);
    if (passage->dataset >= 0)
        return STATUS_OK;
    char what[RESULTS_PATH_CAPACITY + 64];
    snprintf(what, sizeof what, "%s cannot be created", array->path);
    return hdf5_error(error, STATUS_IO, passage->writer->part, what);
}

/* Every rank takes part in every step, with an empty selection when it has nothing left. */
static enum status write_steps(struct passage *passage, struct error *error)
{
    enum status status = STATUS_OK;
    for (size_t step = 0; step < passage->division.n_steps; step++) {
        const struct results_block block = results_block_at(&passage->division, step);
        if (status == STATUS_OK)
            status = fill_block(passage, &block, error);
        TRY(agree(passage->writer, status, error));
        status = transfer_block(passage, &block, error);
    }
    return agree(passage->writer, status, error);
}

static enum status write_array(struct passage *passage, struct error *error)
{
    const struct writer *writer = passage->writer;
    TRY(agree(writer, create_dataset(passage, error), error));
    enum status status = write_steps(passage, error);
    if (H5Dclose(passage->dataset) < 0 && status == STATUS_OK)
        status = hdf5_error(error, STATUS_IO, writer->part, "a dataset cannot be closed");
    return agree(writer, status, error);
}

/* ---- reading back ---- */

static enum status compare_array(struct passage *passage, struct error *error)
{
    enum status status = STATUS_OK;
    passage->dataset = H5Dopen2(passage->writer->file, passage->array.path, H5P_DEFAULT);
    if (passage->dataset < 0)
        return hdf5_error(error, STATUS_IO, passage->writer->part, passage->array.path);
    for (size_t step = 0; step < passage->division.n_steps && status == STATUS_OK; step++) {
        const struct results_block block = results_block_at(&passage->division, step);
        if (block.n_units == 0)
            continue;
        TRY_CLEANUP(fill_block(passage, &block, error));
        TRY_CLEANUP(transfer_block(passage, &block, error));
        TRY_CLEANUP(compare_block(passage, &block, error));
    }
cleanup:
    H5Dclose(passage->dataset);
    return status;
}

/* ---- all arrays ---- */

static enum status prepare_passage(struct passage *passage, bool read_back, struct error *error)
{
    passage->division = results_divide(&passage->array, passage->writer->rank, passage->writer->size);
    TRY(MEMORY_ALLOCATE(passage->values, passage->division.buffer_bytes, error));
    if (read_back)
        TRY(MEMORY_ALLOCATE(passage->found, passage->division.buffer_bytes, error));
    return STATUS_OK;
}

static enum status pass_array(struct passage *passage, bool read_back, struct error *error)
{
    enum status status = prepare_passage(passage, read_back, error);
    if (read_back && status == STATUS_OK)
        status = compare_array(passage, error);
    else if (!read_back && (status = agree(passage->writer, status, error)) == STATUS_OK)
        status = write_array(passage, error);
    free(passage->values);
    free(passage->found);
    passage->values = passage->found = NULL;
    return status;
}

static enum status pass_group(struct writer *writer, size_t group, bool read_back, struct error *error)
{
    const struct results_group *description = &writer->description->groups[group];
    struct passage passage = {.writer = writer, .group = group};
    enum status status;
    TRY_CLEANUP(record_layout_make(&description->sizes, &passage.layout, error));
    TRY_CLEANUP(MEMORY_ALLOCATE(passage.missing, passage.layout.n_bytes, error));
    record_set_missing(&passage.layout, passage.missing);
cleanup:
    if (!read_back)
        status = agree(writer, status, error);
    for (int i = 0; i < N_RECORD_FIELDS && status == STATUS_OK; i++) {
        bool exists;
        status = results_array_make(description, (enum record_field_id)i, &passage.array, &exists, error);
        if (status == STATUS_OK && exists)
            status = pass_array(&passage, read_back, error);
    }
    free(passage.missing);
    return status;
}

static enum status pass_groups(struct writer *writer, bool read_back, struct error *error)
{
    for (size_t i = 0; i < writer->description->n_groups; i++)
        TRY(pass_group(writer, i, read_back, error));
    return STATUS_OK;
}

/* ---- the file ---- */

/*
 * A file that HDF5 cannot flush is one that it cannot close, and it crashes when the program ends. So the
 * disk space is reserved before anything is written: rank 0 makes an empty file, reserves, then all open it.
 */
static enum status space_needed(const struct results_description *description, size_t *n_bytes,
                                struct error *error)
{
    const size_t group_bytes = 1 << 20; /* headers, attributes, scales */
    *n_bytes = group_bytes + strlen(description->job) + strlen(description->settings);
    for (size_t i = 0; i < description->n_subjects; i++)
        *n_bytes += description->subjects[i].n_units * sizeof(struct results_unit);
    for (size_t i = 0; i < description->n_naturals; i++)
        *n_bytes += natural_table_bytes(description->naturals[i].table);
    for (size_t i = 0; i < description->n_groups; i++) {
        *n_bytes += group_bytes;
        for (int j = 0; j < N_RECORD_FIELDS; j++) {
            struct results_array array;
            bool exists;
            TRY(results_array_make(&description->groups[i], (enum record_field_id)j, &array, &exists, error));
            *n_bytes += exists ? results_array_bytes(&array) : 0;
        }
    }
    return STATUS_OK;
}

static enum status reserve_alone(const struct writer *writer, struct error *error)
{
    size_t n_bytes = 0;
    if (writer->rank != 0)
        return STATUS_OK;
    TRY(space_needed(writer->description, &n_bytes, error));
    return file_reserve(writer->part, n_bytes, error);
}

static enum status create_alone(const struct writer *writer, struct error *error)
{
    if (writer->rank != 0)
        return STATUS_OK;
    hid_t access = hdf5_access_alone(), creation = H5Pcreate(H5P_FILE_CREATE);
    H5Pset_userblock(creation, SEAL_BYTES);
    hid_t file = H5Fcreate(writer->part, H5F_ACC_TRUNC, creation, access);
    hid_t complaint = hdf5_keep_complaint();
    H5Pclose(creation);
    H5Pclose(access);
    hdf5_restore_complaint(complaint);
    if (file < 0 || H5Fclose(file) < 0)
        return hdf5_error(error, STATUS_IO, writer->part, "cannot be created");
    return reserve_alone(writer, error);
}

static enum status open_together(struct writer *writer, struct error *error)
{
    TRY(agree(writer, create_alone(writer, error), error));
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    if (H5Pset_fapl_mpio(access, writer->comm, MPI_INFO_NULL) >= 0 &&
        H5Pset_coll_metadata_write(access, true) >= 0 && H5Pset_fclose_degree(access, H5F_CLOSE_STRONG) >= 0)
        writer->file = H5Fopen(writer->part, H5F_ACC_RDWR, access);
    hid_t complaint = hdf5_keep_complaint();
    H5Pclose(access);
    hdf5_restore_complaint(complaint);
    enum status status = STATUS_OK;
    if (writer->file < 0)
        status = hdf5_error(error, STATUS_IO, writer->part, "cannot be opened by all ranks together");
    return agree(writer, status, error);
}

/* Collective. On a fault the file is closed all the same: every rank comes here. */
static enum status write_together(struct writer *writer, struct results_circumstances *circumstances,
                                  struct error *error)
{
    enum status status = open_together(writer, error);
    if (status == STATUS_OK) {
        mpi_io_component(circumstances->mpi_io);
        writer->transfer = H5Pcreate(H5P_DATASET_XFER);
        H5Pset_dxpl_mpio(writer->transfer, H5FD_MPIO_COLLECTIVE);
        status = pass_groups(writer, /*read_back=*/false, error);
        H5Pclose(writer->transfer);
    }
    if (writer->file >= 0 && H5Fclose(writer->file) < 0 && status == STATUS_OK)
        status = hdf5_error(error, STATUS_IO, writer->part, "cannot be closed");
    return agree(writer, status, error);
}

static enum status read_back(struct writer *writer, struct error *error)
{
    writer->file = hdf5_open_alone(writer->part, H5F_ACC_RDONLY);
    if (writer->file < 0)
        return hdf5_error(error, STATUS_IO, writer->part, "cannot be opened to be checked");
    enum status status = pass_groups(writer, /*read_back=*/true, error);
    H5Fclose(writer->file);
    return status;
}

static enum status sum_up(const struct writer *writer, struct results_summary *summary, struct error *error)
{
    long long own[] = {(long long)writer->own.n_done, (long long)writer->own.n_failed,
                       (long long)writer->own.n_missing};
    long long all[3];
    if (MPI_Allreduce(own, all, 3, MPI_LONG_LONG, MPI_SUM, writer->comm) != MPI_SUCCESS)
        return error_set(error, STATUS_IO, "%s: MPI could not add up the runs", writer->part);
    *summary = (struct results_summary){.n_groups = writer->description->n_groups,
                                        .n_done = (size_t)all[0],
                                        .n_failed = (size_t)all[1],
                                        .n_missing = (size_t)all[2]};
    return STATUS_OK;
}

static enum status add_naturals(const struct writer *writer, struct error *error)
{
    const struct results_description *description = writer->description;
    struct hdf5_arrays *file = NULL;
    enum status status = STATUS_OK;
    if (description->n_naturals == 0)
        return STATUS_OK;
    TRY(hdf5_arrays_open(writer->part, &file, error));
    for (size_t i = 0; i < description->n_naturals && status == STATUS_OK; i++)
        status =
            natural_group_add(file, description->naturals[i].subject, description->naturals[i].table, error);
    if (status == STATUS_OK)
        return hdf5_arrays_close(file, error);
    hdf5_arrays_discard(file);
    return status;
}

static enum status complete_alone(const struct writer *writer,
                                  const struct results_circumstances *circumstances, struct error *error)
{
    if (writer->rank != 0)
        return STATUS_OK;
    TRY(reserve_alone(writer, error)); /* closing the file has given the space back */
    TRY(results_tables_write(writer->part, writer->description, circumstances, error));
    TRY(add_naturals(writer, error));
    return file_sync(writer->part, error);
}

static enum status publish_alone(const struct writer *writer, const char *path, struct error *error)
{
    if (writer->rank != 0)
        return STATUS_OK;
    file_release(writer->part);
    TRY(results_seal_write(writer->part, error));
    return file_publish(writer->part, path, error);
}

static enum status write_file(struct writer *writer, const char *path, struct results_summary *summary,
                              struct error *error)
{
    struct results_circumstances circumstances = {.ranks = writer->size};
    TRY(write_together(writer, &circumstances, error));
    TRY(sum_up(writer, summary, error));
    circumstances.complete = summary->n_missing == 0;
    TRY(agree(writer, complete_alone(writer, &circumstances, error), error));
    TRY(agree(writer, read_back(writer, error), error));
    return agree(writer, publish_alone(writer, path, error), error);
}

static enum status check_description(const struct results_description *description, struct error *error)
{
    for (size_t i = 0; i < description->n_groups; i++) {
        const struct results_group *group = &description->groups[i];
        char path[RESULTS_PATH_CAPACITY];
        TRY(results_group_path(group, PLACE_CENSUS, path, error));
        if (group->n_units == 0 || group->n_replicates == 0)
            return error_set(error, STATUS_INTERNAL, "%s: a group without units or replicates", path);
    }
    return STATUS_OK;
}

enum status results_file_write(MPI_Comm comm, const char *path, const struct results_description *description,
                               struct results_summary *summary, struct error *error)
{
    struct writer writer = {.comm = comm, .description = description, .file = H5I_INVALID_HID};
    struct results_summary own_summary;
    hdf5_prepare();
    MPI_Comm_rank(comm, &writer.rank);
    MPI_Comm_size(comm, &writer.size);
    enum status status = check_description(description, error);
    if (status == STATUS_OK)
        status = file_part_name(path, &writer.part, error);
    status = agree(&writer, status, error);
    if (status == STATUS_OK) {
        status = write_file(&writer, path, summary != NULL ? summary : &own_summary, error);
        if (status != STATUS_OK && writer.rank == 0)
            unlink(writer.part);
    }
    free(writer.part);
    return status;
}
