// Package startup compares what the process was given with what it needs, once, at its start.
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
	// MinOpenFiles is how many files the process must be able to hold open: one for each
	// connection, and some to spare.
	MinOpenFiles = 8192
	// MinMemory is the least memory limit, in bytes, under which the service runs well.
	MinMemory = 64 << 20
	// MinTempSpace is the least free space for temporary files, in bytes.
	MinTempSpace = 16 << 20
	// headroom is the share of the memory limit left to what the Go runtime does not count.
	headroom = 0.1
)

// Resources is what the process was given. A zero value is unknown or without limit.
type Resources struct {
	MemoryLimit uint64
	// GoMemLimit is GOMEMLIMIT in bytes; the runtime's default is no limit.
	GoMemLimit uint64
	GoMaxProcs int
	// CPUQuota is in CPUs.
	CPUQuota  float64
	OpenFiles uint64
	TempDir   string
	TempSpace uint64
	TempError error
}

// Check reads the resources, and mends what it can: the open-file limit is raised to its hard
// limit, and GOMEMLIMIT where it is not set becomes 90 % of the memory limit.
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

// tempSpace proves that the directory can be written to, and returns its free space in bytes.
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

// Shortfalls says what is less than the service needs. None of it stops the service from
// answering, so whether one ends the start is for the configuration to say.
func (r Resources) Shortfalls() []string {
	var found []string
	add := func(format string, a ...any) { found = append(found, fmt.Sprintf(format, a...)) }
	if r.MemoryLimit > 0 && r.MemoryLimit < MinMemory {
		add("the memory limit is %d bytes, less than %d", r.MemoryLimit, MinMemory)
	}
	if r.MemoryLimit > 0 && (r.GoMemLimit == 0 || r.GoMemLimit > r.MemoryLimit) {
		add("GOMEMLIMIT is above the memory limit of %d bytes: the process would be killed "+
			"before it collects garbage harder", r.MemoryLimit)
	}
	// The runtime itself never chooses less than 2, nor less than the quota rounded up.
	if r.CPUQuota > 0 && float64(r.GoMaxProcs) > max(2, math.Ceil(r.CPUQuota)) {
		add("GOMAXPROCS is %d with a quota of %.2g CPUs: the process would be throttled",
			r.GoMaxProcs, r.CPUQuota)
	}
	if r.OpenFiles > 0 && r.OpenFiles < MinOpenFiles {
		add("the open-file limit is %d, less than %d", r.OpenFiles, MinOpenFiles)
	}
	if r.TempError != nil {
		add("temporary files cannot be written: %v", r.TempError)
	} else if r.TempSpace > 0 && r.TempSpace < MinTempSpace {
		add("%s has %d bytes free, less than %d", r.TempDir, r.TempSpace, MinTempSpace)
	}
	return found
}

// Log writes the resources as one line.
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
		log.Warn("start-up check", append(attrs, "shortfalls", shortfalls)...)
		return
	}
	log.Info("start-up check", attrs...)
}
