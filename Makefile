# SPDX-License-Identifier: MIT
# meicensus: `make help` lists the targets.
#
# Variables for the command line:
#   CC=clang       another compiler
#   SANITIZE=1     address and undefined-behaviour checks, in build/sanitize
#   BUILD=DIR      another folder for everything that is built
#   VERBOSE=1      whole compiler commands instead of one short line a file
VERSION := 0.1.0

BUILD ?= $(if $(SANITIZE),build/sanitize,build)
ifeq ($(origin CC),default)
CC := gcc
endif
OBJCOPY ?= objcopy

comma := ,

# ---- Flags ----------------------------------------------------------------------------------------------------
LIBRARIES    := hdf5-openmpi ompi-c openblas yaml-0.1 libcjson libxxhash libcrypto gsl libpng
TEST_LIBRARY := cmocka

SANITIZERS   := -O1 -fsanitize=address -fsanitize=undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
OPTIMISATION := $(if $(SANITIZE),$(SANITIZERS),-O3)
CFLAGS  := -std=c11 -D_GNU_SOURCE $(OPTIMISATION) -g -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
           -Werror -ffp-contract=off -fno-math-errno
CXXFLAGS := $(filter-out -std=c11 -Wstrict-prototypes -Wmissing-prototypes,$(CFLAGS))
# System headers (-isystem) may warn as they like.
INCLUDE := -Iinclude $(patsubst -I%,-isystem %,$(shell pkg-config --cflags $(LIBRARIES) $(TEST_LIBRARY) 2>/dev/null))
LINK    := $(filter-out -I%,$(shell pkg-config --libs $(LIBRARIES) 2>/dev/null))
# The high-level HDF5 library has no pkg-config file; it lies beside the parallel library found above.
LINK    := $(patsubst -lhdf5,-lhdf5_hl -lhdf5,$(LINK)) -lm -fopenmp $(if $(SANITIZE),tests/sanitizer/keep_libraries.c)

# ---- Files ----------------------------------------------------------------------------------------------------
OBJECT_DIR       := $(BUILD)/obj
# Sources of vector kernels are compiled once for each set of instructions.
VECTOR_SETS      := amx avx512 avx2
VECTOR_SOURCES   := $(wildcard src/kernels/vector/*.c)
LIBRARY_SOURCES  := $(filter-out $(VECTOR_SOURCES) src/kernels/cuda/% $(foreach set,$(VECTOR_SETS),src/kernels/$(set)/%),$(wildcard src/*/*.c src/*/*/*.c))
CUDA_SOURCES     := $(wildcard src/kernels/cuda/*.cu)
DEVICE_SOURCES   := $(wildcard src/kernels/cuda/device/*.cu)
ANALYSIS_SOURCES := $(filter-out analysis/main.c,$(wildcard analysis/*.c))
TEST_SOURCES     := $(wildcard tests/modules/test_*.c)
KERNEL_TESTS     := $(wildcard tests/kernels/*.c)
MEASURE_SOURCES  := $(wildcard tests/bench/*.c tests/fidelity/*.c tests/gpu/*.c)

objects = $(patsubst %.c,$(OBJECT_DIR)/%.o,$(1))

# Those of every set, and the set's own.
vector_objects = $(patsubst %.c,$(OBJECT_DIR)/src/kernels/vector/$(1)/%.o,$(notdir $(VECTOR_SOURCES) $(wildcard src/kernels/$(1)/*.c)))

# Where there is no nvcc, the program says so when it is asked for a GPU.
NVCC         := $(shell command -v nvcc 2>/dev/null)
CUDA_FOLDER  := $(if $(NVCC),$(abspath $(dir $(realpath $(NVCC)))/..))
CUDA_OBJECTS := $(OBJECT_DIR)/src/kernels/cuda/$(if $(NVCC),table,absent).o
# nvcc's are the same whatever CC, SANITIZE and BUILD are.
NVCC_DIR     := build/nvcc
CUDA_OBJECTS += $(if $(NVCC),$(patsubst src/kernels/cuda/%.cu,$(NVCC_DIR)/%.o,$(CUDA_SOURCES) $(DEVICE_SOURCES)))
CUDA_LINK    := $(if $(NVCC),-L$(CUDA_FOLDER)/lib64 -Wl$(comma)-rpath$(comma)$(CUDA_FOLDER)/lib64 -lcudart_static -lstdc++ -ldl -lrt -lpthread)

BUILD_INFO        := $(OBJECT_DIR)/build_info.o
LIBRARY_OBJECTS   := $(call objects,$(LIBRARY_SOURCES)) $(BUILD_INFO) $(CUDA_OBJECTS) $(VECTOR_SETS:%=$(OBJECT_DIR)/src/kernels/vector/%.o)
LIBRARY_ARCHIVE   := $(OBJECT_DIR)/library.a
ANALYSIS_OBJECTS  := $(call objects,$(ANALYSIS_SOURCES))
# The pages of the atlas are part of the program, which carries them to where they are looked at.
ATLAS_PAGES       := $(OBJECT_DIR)/analysis/atlas/pages.o
ANALYSIS_OBJECTS  += $(ATLAS_PAGES)
# The analysis shares these few modules with the census program, and nothing else.
ANALYSIS_SHARED   := $(call objects,$(wildcard src/base/*.c)) $(BUILD_INFO)

# The CUDA kernels, compiled for the host, where they are tested.
CUDA_ON_HOST := $(CUDA_SOURCES:%.cu=$(OBJECT_DIR)/tests/on_host/%.o) $(OBJECT_DIR)/src/kernels/cuda/table.o \
                $(OBJECT_DIR)/tests/kernels/on_host/device.o

TESTS := $(patsubst tests/modules/%.c,$(BUILD)/tests/%,$(TEST_SOURCES))
TESTS += $(if $(KERNEL_TESTS),$(BUILD)/tests/check_kernels)
# What tests of whole censuses run beside the program itself.
TEST_PROGRAMS := $(addprefix $(BUILD)/tests/meicensus_,without_cuda on_host)

SHELL_SCRIPTS := $(wildcard .ci/run .setup/*.sh jobs/*.sh slurm/*.sh slurm/*.sbatch tests/*.sh tests/*/*.sh)
C_FILES       := $(wildcard include/*.h src/*.c src/*/*.[ch] src/*/*/*.[ch] analysis/*.[ch] jobs/*/*.[ch] tests/*/*.[ch]) \
                 $(wildcard src/kernels/cuda/*.cu src/kernels/cuda/device/*.* tests/kernels/on_host/*.*)

.PHONY: all help demo check check-python check-slurm check-browser bench bench-readme gpu-check format format-check sanitize lint install-packages \
        clean tests libraries always
.DELETE_ON_ERROR:
.SECONDARY:

all: $(BUILD)/meicensus $(BUILD)/meicensus-analyze  ## both programs (needs no Python)

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 22

# ---- Programs -------------------------------------------------------------------------------------------------
$(BUILD)/meicensus: $(call objects,src/main.c) $(LIBRARY_OBJECTS)
	$(link)

$(BUILD)/meicensus-analyze: $(call objects,analysis/main.c) $(ANALYSIS_OBJECTS) $(ANALYSIS_SHARED)
	$(link)

$(BUILD)/tests/test_analysis $(BUILD)/tests/test_atlas $(BUILD)/tests/test_sheets: $(ANALYSIS_OBJECTS)

# A test takes from the archive what it calls, directly or not.
$(BUILD)/tests/test_%: $(OBJECT_DIR)/tests/modules/test_%.o $(LIBRARY_ARCHIVE)
	$(link) -lcmocka

$(BUILD)/tests/check_kernels: $(call objects,$(KERNEL_TESTS)) $(CUDA_ON_HOST) $(LIBRARY_ARCHIVE)
	$(link) -lcmocka

$(BUILD)/tests/test_device $(BUILD)/tests/test_flights: $(CUDA_ON_HOST)

# The same on a device; and how fast that is.
$(BUILD)/tests/check_kernels_on_gpu: $(call objects,$(KERNEL_TESTS)) $(LIBRARY_ARCHIVE)
	$(link) -lcmocka

$(BUILD)/tests/bench_device: $(OBJECT_DIR)/tests/gpu/bench_device.o $(LIBRARY_ARCHIVE)
	$(link)

$(BUILD)/tests/bench_device_on_host: $(OBJECT_DIR)/tests/gpu/bench_device.o $(CUDA_ON_HOST) $(LIBRARY_ARCHIVE)
	$(link)

$(BUILD)/tests/compare_censuses: $(OBJECT_DIR)/tests/gpu/compare_censuses.o $(LIBRARY_ARCHIVE)
	$(link)

# The whole program on a device that is the host.
$(BUILD)/tests/meicensus_on_host: $(call objects,src/main.c) $(filter-out $(CUDA_OBJECTS),$(LIBRARY_OBJECTS)) $(CUDA_ON_HOST)
	$(link)

# What the program is where there is no nvcc.
$(BUILD)/tests/meicensus_without_cuda: $(call objects,src/main.c) $(filter-out $(CUDA_OBJECTS),$(LIBRARY_OBJECTS)) \
                                       $(OBJECT_DIR)/src/kernels/cuda/absent.o
	$(link)

$(LIBRARY_ARCHIVE): $(LIBRARY_OBJECTS)
	@rm -f $@
	@$(AR) rcs $@ $^

# A generator of the published width, for measuring: jobs/bench.yaml names it.
$(BUILD)/tests/widen_generator: $(call objects,$(addprefix tests/bench/,widen_generator.c widen.c)) $(LIBRARY_ARCHIVE)
	$(link)

$(BUILD)/bench/sn_gan.yaml: weights/sn_gan.yaml weights/sn_gan_light.safetensors $(BUILD)/tests/widen_generator
	@mkdir -p $(@D)
	$(call say,widen $@)
	$(QUIET)$(BUILD)/tests/widen_generator weights/sn_gan_light.safetensors $(@:.yaml=.safetensors)
	$(QUIET)cp $< $@

$(BUILD)/tests/test_widen: $(call objects,tests/bench/widen.c)

$(BUILD)/tests/bench_search: $(OBJECT_DIR)/tests/bench/bench_search.o $(LIBRARY_ARCHIVE)
	$(link)

$(BUILD)/tests/score_unit: $(OBJECT_DIR)/tests/fidelity/score_unit.o $(LIBRARY_ARCHIVE)
	$(link)

tests: $(TESTS) $(TEST_PROGRAMS)

define link
@mkdir -p $(@D)
$(call say,link $@)
$(QUIET)$(CC) $(CFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LINK) $(if $(filter %/session.o %/library.a,$^),$(CUDA_LINK))
endef

define compile
@mkdir -p $(@D)
$(call say,compile $<$(if $(1), ($(1))))
$(QUIET)$(CC) $(CFLAGS) $(2) $(INCLUDE) -MMD -MP -c -o $@ $<
endef

# Threads ask, score and tell the runs that a device is shown together.
$(OBJECT_DIR)/src/campaign/lockstep.o: CFLAGS += -fopenmp

$(OBJECT_DIR)/%.o: %.c $(OBJECT_DIR)/flags | libraries
	$(call compile)

nvcc_flags := -std=c++17 -O3 -g -fmad=false --Werror all-warnings -Xcompiler -Wall,-Wextra,-Wshadow,-Werror \
              $(foreach sm,80 90 100,-gencode arch=compute_$(sm)$(comma)code=sm_$(sm)) -Iinclude -Isrc/kernels/cuda \
              -Isrc/kernels/cuda/device

$(NVCC_DIR)/%.o: src/kernels/cuda/%.cu $(NVCC_DIR)/flags | libraries
	@mkdir -p $(@D)
	$(call say,compile $< (CUDA))
	$(QUIET)$(NVCC) $(nvcc_flags) -MMD -MP -c -o $@ $<

on_host_flags := -x c++ -std=c++17 -fno-exceptions -fno-rtti -Itests/kernels/on_host -Isrc/kernels/cuda

$(OBJECT_DIR)/tests/on_host/%.o: %.cu $(OBJECT_DIR)/flags | libraries
	@mkdir -p $(@D)
	$(call say,compile $< (for the host))
	$(QUIET)$(CXX) $(CXXFLAGS) $(on_host_flags) $(INCLUDE) -MMD -MP -c -o $@ $<

$(OBJECT_DIR)/tests/kernels/on_host/%.o: tests/kernels/on_host/%.cc $(OBJECT_DIR)/flags | libraries
	@mkdir -p $(@D)
	$(call say,compile $<)
	$(QUIET)$(CXX) $(CXXFLAGS) $(on_host_flags) $(INCLUDE) -MMD -MP -c -o $@ $<

# Instruction sets beyond the compiler's default are for the vector kernels only: the rest runs on any CPU. A set's
# vector.h is in the folder of its name. Its objects become one that only shows the table of its kernels, because
# names inside are those of every set.
avx2_flags   := -mavx2 -mfma -mpopcnt
avx512_flags := -mavx512f -mavx512bw -mavx512dq -mavx512vl $(avx2_flags)
amx_flags    := -mamx-tile -mamx-bf16 -mavx512bf16 $(avx512_flags) -Isrc/kernels/avx512 -Isrc/kernels/vector

define vector_set
$(OBJECT_DIR)/src/kernels/vector/$(1)/%.o: src/kernels/vector/%.c $(OBJECT_DIR)/flags | libraries
	$$(call compile,$(1),-Isrc/kernels/$(1) $$($(1)_flags))

$(OBJECT_DIR)/src/kernels/vector/$(1)/%.o: src/kernels/$(1)/%.c $(OBJECT_DIR)/flags | libraries
	$$(call compile,$(1),-Isrc/kernels/$(1) $$($(1)_flags))

$(OBJECT_DIR)/src/kernels/vector/$(1).o: $(call vector_objects,$(1))
	$$(call say,join $$@)
	$$(QUIET)$$(LD) -r -o $$@ $$^
	$$(QUIET)$$(OBJCOPY) --keep-global-symbol=kernels_$(1) $$@
endef
$(foreach set,$(VECTOR_SETS),$(eval $(call vector_set,$(set))))

$(ATLAS_PAGES): $(wildcard analysis/atlas/*) | libraries
	@mkdir -p $(@D)
	$(call say,embed analysis/atlas)
	$(QUIET)cd analysis/atlas && $(LD) -r -z noexecstack -b binary -o $(abspath $@) index.html atlas.css atlas.js

-include $(patsubst %.o,%.d,$(call objects,src/main.c analysis/main.c $(LIBRARY_SOURCES) $(ANALYSIS_SOURCES) \
                                   $(TEST_SOURCES) $(KERNEL_TESTS) $(MEASURE_SOURCES)) \
                        $(foreach set,$(VECTOR_SETS),$(call vector_objects,$(set))) $(CUDA_OBJECTS) $(CUDA_ON_HOST))

# What a results file says about the program that made it. Written again only when something in it changed.
REVISION := $(shell git describe --always --dirty --tags 2>/dev/null || echo unknown)
COMPILER := $(shell $(CC) --version 2>/dev/null | head -n 1 | tr -d '"\\')

define build_info
/* SPDX-License-Identifier: MIT */
/* Written by the Makefile. */
#include "build_info.h"

const char build_version[] = "$(VERSION)";
const char build_code_revision[] = "$(REVISION)";
const char build_compiler[] = "$(COMPILER)";
const char build_flags[] = "$(CFLAGS)";
endef

$(OBJECT_DIR)/build_info.c: always
	$(call write_if_changed,$(build_info))

$(BUILD_INFO): $(OBJECT_DIR)/build_info.c include/build_info.h | libraries
	$(QUIET)$(CC) $(CFLAGS) $(INCLUDE) -c -o $@ $<

# Every object is built again when the compiler or its flags change.
$(OBJECT_DIR)/flags: always
	$(call write_if_changed,$(COMPILER) $(CFLAGS) $(INCLUDE))

$(NVCC_DIR)/flags: always
	$(call write_if_changed,$(NVCC) $(nvcc_flags))

define write_if_changed
$(shell mkdir -p $(@D))$(file >$@.new,$(1))@cmp -s $@.new $@ && rm $@.new || mv $@.new $@
endef

# ---- Set-up ---------------------------------------------------------------------------------------------------
missing = $(strip $(shell command -v $(CC) >/dev/null || echo $(CC); \
                  for name in $(LIBRARIES) $(TEST_LIBRARY); do pkg-config --exists $$name 2>/dev/null || echo $$name; done))

libraries:
	@$(if $(missing),echo 'Missing: $(missing). Run `make install-packages`.' >&2; exit 1,:)

install-packages:  ## installs what building and testing need (Debian, Ubuntu)
	@.setup/install_packages.sh build

# ---- Use ------------------------------------------------------------------------------------------------------
demo:  ## set-up, build, a small census and its analysis: start here
	@.setup/install_packages.sh build
	@$(MAKE) --no-print-directory $(parallel) all
	@jobs/demo.sh

check:  ## set-up, build, every test that needs no Python and no Slurm
	@.setup/install_packages.sh build
	@$(MAKE) --no-print-directory $(parallel) all tests
	@tests/run_all.sh

check-python:  ## tests against the published Python packages
	@.setup/install_packages.sh build python
	@$(MAKE) --no-print-directory $(parallel) all
	@tests/python/check_python.sh

check-slurm:  ## array job, requeue, cancel and gather on a real Slurm on this machine
	@.setup/install_packages.sh build slurm
	@$(MAKE) --no-print-directory $(parallel) all $(BUILD)/tests/meicensus_on_host
	@tests/slurm/check_slurm.sh

check-browser:  ## the atlas in a real browser (Chromium)
	@.setup/install_packages.sh build browser
	@$(MAKE) --no-print-directory $(parallel) $(BUILD)/meicensus-analyze $(BUILD)/tests/test_analysis
	@tests/browser/check_browser.sh

sanitize:  ## the module and kernel tests with address and undefined-behaviour checks
	@$(MAKE) --no-print-directory $(parallel) SANITIZE=1 all tests
	@ASAN_OPTIONS=fast_unwind_on_malloc=0 \
	    LSAN_OPTIONS=suppressions=tests/sanitizer/known_leaks.txt:print_suppressions=0:use_tls=0 \
	    tests/run_all.sh $(TESTS:build/%=build/sanitize/%)

bench: $(addprefix $(BUILD)/,meicensus tests/check_kernels tests/bench_search bench/sn_gan.yaml)  ## speed of every kernel, of a whole query and of every search method
	$(BUILD)/tests/check_kernels --bench
	@tests/bench/bench.sh

bench-readme: bench  ## the same, and its table and picture into README.md
	@tests/bench/readme.sh

# DEVICE=host: the same in small on a device that is the host, to see that the check itself works.
DEVICE ?= gpu
ON_HOST := $(if $(filter host,$(DEVICE)),MEICENSUS=$(BUILD)/tests/meicensus_on_host CHECK_KERNELS=$(BUILD)/tests/check_kernels \
             BENCH_DEVICE=$(BUILD)/tests/bench_device_on_host SUBJECT=weights/mnist_cnn.yaml GENERATOR=weights/mnist_vq_vae.yaml \
             CENSUS_GENERATOR=weights/mnist_vq_vae.yaml UNITS=2 BUDGET=60 TIMESTEPS=4 PRODUCT=64 BATCHES="1 2 4" SECONDS_EACH=0.2)

GPU_PROGRAMS := meicensus $(addprefix tests/,meicensus_without_cuda compare_censuses $(if $(ON_HOST),meicensus_on_host \
                  check_kernels bench_device_on_host,check_kernels_on_gpu bench_device)) $(if $(ON_HOST),,bench/sn_gan.yaml)

gpu-check:  ## on a machine with a GPU: all that can only be checked and measured there, into build/gpu/report.md
	@$(MAKE) --no-print-directory $(parallel) $(addprefix $(BUILD)/,$(GPU_PROGRAMS))
	@$(ON_HOST) tests/gpu/gpu_check.sh

format:  ## formats every C file
	clang-format -i $(C_FILES)

format-check:  ## fails when a C file is not formatted
	@unformatted=$$(for file in $(C_FILES); do clang-format $$file | cmp -s - $$file || echo $$file; done); \
	if [ -n "$$unformatted" ]; then echo "format-check: run make format for these:" $$unformatted; exit 1; fi; \
	echo "format-check: $(words $(C_FILES)) files, all formatted"

# cppcheck takes the address of an output argument for the use of its value; compilers and sanitizers know better.
WRONGLY_FOUND := --suppress=missingIncludeSystem --suppress=uninitvar --suppress=ctuuninitvar

lint:  ## cppcheck, a clang build, shellcheck
	cppcheck --quiet --std=c11 --error-exitcode=1 --inline-suppr --enable=warning,performance,portability \
	    $(WRONGLY_FOUND) -Iinclude -Isrc/kernels/avx512 src analysis
	cppcheck --quiet --std=c11 --error-exitcode=1 --inline-suppr --enable=warning,performance,portability \
	    $(WRONGLY_FOUND) -Iinclude -Isrc/kernels/avx2 src/kernels/vector
	@$(MAKE) --no-print-directory $(parallel) CC=clang BUILD=build/clang all tests
	shellcheck -x $(SHELL_SCRIPTS)
	@echo "lint: cppcheck, clang and shellcheck found nothing"

clean:  ## removes everything that was built
	rm -rf build

# As many compilers as cores, unless the command line chose a number.
parallel = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))

QUIET := $(if $(VERBOSE),,@)
say    = $(if $(VERBOSE),,@echo '$(1)')
