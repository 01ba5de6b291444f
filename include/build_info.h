/* SPDX-License-Identifier: MIT */
/*
 * How this program was built. The Makefile writes the definitions (build/obj/build_info.c); they are kept in
 * /provenance of every results file. All are text ended by a zero byte, never empty, never changed.
 */
#ifndef MEICENSUS_BUILD_INFO_H
#define MEICENSUS_BUILD_INFO_H

/* Version of the program: "major.minor.patch". */
extern const char build_version[];

/* Revision of the source code as `git describe --always --dirty --tags` prints it; "unknown" outside git. */
extern const char build_code_revision[];

/* First line of the compiler's `--version`. */
extern const char build_compiler[];

/* Compiler flags that all source files share (folders for one instruction set add theirs). */
extern const char build_flags[];

#endif
