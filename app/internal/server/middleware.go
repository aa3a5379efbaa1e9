package server

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"runtime/debug"
	"time"

	"beacon/internal/tracing"
)

// requestID is what a client may call its request.
var requestID = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,128}$`)

// identify gives every answer the version, and every request a trace id and a request id.
func (s *Server) identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = r.WithContext(tracing.Join(r))
		h := w.Header()
		h.Set("X-Version", s.identity.Version)
		h.Set("X-Trace-Id", tracing.TraceID(r.Context()))
		h.Set("X-Request-Id", requestIDOf(r))
		if s.draining.Load() {
			// A client or proxy that would keep the connection has to open its next one, which
			// leads elsewhere. Idle connections are left alone: closing one could meet a request.
			h.Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// requestIDOf returns the client's X-Request-Id where it is fit to be logged, or the trace id.
func requestIDOf(r *http.Request) string {
	if id := r.Header.Get("X-Request-Id"); requestID.MatchString(id) {
		return id
	}
	return tracing.TraceID(r.Context())
}

// observe counts, times, traces and logs every request, and turns a panic into an answer.
func (s *Server) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		rec := &recorder{ResponseWriter: w}
		r, span := s.tracing.Serve(r)
		s.metrics.InFlight.Inc()
		defer func() {
			s.metrics.InFlight.Dec()
			panicked := recover()
			if panicked != nil && panicked != http.ErrAbortHandler {
				s.metrics.Panics.Inc()
				span.Panicked(panicked)
				s.log.ErrorContext(r.Context(), "handler panicked",
					"panic", fmt.Sprint(panicked), "stack", string(debug.Stack()))
				if rec.status == 0 {
					problem(rec, r, http.StatusInternalServerError, "the service failed")
					panicked = nil
				}
			}
			status := rec.statusOr(http.StatusOK)
			switch panicked {
			case nil:
			case http.ErrAbortHandler:
				status = statusAborted
			default:
				// The answer is cut off, whatever its status said.
				status = http.StatusInternalServerError
			}
			path := route(r.Pattern)
			s.metrics.Observe(r.Method, cmp.Or(path, "unmatched"), status, time.Since(start), span.TraceID())
			s.logRequest(r, rec, status, time.Since(start))
			if panicked != nil {
				span.CutOff(path)
				panic(http.ErrAbortHandler)
			}
			span.Answered(path, status)
		}()
		next.ServeHTTP(rec, r)
	})
}

// statusAborted stands in metrics and logs for an answer that nobody waited for: the client went
// away.
const statusAborted = 499

// logRequest leaves out the query and all headers: they may hold secrets.
func (s *Server) logRequest(r *http.Request, rec *recorder, status int, took time.Duration) {
	level := slog.LevelInfo
	if status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	s.log.LogAttrs(r.Context(), level, "request",
		slog.String("method", r.Method),
		slog.String("path", r.URL.Path),
		slog.Int("status", status),
		slog.Float64("duration_ms", float64(took.Microseconds())/1000),
		slog.String("request_id", rec.Header().Get("X-Request-Id")),
	)
}

// limitBody ends the reading of a body that is too long, and the connection with it.
func (s *Server) limitBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, int64(s.config.Get().Limits.BodyBytes))
		next.ServeHTTP(w, r)
	})
}

// recorder remembers the status of an answer.
type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 && status >= http.StatusOK {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(p []byte) (int, error) {
	r.status = r.statusOr(http.StatusOK)
	return r.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *recorder) statusOr(status int) int {
	if r.status == 0 {
		return status
	}
	return r.status
}
