#!/bin/bash
# Starts systemd as the init of a machine of its own: an overlay of this machine's root file system, with
# its own processes, network and cgroups. Its process is a child of this script's `unshare`.
#
#   systemd_host.sh FOLDER SHARED NAME    FOLDER has the overlay; SHARED is mounted at /srv/slipway
set -eu
folder=$1 shared=$2 name=$3
controllers="cpu cpuacct cpuset memory pids devices freezer blkio"

if [ "${4:-}" != inside ]; then
	for hierarchy in $controllers systemd unified; do
		own=/sys/fs/cgroup/$hierarchy/$name
		mkdir -p "$own"
		if [ "$hierarchy" = cpuset ]; then
			cat /sys/fs/cgroup/cpuset/cpuset.cpus >"$own/cpuset.cpus"
			cat /sys/fs/cgroup/cpuset/cpuset.mems >"$own/cpuset.mems"
		fi
		echo $$ >"$own/cgroup.procs"
	done
	exec unshare --mount --pid --uts --ipc --net --cgroup --fork --kill-child bash "$0" "$folder" "$shared" "$name" inside
fi

root=$folder/root
mount --make-rprivate /
mount -t overlay overlay -o "lowerdir=/,upperdir=$folder/upper,workdir=$folder/work" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t tmpfs -o mode=755 tmpfs "$root/sys/fs/cgroup"
for controller in $controllers; do
	mkdir "$root/sys/fs/cgroup/$controller"
	mount -t cgroup -o "$controller" cgroup "$root/sys/fs/cgroup/$controller"
done
mkdir "$root/sys/fs/cgroup/systemd" "$root/sys/fs/cgroup/unified"
mount -t cgroup -o none,name=systemd cgroup "$root/sys/fs/cgroup/systemd"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup/unified"
for directory in run dev; do mount -t tmpfs -o mode=755 tmpfs "$root/$directory"; done
mkdir -p "$root/srv/slipway" "$root/var/lib/docker" "$root/dev/pts" "$root/dev/shm" "$root/run/lock"
mount --bind "$shared" "$root/srv/slipway"
# Docker cannot use an overlay on an overlay.
mount --bind "$folder/docker" "$root/var/lib/docker"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
# The kubelet reads kmsg.
for device in null zero full random urandom tty kmsg; do
	touch "$root/dev/$device"
	mount --bind "/dev/$device" "$root/dev/$device"
done
mount -t devpts -o newinstance,ptmxmode=666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"

# Only what the test needs: no login, no clock, no devices.
units=$root/etc/systemd/system
for unit in systemd-udevd.service systemd-udev-trigger.service systemd-timesyncd.service dev-hugepages.mount \
	sys-kernel-debug.mount sys-kernel-tracing.mount systemd-remount-fs.service; do
	ln -sf /dev/null "$units/$unit"
done
rm -f "$root/etc/fstab"
: >"$root/etc/machine-id"
hostname "$name"

cd "$root"
mkdir -p .old
pivot_root . .old
umount -l /.old
# systemd mounts the credentials of a unit in a namespace, from which they propagate.
mount --make-rshared /
exec env -i container=slipway PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
	/lib/systemd/systemd --unit=basic.target --show-status=0
