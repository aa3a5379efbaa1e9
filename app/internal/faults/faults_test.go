package faults

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"beacon/internal/config"
	"beacon/internal/metrics"
)

func newInjector(out *bytes.Buffer, exit func(int)) *Injector {
	return New(slog.New(slog.NewJSONHandler(out, nil)), metrics.New(), exit)
}

// statusOf returns the status of a request through the injector to a handler that returns 204.
func statusOf(i *Injector) int {
	next := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	fail := func(w http.ResponseWriter, _ *http.Request, status int) { w.WriteHeader(status) }
	response := httptest.NewRecorder()
	i.Wrap(next, fail).ServeHTTP(response, httptest.NewRequest(http.MethodGet, "/", nil))
	return response.Code
}

func TestTheDefaultsInjectNoFaults(t *testing.T) {
	var out bytes.Buffer
	i := newInjector(&out, nil)
	i.Configure(config.Default().Faults)
	if statusOf(i) != http.StatusNoContent || i.NotReady() || out.Len() > 0 {
		t.Errorf("status %d, log %s", statusOf(i), &out)
	}
}

func TestDisabledFaultsAreNotInjected(t *testing.T) {
	i := newInjector(new(bytes.Buffer), nil)
	i.Configure(config.Faults{Set: config.FaultSet{ErrorRate: 1, ErrorStatus: 503, NotReady: true}})
	if statusOf(i) != http.StatusNoContent || i.NotReady() {
		t.Error("a fault is injected")
	}
}

func TestAnErrorRateOfOneFailsAllRequests(t *testing.T) {
	i := newInjector(new(bytes.Buffer), nil)
	i.Override(config.FaultSet{ErrorRate: 1, ErrorStatus: 503})
	for range 10 {
		if got := statusOf(i); got != 503 {
			t.Errorf("status %d", got)
		}
	}
}

func TestTheErrorRateIsTheFractionOfFailedRequests(t *testing.T) {
	i := newInjector(new(bytes.Buffer), nil)
	i.Override(config.FaultSet{ErrorRate: 0.3, ErrorStatus: 500})
	failed := 0
	for range 10_000 {
		if statusOf(i) == 500 {
			failed++
		}
	}
	// Ten standard deviations around the mean.
	if failed < 2_540 || failed > 3_460 {
		t.Errorf("%d of 10,000 failed", failed)
	}
}

func TestLatencyIsAddedWithinItsJitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newInjector(new(bytes.Buffer), nil)
		i.Override(config.FaultSet{Latency: time.Second, LatencyJitter: 200 * time.Millisecond})
		seen := map[time.Duration]bool{}
		for range 100 {
			start := time.Now()
			if got := statusOf(i); got != http.StatusNoContent {
				t.Errorf("status %d", got)
			}
			took := time.Since(start)
			seen[took] = true
			if took < 800*time.Millisecond || took > 1200*time.Millisecond {
				t.Errorf("the latency is %s", took)
			}
		}
		if len(seen) < 50 {
			t.Errorf("100 requests had only %d latencies", len(seen))
		}
	})
}

func TestInjectedLatencyEndsWhenTheClientDisconnects(t *testing.T) {
	i := newInjector(new(bytes.Buffer), nil)
	i.Override(config.FaultSet{Latency: time.Hour})
	ctx, leave := context.WithCancel(context.Background())
	leave()
	defer func() {
		if got := recover(); got != http.ErrAbortHandler {
			t.Errorf("the handler ended with %v", got)
		}
	}()
	i.Wrap(nil, nil).ServeHTTP(nil, httptest.NewRequest(http.MethodGet, "/", nil).WithContext(ctx))
}

func TestACrashExitsAfterItsDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		exits := make(chan int, 1)
		var out bytes.Buffer
		i := newInjector(&out, func(code int) { exits <- code })
		start := time.Now()
		i.Override(config.FaultSet{CrashAfter: time.Minute})
		if code := <-exits; code != ExitCode || time.Since(start) != time.Minute {
			t.Errorf("code %d after %s", code, time.Since(start))
		}
		if !strings.Contains(out.String(), "injected crash") {
			t.Errorf("the log is %s", &out)
		}
	})
}

func TestAClearedCrashDoesNotHappen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newInjector(new(bytes.Buffer), func(int) { t.Error("it crashed") })
		i.Override(config.FaultSet{CrashAfter: time.Minute})
		i.Clear()
		time.Sleep(time.Hour)
	})
}

func TestAnUnchangedConfigurationDoesNotDelayTheCrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		exits := make(chan int, 1)
		i := newInjector(new(bytes.Buffer), func(code int) { exits <- code })
		start := time.Now()
		faults := config.Faults{Enabled: true, Set: config.FaultSet{CrashAfter: time.Minute}}
		i.Configure(faults)
		time.Sleep(30 * time.Second)
		i.Configure(faults)
		<-exits
		if took := time.Since(start); took != time.Minute {
			t.Errorf("it crashed after %s", took)
		}
	})
}

func TestAMemoryLeakGrowsUntilItIsCleared(t *testing.T) {
	i := newInjector(new(bytes.Buffer), nil)
	before := heapInUse()
	i.Override(config.FaultSet{MemoryLeak: 100 << 20})
	waitForHeap(t, func(now uint64) bool { return now > before+20<<20 })
	i.Clear()
	waitForHeap(t, func(now uint64) bool { return now < before+10<<20 })
}

func waitForHeap(t *testing.T, reached func(uint64) bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !reached(heapInUse()); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d bytes are in use", heapInUse())
		}
	}
}

func heapInUse() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapInuse
}

func TestCPUBurnRunsOnEachCPUUntilItIsCleared(t *testing.T) {
	i := newInjector(new(bytes.Buffer), nil)
	i.Override(config.FaultSet{CPUBurn: 0.2})
	waitForBurners(t, runtime.GOMAXPROCS(0))
	i.Override(config.FaultSet{CPUBurn: 0.1})
	waitForBurners(t, runtime.GOMAXPROCS(0))
	i.Clear()
	waitForBurners(t, 0)
}

func waitForBurners(t *testing.T, want int) {
	t.Helper()
	got := -1
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		if got = strings.Count(string(stacks), "\nbeacon/internal/faults.burn("); got == want {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("%d burners after 30 s, want %d", got, want)
}

func TestFaultsOfTheAPITakePrecedenceUntilTheyAreCleared(t *testing.T) {
	i := newInjector(new(bytes.Buffer), nil)
	i.Configure(config.Faults{Enabled: true, Set: config.FaultSet{ErrorRate: 1, ErrorStatus: 501}})
	i.Override(config.FaultSet{ErrorRate: 1, ErrorStatus: 502})
	i.Configure(config.Faults{Enabled: true, Set: config.FaultSet{ErrorRate: 1, ErrorStatus: 503}})
	if _, source := i.State(); statusOf(i) != 502 || source != FromAPI {
		t.Errorf("status %d, from %s", statusOf(i), source)
	}
	i.Clear()
	if _, source := i.State(); statusOf(i) != 503 || source != FromConfig {
		t.Errorf("after that status %d, from %s", statusOf(i), source)
	}
}

func TestDisablingFaultsClearsThoseOfTheAPI(t *testing.T) {
	i := newInjector(new(bytes.Buffer), nil)
	i.Override(config.FaultSet{ErrorRate: 1, ErrorStatus: 502, NotReady: true})
	i.Configure(config.Faults{Enabled: false})
	if statusOf(i) != http.StatusNoContent || i.NotReady() {
		t.Error("a fault is injected")
	}
	i.Configure(config.Faults{Enabled: true, Set: config.DefaultFaultSet()})
	if statusOf(i) != http.StatusNoContent {
		t.Error("enabling restored the fault")
	}
}

func TestEachChangeOfFaultsIsLoggedOnce(t *testing.T) {
	var out bytes.Buffer
	i := newInjector(&out, nil)
	for range 3 {
		i.Override(config.FaultSet{NotReady: true, ErrorStatus: 500})
	}
	i.Clear()
	i.Clear()
	log := out.String()
	if strings.Count(log, "fault injection changed") != 2 || strings.Count(log, `"on":true`) != 1 ||
		strings.Count(log, `"on":false`) != 1 || !strings.Contains(log, `"notReady":true`) {
		t.Errorf("the log is %s", log)
	}
}
