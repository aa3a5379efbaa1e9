// Package startup checks the resources of the process when it starts.
package startup

import (
	"fmt"
	"log/slog"
	"math"
	"os"
	"runtime"
	"runtime/debug"
)

const (
	// MinOpenFiles is the minimum open-file limit. Each connection is one open file.
	MinOpenFiles = 8192
	// MinMemory is the minimum memory limit, in bytes.
	MinMemory = 64 << 20
	// MinTempSpace is the minimum free space for temporary files, in bytes.
	MinTempSpace = 16 << 20
	// headroom is the fraction of the memory limit for memory that the Go runtime does not manage.
	headroom = 0.1
)

// Resources are the resources of the process. Zero values are unknown or unlimited.
type Resources struct {
	MemoryLimit uint64
	// GoMemLimit is the memory limit of the Go runtime, in bytes.
	GoMemLimit uint64
	GoMaxProcs int
	// CPUQuota is a number of CPUs.
	CPUQuota  float64
	OpenFiles uint64
	TempDir   string
	TempSpace uint64
	TempError error
}

// Check returns the resources. It raises the open-file limit to the hard limit and, unless GOMEMLIMIT
// is set, sets the memory limit of the Go runtime to 90 % of that of the cgroup.
func Check() Resources {
	limits := readCgroup("/")
	r := Resources{
		MemoryLimit: limits.memory,
		CPUQuota:    limits.cpus,
		GoMaxProcs:  runtime.GOMAXPROCS(0),
		OpenFiles:   raiseOpenFiles(),
		TempDir:     os.TempDir(),
	}
	if os.Getenv("GOMEMLIMIT") == "" && r.MemoryLimit > 0 {
		debug.SetMemoryLimit(int64(float64(r.MemoryLimit) * (1 - headroom)))
	}
	if limit := debug.SetMemoryLimit(-1); limit != math.MaxInt64 {
		r.GoMemLimit = uint64(limit)
	}
	r.TempSpace, r.TempError = tempSpace(r.TempDir)
	return r
}

// tempSpace returns the free space of a directory in bytes, or an error if it is not writable.
func tempSpace(dir string) (uint64, error) {
	file, err := os.CreateTemp(dir, "beacon-*")
	if err != nil {
		return 0, err
	}
	if err := file.Close(); err != nil {
		return 0, err
	}
	if err := os.Remove(file.Name()); err != nil {
		return 0, err
	}
	return freeSpace(dir)
}

// Shortfalls returns a description of each resource that is below its minimum.
func (r Resources) Shortfalls() []string {
	var found []string
	add := func(format string, a ...any) { found = append(found, fmt.Sprintf(format, a...)) }
	if r.MemoryLimit > 0 && r.MemoryLimit < MinMemory {
		add("the memory limit is %d bytes, less than %d", r.MemoryLimit, MinMemory)
	}
	if r.MemoryLimit > 0 && (r.GoMemLimit == 0 || r.GoMemLimit > r.MemoryLimit) {
		add("GOMEMLIMIT is above the memory limit of %d bytes: the process would be killed "+
			"before garbage collection becomes more frequent", r.MemoryLimit)
	}
	// The runtime's own default is the quota rounded up, at least 2.
	if r.CPUQuota > 0 && float64(r.GoMaxProcs) > max(2, math.Ceil(r.CPUQuota)) {
		add("GOMAXPROCS is %d with a quota of %.2g CPUs: the process would be throttled",
			r.GoMaxProcs, r.CPUQuota)
	}
	if r.OpenFiles > 0 && r.OpenFiles < MinOpenFiles {
		add("the open-file limit is %d, less than %d", r.OpenFiles, MinOpenFiles)
	}
	if r.TempError != nil {
		add("cannot write temporary files: %v", r.TempError)
	} else if r.TempSpace > 0 && r.TempSpace < MinTempSpace {
		add("%s has %d bytes free, less than %d", r.TempDir, r.TempSpace, MinTempSpace)
	}
	return found
}

// Log logs the resources in one line.
func (r Resources) Log(log *slog.Logger, shortfalls []string) {
	attrs := []any{
		"memory_limit_bytes", r.MemoryLimit,
		"gomemlimit_bytes", r.GoMemLimit,
		"gomaxprocs", r.GoMaxProcs,
		"cpu_quota", r.CPUQuota,
		"open_files", r.OpenFiles,
		"temp_dir", r.TempDir,
		"temp_free_bytes", r.TempSpace,
		"ok", len(shortfalls) == 0,
	}
	if len(shortfalls) > 0 {
		log.Warn("startup check", append(attrs, "shortfalls", shortfalls)...)
		return
	}
	log.Info("startup check", attrs...)
}
