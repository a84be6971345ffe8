#!/bin/bash
# The first process of a box, in its own mount, pid, network and cgroup namespaces.
# Arguments: the cluster's folder, then MOUNT=OPTIONS of every cgroup hierarchy (no options: cgroup v2).
set -e
folder=$1
shift
mount --make-rprivate /
# Programs keep their default paths, and yet every file lies in the cluster's folder. /var/lib is laid over, so
# that kubelet and CNI need no folders of theirs on the host.
mkdir -p "$folder"/m/{run,log,lib,lib.work}
mount --bind "$folder/m/run" /run
mount --bind "$folder/m/log" /var/log
mount -t overlay -o "lowerdir=/var/lib,upperdir=$folder/m/lib,workdir=$folder/m/lib.work" overlay /var/lib
# The same hierarchies again, now rooted at the box's own cgroup.
for hierarchy in "$@"; do
  target=${hierarchy%%=*} options=${hierarchy#*=}
  umount "$target"
  if [ -n "$options" ]; then
    mount -t cgroup -o "$options" none "$target"
  else
    mount -t cgroup2 none "$target"
    echo $$ > "$target/system/cgroup.procs"
  fi
done
# A hybrid's second tree would show the host's cgroups.
umount /sys/fs/cgroup/unified 2>/dev/null || true
ip link set lo up
echo 1 > /proc/sys/net/ipv4/ip_forward
touch "$folder/box.ready"
# bash reaps the orphans of the box (containers' shims).
trap 'exit 0' TERM
while :; do
  sleep 86400 &
  wait $! || true
done
