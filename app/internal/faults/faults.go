// Package faults makes the service misbehave on purpose, for drills.
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

// ExitCode is what the process ends with when it crashes on purpose.
const ExitCode = 3

// Where the set in force comes from.
const (
	FromConfig = "config"
	FromAPI    = "api"
)

// An Injector holds the faults in force: those of the configuration, or those set over them
// through the API until they are cleared.
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

// New returns an injector that injects nothing yet. Exit ends the process.
func New(log *slog.Logger, m *metrics.Metrics, exit func(code int)) *Injector {
	none := config.DefaultFaultSet()
	i := &Injector{log: log, metrics: m, exit: exit, configured: none, stop: func() {}}
	i.active.Store(&none)
	return i
}

// Configure takes the faults of the configuration. Where they are not enabled all faults end,
// those set through the API too.
func (i *Injector) Configure(f config.Faults) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.configured = f.Set
	if !f.Enabled {
		i.configured, i.override = config.DefaultFaultSet(), nil
	}
	i.apply()
}

// Override puts a set in force whatever the configuration says, until Clear.
func (i *Injector) Override(set config.FaultSet) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.override = &set
	i.apply()
}

// Clear returns to the faults of the configuration.
func (i *Injector) Clear() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.override = nil
	i.apply()
}

// State returns the set in force and where it comes from.
func (i *Injector) State() (config.FaultSet, string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.override != nil {
		return *i.override, FromAPI
	}
	return i.configured, FromConfig
}

// NotReady reports whether the service is to say that it is not ready.
func (i *Injector) NotReady() bool { return i.active.Load().NotReady }

// apply puts the set in force. The caller holds the lock.
func (i *Injector) apply() {
	set, source := i.configured, FromConfig
	if i.override != nil {
		set, source = *i.override, FromAPI
	}
	if set == *i.active.Load() {
		return
	}
	i.stop()
	ctx, stop := context.WithCancel(context.Background())
	i.stop = stop
	i.active.Store(&set)
	i.log.Warn("faults switched", "source", source, "on", set != config.DefaultFaultSet(),
		"faults", config.FaultValues(set))
	if set.CPUBurn > 0 {
		for range runtime.GOMAXPROCS(0) {
			go burn(ctx, set.CPUBurn)
		}
	}
	if set.CrashAfter > 0 {
		go i.crash(ctx, set.CrashAfter)
	}
}

// burn keeps one CPU busy for a share of the time.
func burn(ctx context.Context, share float64) {
	const period = 50 * time.Millisecond
	busy := time.Duration(share * float64(period))
	for ctx.Err() == nil {
		for end := time.Now().Add(busy); time.Now().Before(end) && ctx.Err() == nil; {
			continue
		}
		sleep(ctx, period-busy)
	}
}

func (i *Injector) crash(ctx context.Context, after time.Duration) {
	if sleep(ctx, after) {
		i.log.Error("crashing on purpose", "exit_code", ExitCode)
		i.exit(ExitCode)
	}
}

// Wrap injects latency and errors before a handler. Fail answers a request with an error.
func (i *Injector) Wrap(
	next http.Handler, fail func(w http.ResponseWriter, r *http.Request, status int),
) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		set := i.active.Load()
		if set.Latency > 0 {
			i.metrics.FaultsInjected.WithLabelValues("latency").Inc()
			if !sleep(r.Context(), around(set.Latency, set.LatencyJitter)) {
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

// around returns a duration evenly spread over centre ± jitter.
func around(centre, jitter time.Duration) time.Duration {
	return centre - jitter + rand.N(2*jitter+1)
}

// sleep reports whether the time passed before the context ended.
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
