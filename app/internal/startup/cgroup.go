package startup

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// unlimited is a lower bound of the value that cgroup v1 reports without a memory limit, which is the
// largest multiple of the page size.
const unlimited = 1 << 62

// cgroupLimits are the limits of the process's cgroup. 0 is no limit.
type cgroupLimits struct {
	memory uint64
	cpus   float64
}

// readCgroup returns the limits of cgroup v1 or v2, below a root of the file system. They are the
// lowest of the cgroup and its ancestors.
func readCgroup(root string) cgroupLimits {
	var limits cgroupLimits
	base := filepath.Join(root, "sys/fs/cgroup")
	for _, line := range strings.Split(read(filepath.Join(root, "proc/self/cgroup")), "\n") {
		// hierarchy-ID:controller-list:cgroup-path
		fields := strings.SplitN(line, ":", 3)
		if len(fields) != 3 {
			continue
		}
		if fields[1] == "" {
			limits.lower(base, fields[2], readVersion2)
		}
		for _, controller := range strings.Split(fields[1], ",") {
			if controller == "memory" || controller == "cpu" {
				limits.lower(filepath.Join(base, controller), fields[2], readVersion1)
			}
		}
	}
	return limits
}

// lower applies the limits of a cgroup and its ancestors. In a container the mount is often the cgroup
// itself, and the path below it does not exist.
func (l *cgroupLimits) lower(mount, path string, read func(dir string) cgroupLimits) {
	for {
		found := read(filepath.Join(mount, path))
		if found.memory > 0 && (l.memory == 0 || found.memory < l.memory) {
			l.memory = found.memory
		}
		if found.cpus > 0 && (l.cpus == 0 || found.cpus < l.cpus) {
			l.cpus = found.cpus
		}
		if path == "/" || path == "." || path == "" {
			return
		}
		path = filepath.Dir(path)
	}
}

func readVersion2(dir string) cgroupLimits {
	var limits cgroupLimits
	limits.memory, _ = strconv.ParseUint(read(filepath.Join(dir, "memory.max")), 10, 64)
	quota, period, _ := strings.Cut(read(filepath.Join(dir, "cpu.max")), " ")
	limits.cpus = ratio(quota, period)
	return limits
}

func readVersion1(dir string) cgroupLimits {
	var limits cgroupLimits
	limits.memory, _ = strconv.ParseUint(read(filepath.Join(dir, "memory.limit_in_bytes")), 10, 64)
	if limits.memory > unlimited {
		limits.memory = 0
	}
	limits.cpus = ratio(read(filepath.Join(dir, "cpu.cfs_quota_us")),
		read(filepath.Join(dir, "cpu.cfs_period_us")))
	return limits
}

// ratio returns 0 if there is no quota: "max" in v2, -1 in v1.
func ratio(quota, period string) float64 {
	q, errQ := strconv.ParseFloat(quota, 64)
	p, errP := strconv.ParseFloat(period, 64)
	if errQ != nil || errP != nil || q <= 0 || p <= 0 {
		return 0
	}
	return q / p
}

func read(path string) string {
	data, _ := os.ReadFile(path)
	return strings.TrimSpace(string(data))
}
