// Package logging writes structured logs: one JSON object per line.
package logging

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"time"

	"beacon/internal/identity"
	"beacon/internal/tracing"
)

// New returns a logger whose lines start with timestamp (ISO 8601, UTC), level, message, service,
// version, track, trace_id and span_id.
func New(w io.Writer, id identity.Identity, level slog.Leveler) *slog.Logger {
	json := slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: rename})
	return slog.New(handler{json}).With(
		slog.String("service", id.Service),
		slog.String("version", id.Version),
		slog.String("track", id.Track),
	)
}

// handler adds the trace ID and the span ID of the context. They are empty outside a request, so that
// all lines have the same fields.
type handler struct{ slog.Handler }

func (h handler) Handle(ctx context.Context, record slog.Record) error {
	line := slog.NewRecord(record.Time, record.Level, record.Message, record.PC)
	line.AddAttrs(
		slog.String("trace_id", tracing.TraceID(ctx)),
		slog.String("span_id", tracing.SpanID(ctx)),
	)
	record.Attrs(func(a slog.Attr) bool {
		line.AddAttrs(a)
		return true
	})
	return h.Handler.Handle(ctx, line)
}

func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return handler{h.Handler.WithAttrs(attrs)}
}

func (h handler) WithGroup(name string) slog.Handler {
	return handler{h.Handler.WithGroup(name)}
}

func rename(groups []string, a slog.Attr) slog.Attr {
	if len(groups) > 0 {
		return a
	}
	switch a.Key {
	case slog.TimeKey:
		if t, ok := a.Value.Any().(time.Time); ok {
			return slog.String("timestamp", t.UTC().Format("2006-01-02T15:04:05.000Z07:00"))
		}
	case slog.LevelKey:
		if l, ok := a.Value.Any().(slog.Level); ok {
			return slog.String("level", strings.ToLower(l.String()))
		}
	case slog.MessageKey:
		return slog.Attr{Key: "message", Value: a.Value}
	}
	return a
}
