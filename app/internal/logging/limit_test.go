package logging

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// lockedBuffer is a buffer for concurrent use.
type lockedBuffer struct {
	mu   sync.Mutex
	data bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.String()
}

func TestLinesAboveTheLimitAreDroppedCountedAndReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := new(lockedBuffer)
		dropped := prometheus.NewCounter(prometheus.CounterOpts{Name: "dropped"})
		limiter := NewLimiter(10, dropped)
		log := limiter.Limit(slog.New(slog.NewTextHandler(out, nil)).With("part", "a")).With("route", "/")
		count := func(level slog.Level, lines int) int {
			before := strings.Count(out.String(), "route=/")
			for range lines {
				log.Log(context.Background(), level, "request")
			}
			return strings.Count(out.String(), "route=/") - before
		}
		if got := count(slog.LevelInfo, 100); got != 10 {
			t.Errorf("%d lines are logged in the first second", got)
		}
		if got := count(slog.LevelError, 15); got != 10 {
			t.Errorf("%d errors are logged beside them", got)
		}
		time.Sleep(time.Second)
		if got := count(slog.LevelInfo, 100); got != 10 {
			t.Errorf("%d lines are logged in the next second", got)
		}
		time.Sleep(reportInterval)
		synctest.Wait()
		if got := strings.Count(out.String(), `level=WARN msg="log lines dropped" part=a lines=185 limit_per_second=10`); got != 1 {
			t.Errorf("the log is %s", out)
		}
		limiter.SetLimit(50)
		time.Sleep(time.Second)
		if got := count(slog.LevelInfo, 100); got != 50 {
			t.Errorf("with a limit of 50, %d lines are logged", got)
		}
		if got := testutil.ToFloat64(dropped); got != 235 {
			t.Errorf("%v dropped lines are counted", got)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := strings.Count(out.String(), "log lines dropped"); got != 2 {
			t.Errorf("the loss is reported %d times", got)
		}
	})
}

func TestALongValueIsTruncatedWithItsLength(t *testing.T) {
	for value, want := range map[string]string{
		"": "", "abcd": "abcd", "abcde": "abcd… (5 bytes)", "abc€": "abc… (6 bytes)",
	} {
		if got := Truncate(value, 4); got != want {
			t.Errorf("%q becomes %q, want %q", value, got, want)
		}
	}
}
