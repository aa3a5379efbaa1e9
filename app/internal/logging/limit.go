package logging

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// reportInterval is the time between the first dropped line and the line that reports the number of
// dropped lines.
const reportInterval = 10 * time.Second

// A Limiter drops log lines above a rate. Errors have a rate of their own, so that a flood of other
// lines does not hide them.
type Limiter struct {
	errors, others *rate.Limiter
	dropped        interface{ Inc() }
	unreported     atomic.Int64
}

// NewLimiter returns a limiter to perSecond lines. It increments dropped for each line that it drops.
func NewLimiter(perSecond int, dropped interface{ Inc() }) *Limiter {
	bucket := func() *rate.Limiter { return rate.NewLimiter(rate.Limit(perSecond), perSecond) }
	return &Limiter{errors: bucket(), others: bucket(), dropped: dropped}
}

// SetLimit changes the number of lines per second.
func (l *Limiter) SetLimit(perSecond int) {
	for _, each := range []*rate.Limiter{l.errors, l.others} {
		each.SetLimit(rate.Limit(perSecond))
		each.SetBurst(perSecond)
	}
}

// Limit returns a logger with the limit, which also logs the number of dropped lines every 10 s.
func (l *Limiter) Limit(log *slog.Logger) *slog.Logger {
	return slog.New(limited{log.Handler(), l, log})
}

// limited is a handler with a limit. It reports the dropped lines to log.
type limited struct {
	slog.Handler
	limiter *Limiter
	log     *slog.Logger
}

func (h limited) Handle(ctx context.Context, record slog.Record) error {
	bucket := h.limiter.others
	if record.Level >= slog.LevelError {
		bucket = h.limiter.errors
	}
	if bucket.Allow() {
		return h.Handler.Handle(ctx, record)
	}
	h.limiter.dropped.Inc()
	if h.limiter.unreported.Add(1) == 1 {
		time.AfterFunc(reportInterval, h.report)
	}
	return nil
}

func (h limited) report() {
	h.log.Warn("log lines dropped", "lines", h.limiter.unreported.Swap(0),
		"limit_per_second", h.limiter.others.Burst())
}

func (h limited) WithAttrs(attrs []slog.Attr) slog.Handler {
	return limited{h.Handler.WithAttrs(attrs), h.limiter, h.log}
}

func (h limited) WithGroup(name string) slog.Handler {
	return limited{h.Handler.WithGroup(name), h.limiter, h.log}
}

// Truncate shortens a value to at most length bytes, and then appends its original length.
func Truncate(value string, length int) string {
	if len(value) <= length {
		return value
	}
	return fmt.Sprintf("%s… (%d bytes)", strings.ToValidUTF8(value[:length], ""), len(value))
}
