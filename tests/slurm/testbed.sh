#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A throw-away Slurm cluster on this machine, for tests.
#
#   testbed.sh start DIR     writes DIR/slurm.conf, starts munged, slurmctld and one slurmd a node
#   testbed.sh stop DIR      cancels all jobs, ends every process of this testbed
#   testbed.sh status DIR    shows daemons, nodes and jobs; status 0 only if all is up
#
# After `start`:   export SLURM_CONF=DIR/slurm.conf   and use sbatch, squeue and the others as usual.
#
# Everything lives below DIR; nothing in /etc, /var or /run changes. Needs neither systemd nor cgroups. Run by
# root there are nodes n1, n2 and n3, each with a host name of its own, as on a real cluster; mpirun would take
# a node whose name is not its host's for a remote one. Without that right there is one node, the host.
set -u
PATH=$PATH:/usr/sbin:/sbin

cpus_per_node=4     # more than the machine may have
wait_s=30           # for the daemons to come up

die() { echo "testbed: $*" >&2; exit 1; }

# ---- Processes ------------------------------------------------------------------------------------------------

# start_time PID   when the process began, in clock ticks; fails if it is gone or a zombie. With its start time
# a process is known for certain: its number may belong to another one by now.
start_time() {
    local fields
    fields=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    read -r -a fields <<<"${fields##*) }"
    [ "${fields[0]}" != Z ] && echo "${fields[19]}"
}

# launch NAME COMMAND...   starts a daemon in a session of its own and notes its number
launch() {
    local name=$1
    shift
    setsid "$@" </dev/null >>"$dir/log/$name.out" 2>&1 &
    echo "$! $(start_time $!)" >"$dir/run/$name.pid"
    disown $!
}

daemons() {
    local file
    for file in "$dir"/run/*.pid; do
        [ ! -e "$file" ] || basename "$file" .pid
    done
}

is_alive() {
    local pid start
    read -r pid start 2>/dev/null <"$dir/run/$1.pid" && [ -n "$start" ] && [ "$(start_time "$pid")" = "$start" ]
}

is_gone() { ! is_alive "$1"; }

# wait_for SECONDS COMMAND...   until the command succeeds; fails when the time is over
wait_for() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.1
    done
}

# settled COMMAND...   true if the command is, or if a daemon has died and waiting is of no use
settled() {
    local name
    "$@" && return
    for name in $(daemons); do
        is_alive "$name" || return 0
    done
    return 1
}

# What jobs have started: their environment names our configuration and a node; and the job steps themselves,
# which have a log file of this testbed open.
job_pids() {
    local process pid
    for process in /proc/[0-9]*; do
        pid=${process#/proc/}
        case $(tr '\0' ' ' 2>/dev/null <"$process/cmdline") in
        *slurmstepd*)
            [ -z "$(find "$process/fd" -lname "$dir/*" 2>/dev/null)" ] || echo "$pid" ;;
        *)
            tr '\0' '\n' 2>/dev/null <"$process/environ" | awk -v configuration="SLURM_CONF=$dir/daemons.conf" '
                $0 == configuration { ours = 1 }
                /^SLURMD_NODENAME=/ { in_job = 1 }
                END { exit !(ours && in_job) }' && echo "$pid" ;;
        esac
    done
}

no_job_pids()  { [ -z "$(job_pids)" ]; }
no_jobs()      { [ -z "$(squeue --noheader 2>/dev/null)" ]; }
is_answering() { scontrol ping 2>/dev/null | grep -q 'is UP'; }

nodes_are_up() {
    local states
    states=$(sinfo --noheader --Node --format=%T 2>/dev/null)
    [ -n "$states" ] && ! grep -qvE '^(idle|mixed|allocated|completing)$' <<<"$states"
}

# ---- Configuration --------------------------------------------------------------------------------------------

port_is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# free_ports N   the first of N consecutive free ports, below those that the system hands out itself
free_ports() {
    local base port
    for _ in {1..50}; do
        base=$((20000 + RANDOM % 10000))
        for ((port = base; port < base + $1; port++)); do
            port_is_free $port || continue 2
        done
        echo $base
        return
    done
    return 1
}

# configuration NODES PORT   what slurmctld, the slurmds and the commands inside jobs read
configuration() {
    local nodes=$1 port=$2 names controller listen ports
    if [ "$own_names" = yes ]; then
        names="n[1-$nodes]" controller=ctl ports="[$((port + 1))-$((port + nodes))]"
        # Every name is 127.0.0.1: the daemons listen there only.
        listen=CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
    else
        names=$(hostname -s) controller=$names ports=$((port + 1)) listen=''
    fi
    cat <<END
ClusterName=testbed
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
SlurmctldHost=$controller(127.0.0.1)
SlurmctldPort=$port
$listen

# A munge daemon of our own. A requeued job starts again only after its old credential has expired.
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=$dir/run/munge.socket,cred_expire=5

# No cgroups, no accounting.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SwitchType=switch/none
MpiDefault=none

# More CPUs than the machine has.
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU

# Quick decisions.
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=2,sched_min_interval=0,bf_interval=2
KillWait=2
UnkillableStepTimeout=10
MinJobAge=3600
InactiveLimit=0
SlurmctldTimeout=30
SlurmdTimeout=60
ReturnToService=2

JobRequeue=1
MaxArraySize=64
EnforcePartLimits=ALL

# A scratch folder for each node: the PMIx plugin names its files there after the job step only, and two nodes
# of one machine would collide.
TmpFS=$dir/tmp/%n
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool/%n
SlurmctldPidFile=$dir/run/slurmctld.self
SlurmdPidFile=$dir/run/slurmd.%n.self
SlurmctldLogFile=$dir/log/slurmctld.log
SlurmdLogFile=$dir/log/slurmd.%n.log
SlurmctldDebug=info
SlurmdDebug=info
JobCompType=jobcomp/filetxt
JobCompLoc=$dir/log/jobcomp.log
MailProg=/bin/true

GresTypes=gpu
NodeName=$names NodeAddr=127.0.0.1 Port=$ports CPUs=$cpus_per_node Gres=gpu:2 State=UNKNOWN
PartitionName=test Nodes=ALL Default=YES MaxTime=INFINITE DefaultTime=10
END
}

# write_files NODES PORT
write_files() {
    local i
    configuration "$1" "$2" >"$dir/daemons.conf"
    # The commands are told of a short MinJobAge: sbatch --wait then looks every 2 s instead of up to 32 s.
    sed 's/^MinJobAge=.*/MinJobAge=4/; /^CommunicationParameters=/d' "$dir/daemons.conf" >"$dir/slurm.conf"
    printf 'Name=gpu File=%s\n' /dev/null /dev/zero >"$dir/gres.conf" # GPUs in name only
    # Names that the daemons and their jobs see.
    {
        cat /etc/hosts
        echo "127.0.0.1 ctl"
        for ((i = 1; i <= $1; i++)); do
            echo "127.0.0.1 n$i"
        done
    } >"$dir/hosts"
    (umask 077 && head -c 128 /dev/urandom >"$dir/munge.key")
}

# ---- Commands -------------------------------------------------------------------------------------------------

check_machine() {
    local name
    for name in munged slurmctld slurmd sbatch scontrol; do
        command -v $name >/dev/null || die "$name not found: .setup/install_packages.sh slurm"
    done
    [ ${#dir} -le 70 ] || die "DIR has ${#dir} letters; at most 70, for the paths of sockets: $dir"
    [[ $dir =~ ^[A-Za-z0-9/._+-]+$ ]] || die "only letters, digits and /._+- in DIR: $dir"
    for name in $(daemons); do
        is_gone "$name" || die "already running in $dir"
    done
    # Slurm's look-up of names finds nothing on a machine whose only address is 127.0.0.1.
    getent ahostsv4 localhost >/dev/null ||
        die "Slurm needs one more IPv4 address than 127.0.0.1, e.g.: ip addr add 127.0.0.2/8 dev lo"
}

# launch_as HOST NAME COMMAND...   launches a daemon under a host name of its own, if we may give it one
launch_as() {
    local host=$1 name=$2
    shift 2
    [ "$own_names" = yes ] || { launch "$name" "$@"; return; }
    # shellcheck disable=SC2016  # expanded by the inner shell
    launch "$name" unshare --uts --mount --propagation slave \
        sh -c 'hostname "$1" && mount --bind "$2" /etc/hosts && shift 2 && exec "$@"' sh "$host" "$dir/hosts" "$@"
}

fail_start() {
    echo "testbed: $1 does not come up; last lines of the logs:" >&2
    tail -n 5 "$dir"/log/* >&2
    stop
    exit 1
}

start() {
    local nodes=(n1 n2 n3) node port own_names=yes
    check_machine
    if ! unshare --uts --mount true 2>/dev/null; then
        own_names=no
        nodes=("$(hostname -s)")
    fi
    mkdir -p "$dir"/{run,log,state,spool,tmp}
    rm -rf "$dir"/{run,log,state,spool,tmp}/*
    chmod 755 "$dir" "$dir"/{run,log,state,spool,tmp}
    port=$(free_ports $((${#nodes[@]} + 1))) || die "no free ports"
    write_files ${#nodes[@]} "$port"
    trap 'stop; exit 130' INT TERM

    launch munged munged -F --key-file="$dir/munge.key" --socket="$dir/run/munge.socket" \
        --pid-file="$dir/run/munged.self" --log-file="$dir/log/munged.log" --seed-file="$dir/state/munge.seed"
    wait_for "$wait_s" settled test -S "$dir/run/munge.socket"
    [ -S "$dir/run/munge.socket" ] || fail_start munged

    launch_as ctl slurmctld slurmctld -D -c -i -f "$dir/daemons.conf"
    for node in "${nodes[@]}"; do
        mkdir -p "$dir/spool/$node" "$dir/tmp/$node"
        launch_as "$node" "slurmd.$node" slurmd -D -N "$node" -f "$dir/daemons.conf"
    done
    wait_for "$wait_s" settled nodes_are_up
    nodes_are_up || fail_start "slurmctld or a slurmd"
    echo "testbed: ${#nodes[@]} nodes up; export SLURM_CONF=$dir/slurm.conf"
}

# end_daemon NAME   politely, then by force
end_daemon() {
    local pid
    is_alive "$1" || return
    read -r pid _ <"$dir/run/$1.pid"
    kill -TERM "$pid"
    wait_for 10 is_gone "$1" || { echo "testbed: $1 did not end, killed" >&2; kill -KILL "$pid"; }
}

stop() {
    local name left
    if is_alive slurmctld && is_answering; then
        scontrol update partition=test state=down
        squeue --noheader --format=%A 2>/dev/null | sort -u | xargs -r scancel 2>/dev/null
        wait_for 10 no_jobs || echo "testbed: jobs still listed after 10 s" >&2
    fi
    # The nodes first, munged last: the others need it to the end.
    for name in $(daemons | grep '^slurmd\.') slurmctld munged; do
        end_daemon "$name"
    done
    mapfile -t left < <(job_pids)
    if [ ${#left[@]} -gt 0 ]; then
        echo "testbed: ending what jobs left behind: ${left[*]}" >&2
        kill -TERM "${left[@]}" 2>/dev/null
        wait_for 3 no_job_pids || job_pids | xargs -r kill -KILL 2>/dev/null
    fi
    rm -rf "$dir"/run/*
}

status() {
    local name all_up=yes
    for name in $(daemons); do
        if is_alive "$name"; then
            echo "$name up"
        else
            echo "$name DOWN"
            all_up=no
        fi
    done
    is_alive slurmctld || { echo "testbed: not running in $dir"; return 1; }
    sinfo --Node --format='%N %P %T %c %E'
    squeue --format='%i %P %j %T %M %l %R'
    nodes_are_up && [ $all_up = yes ]
}

if [ $# -ne 2 ] || [[ ! $1 =~ ^(start|stop|status)$ ]]; then
    sed -n '3,14s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
[ "$1" != start ] || mkdir -p "$2" || exit 1
[ -d "$2" ] || { echo "testbed: no folder $2"; [ "$1" = stop ]; exit; }
dir=$(cd "$2" && pwd -P) || exit 1
export SLURM_CONF=$dir/slurm.conf
"$1"
