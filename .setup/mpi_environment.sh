# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# Settings for mpirun on this machine; read it into a shell:   . .setup/mpi_environment.sh
# What is set already is kept.

# Containers often have no user but root.
if [ "$(id -u)" = 0 ]; then
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
fi

# More ranks than cores are welcome: the first rank mostly sleeps, and a waiting rank gives its core away.
# Ranks are not bound to cores: several mpirun on one machine would all take the first ones.
export OMPI_MCA_rmaps_base_oversubscribe="${OMPI_MCA_rmaps_base_oversubscribe:-1}"
export OMPI_MCA_mpi_yield_when_idle="${OMPI_MCA_mpi_yield_when_idle:-1}"
export OMPI_MCA_hwloc_base_binding_policy="${OMPI_MCA_hwloc_base_binding_policy:-none}"

# Without a network Open MPI finds no interface by itself.
if [ "$(ls /sys/class/net 2>/dev/null)" = lo ]; then
    export OMPI_MCA_oob_tcp_if_include="${OMPI_MCA_oob_tcp_if_include:-lo}"
    export OMPI_MCA_btl_tcp_if_include="${OMPI_MCA_btl_tcp_if_include:-lo}"
fi

# Open MPI makes sockets below TMPDIR, whose paths may have 107 bytes.
if [ "$(printf %s "${TMPDIR:-}" | wc -c)" -gt 40 ]; then
    export TMPDIR=/tmp
fi

# One thread a rank. OpenBLAS takes some processors with AVX-512 for older ones, at half their speed.
export OPENBLAS_NUM_THREADS=1
if [ -z "${OPENBLAS_CORETYPE:-}" ] && grep -q -w avx512vl /proc/cpuinfo 2>/dev/null; then
    export OPENBLAS_CORETYPE=SkylakeX
fi
