package server

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"runtime/debug"
	"strconv"
	"time"

	"beacon/internal/logging"
	"beacon/internal/metrics"
	"beacon/internal/tracing"
)

// validRequestID matches a client's X-Request-Id that is safe to log.
var validRequestID = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,128}$`)

// statusClientClosed is recorded in metrics and logs when the client closed the connection before
// the response.
const statusClientClosed = 499

// Maximum lengths of values in the log lines of requests, in bytes.
const (
	maxLogged       = 256
	maxLoggedMethod = 32
)

// identify sets the common response headers and the request's trace ID.
func (s *Server) identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = r.WithContext(s.tracing.Extract(r))
		h := w.Header()
		h.Set("X-Version", s.identity.Version)
		h.Set("X-Pod", s.identity.Pod)
		h.Set("X-Trace-Id", tracing.TraceID(r.Context()))
		h.Set("X-Request-Id", requestID(r))
		if s.draining.Load() {
			// The client opens its next connection to another pod. Idle connections stay open:
			// closing one could fail a request that is already on its way.
			h.Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// requestID returns the client's X-Request-Id if it is valid, otherwise the trace ID.
func requestID(r *http.Request) string {
	if id := r.Header.Get("X-Request-Id"); validRequestID.MatchString(id) {
		return id
	}
	return tracing.TraceID(r.Context())
}

// observe traces, counts, times and logs each request, and recovers from panics.
func (s *Server) observe(next http.Handler) http.Handler {
	return s.tracing.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		rec := &recorder{ResponseWriter: w}
		s.metrics.InFlight.Inc()
		defer func() {
			s.metrics.InFlight.Dec()
			panicked := recover()
			if panicked != nil && panicked != http.ErrAbortHandler {
				s.metrics.Panics.Inc()
				tracing.RecordPanic(r.Context(), panicked)
				s.requestLog.ErrorContext(r.Context(), "handler panicked",
					"panic", logging.Truncate(fmt.Sprint(panicked), maxLogged), "stack", string(debug.Stack()))
				if rec.status == 0 {
					problem(rec, r, http.StatusInternalServerError, "internal error")
					// The client has a complete response.
					panicked = nil
				}
			}
			status := cmp.Or(rec.status, http.StatusOK)
			switch panicked {
			case nil:
			case http.ErrAbortHandler:
				// Handlers abort when the client has closed the connection.
				status = statusClientClosed
			default:
				// The response is incomplete, even if the status that was sent is a success.
				status = http.StatusInternalServerError
			}
			duration := time.Since(start)
			s.metrics.Observe(r.Method, cmp.Or(metrics.Route(r.Pattern), "unmatched"), status, duration,
				tracing.RecordedTraceID(r.Context()))
			s.logRequest(r, rec, status, duration)
			if panicked != nil {
				tracing.RecordFailure(r.Context(), "aborted")
				panic(http.ErrAbortHandler)
			}
			if status >= http.StatusInternalServerError {
				tracing.RecordFailure(r.Context(), strconv.Itoa(status))
			}
		}()
		next.ServeHTTP(rec, r)
	}))
}

// logRequest logs a request, without its query string and without headers other than X-Request-Id,
// because they may contain secrets.
func (s *Server) logRequest(r *http.Request, rec *recorder, status int, duration time.Duration) {
	level := slog.LevelInfo
	if status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	s.requestLog.LogAttrs(r.Context(), level, "request",
		slog.String("method", logging.Truncate(r.Method, maxLoggedMethod)),
		slog.String("path", logging.Truncate(r.URL.Path, maxLogged)),
		slog.Int("status", status),
		slog.Float64("duration_ms", float64(duration.Microseconds())/1000),
		slog.String("request_id", rec.Header().Get("X-Request-Id")),
	)
}

// recorder records the status of a response.
type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	// 1xx responses are not final.
	if r.status == 0 && status >= http.StatusOK {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(p []byte) (int, error) {
	r.status = cmp.Or(r.status, http.StatusOK)
	return r.ResponseWriter.Write(p)
}

// Unwrap returns the wrapped writer to http.ResponseController.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
