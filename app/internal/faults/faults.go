// Package faults injects errors, latency, CPU load, a memory leak and crashes, for drills.
package faults

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"beacon/internal/config"
	"beacon/internal/metrics"
)

// ExitCode is the exit code of an injected crash.
const ExitCode = 3

// Sources of the active faults.
const (
	FromConfig = "config"
	FromAPI    = "api"
)

// An Injector injects the faults of the configuration, or those of the API, which take precedence.
type Injector struct {
	log     *slog.Logger
	metrics *metrics.Metrics
	exit    func(code int)

	active atomic.Pointer[config.FaultSet]

	mu         sync.Mutex
	configured config.FaultSet
	override   *config.FaultSet
	stop       context.CancelFunc
}

// New returns an injector without faults. An injected crash calls exit.
func New(log *slog.Logger, m *metrics.Metrics, exit func(code int)) *Injector {
	none := config.DefaultFaultSet()
	i := &Injector{log: log, metrics: m, exit: exit, configured: none, stop: func() {}}
	i.active.Store(&none)
	return i
}

// Configure sets the faults of the configuration. If fault injection is disabled, it also clears the
// faults of the API.
func (i *Injector) Configure(f config.Faults) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.configured = f.Set
	if !f.Enabled {
		i.configured, i.override = config.DefaultFaultSet(), nil
	}
	i.apply()
}

// Override sets the faults of the API. They replace those of the configuration until Clear.
func (i *Injector) Override(set config.FaultSet) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.override = &set
	i.apply()
}

// Clear removes the faults of the API.
func (i *Injector) Clear() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.override = nil
	i.apply()
}

// State returns the active faults and their source.
func (i *Injector) State() (config.FaultSet, string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.state()
}

// state is State for a caller that holds the lock.
func (i *Injector) state() (config.FaultSet, string) {
	if i.override != nil {
		return *i.override, FromAPI
	}
	return i.configured, FromConfig
}

// NotReady reports whether the readiness probe must fail.
func (i *Injector) NotReady() bool { return i.active.Load().NotReady }

// apply activates the current faults. The caller must hold the lock.
func (i *Injector) apply() {
	set, source := i.state()
	if set == *i.active.Load() {
		return
	}
	i.stop()
	ctx, stop := context.WithCancel(context.Background())
	i.stop = stop
	i.active.Store(&set)
	i.log.Warn("fault injection changed", "source", source, "on", set != config.DefaultFaultSet(),
		"faults", config.FaultValues(set))
	if set.CPUBurn > 0 {
		for range runtime.GOMAXPROCS(0) {
			go burn(ctx, set.CPUBurn)
		}
	}
	if set.MemoryLeak > 0 {
		go leak(ctx, set.MemoryLeak)
	}
	if set.CrashAfter > 0 {
		go i.crash(ctx, set.CrashAfter)
	}
}

// burn uses the given fraction of one CPU.
func burn(ctx context.Context, fraction float64) {
	const period = 50 * time.Millisecond
	busy := time.Duration(fraction * float64(period))
	for ctx.Err() == nil {
		for end := time.Now().Add(busy); time.Now().Before(end) && ctx.Err() == nil; {
			continue
		}
		sleep(ctx, period-busy)
	}
}

// leak allocates the given number of bytes per second and keeps them until the context ends.
func leak(ctx context.Context, bytesPerSecond int) {
	const perSecond = 10
	var kept [][]byte
	for sleep(ctx, time.Second/perSecond) {
		block := make([]byte, bytesPerSecond/perSecond)
		for at := range block {
			block[at] = 1 // the kernel counts a page when it is written
		}
		kept = append(kept, block)
	}
	runtime.KeepAlive(kept)
}

func (i *Injector) crash(ctx context.Context, after time.Duration) {
	if sleep(ctx, after) {
		i.log.Error("injected crash", "exit_code", ExitCode)
		i.exit(ExitCode)
	}
}

// Wrap injects latency and errors into requests to next. It calls fail to respond with an error.
func (i *Injector) Wrap(
	next http.Handler, fail func(w http.ResponseWriter, r *http.Request, status int),
) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		set := i.active.Load()
		if set.Latency > 0 {
			i.metrics.FaultsInjected.WithLabelValues("latency").Inc()
			if !sleep(r.Context(), jittered(set.Latency, set.LatencyJitter)) {
				panic(http.ErrAbortHandler)
			}
		}
		if set.ErrorRate > 0 && rand.Float64() < set.ErrorRate {
			i.metrics.FaultsInjected.WithLabelValues("error").Inc()
			fail(w, r, set.ErrorStatus)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// jittered returns a uniformly distributed duration of base ± jitter.
func jittered(base, jitter time.Duration) time.Duration {
	return base - jitter + rand.N(2*jitter+1)
}

// sleep returns false if the context ends before the duration has passed.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
