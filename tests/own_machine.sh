#!/usr/bin/env bash
# COMMAND ARGUMENTS…, run as root on a machine of its own: network, mounts and processes in
# namespaces, as tests/machine.py has them. pytest-xdist starts its workers with it, so that each
# worker has the one Mininet, the machine's Open vSwitch and every port for itself.
#
# OUTSIDE_NETWORK, in the environment, is the file of the network that it was started in. Whatever
# was started in it ends with it. Files elsewhere, /tmp among them, are shared.
set -euo pipefail

own=(/etc/openvswitch /etc/prewire /var/lib/openvswitch /var/lib/prewire /var/log/openvswitch
  /run/openvswitch /run/netns /run/prewire)
made=()
declare -A held # file descriptors: who has a folder mounted on holds a lock on it

exec {outside}</proc/self/ns/net
export OUTSIDE_NETWORK="/proc/1/fd/$outside"

exec {turn}</run # folders neither come nor go while another machine begins: tests/machine.py
flock "$turn"
for each in "${own[@]}"; do
  [[ -d $each || $each == /run/netns ]] || made+=("$each")
  mkdir -p "$each"
  exec {held[$each]}<"$each"
  flock --shared "${held[$each]}"
done
flock --unlock "$turn"

# The inner shell stays as the first process: it collects whom others leave behind.
# shellcheck disable=SC2016
setpriv --pdeathsig KILL unshare --net --mount --pid --fork --mount-proc --kill-child \
  --propagation=private bash -c '
    of=$1
    shift
    set -e
    for each in $of; do mount -t tmpfs own "$each"; done
    mkdir /run/prewire/groups
    mount --rbind /sys/fs/cgroup /run/prewire/groups
    mount -t sysfs own /sys # shows its own network
    mount --rbind /run/prewire/groups /sys/fs/cgroup
    umount -l /run/prewire/groups
    rmdir /run/prewire/groups
    ip link set lo up
    set +e
    "$@"
    exit $?
  ' machine "${own[*]}" "$@" && code=0 || code=$?

# What was made to mount on goes again, unless somebody still has it or put something into it.
for each in "${made[@]}"; do
  flock --exclusive --timeout 3 "${held[$each]}" || continue
  rmdir "$each" 2>/dev/null || true
done
exit "$code"
