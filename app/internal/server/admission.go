package server

import (
	"errors"
	"io"
	"math"
	"net/http"
	"runtime/debug"
	"sync/atomic"
	"time"
)

const (
	// memoryPerRequest is an upper bound of the memory of one request without its body, in bytes: its
	// connection, header, span, and the garbage that it leaves.
	memoryPerRequest = 256 << 10
	// bodyFraction is the inverse of the fraction of the memory limit that bodies may use.
	bodyFraction = 4
	// defaultMemory is the assumed memory limit where there is none, in bytes.
	defaultMemory = 512 << 20
	// drainTimeout bounds the time to read the rest of a refused body.
	drainTimeout = 500 * time.Millisecond
	// retryAfter is the Retry-After header of refused requests, in seconds.
	retryAfter = "1"
)

// Reasons for refusing a request.
const (
	tooManyRequests  = "requests"
	tooManyBodyBytes = "body_bytes"
)

// errBodyBytes is returned by a body if the bodies in flight are too large.
var errBodyBytes = errors.New("the bodies of the requests in flight are too large")

// admission counts the requests in flight and the bytes of their bodies.
type admission struct {
	memory              int64
	requests, bodyBytes atomic.Int64
}

// newAdmission returns an admission for the memory limit of the Go runtime.
func newAdmission() *admission {
	memory := debug.SetMemoryLimit(-1)
	if memory == math.MaxInt64 {
		memory = defaultMemory
	}
	return &admission{memory: memory}
}

// maxRequests returns the limit on requests in flight.
func (s *Server) maxRequests() int64 {
	if configured := s.config.Get().Limits.RequestsInFlight; configured > 0 {
		return int64(configured)
	}
	return s.admission.memory / memoryPerRequest
}

// maxBodyBytes returns the limit on the bytes of all bodies in flight.
func (s *Server) maxBodyBytes() int64 {
	if configured := s.config.Get().Limits.BodyBytesInFlight; configured > 0 {
		return int64(configured)
	}
	return s.admission.memory / bodyFraction
}

// admit refuses requests above the limits on requests in flight and on the size of their bodies.
func (s *Server) admit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		limit := int64(s.config.Get().Limits.BodyBytes)
		if s.admission.requests.Add(1) > s.maxRequests() {
			s.admission.requests.Add(-1)
			s.refuse(w, r, tooManyRequests)
			drain(w, r.Body, limit)
			return
		}
		defer s.admission.requests.Add(-1)
		switch {
		case r.ContentLength > limit:
			s.badBody(w, r, &http.MaxBytesError{Limit: limit})
			return
		case s.admission.bodyBytes.Load()+max(0, r.ContentLength) > s.maxBodyBytes():
			s.refuse(w, r, tooManyBodyBytes)
			drain(w, r.Body, limit)
			return
		}
		body := &countedBody{ReadCloser: r.Body, server: s}
		defer body.release()
		r.Body = http.MaxBytesReader(w, body, limit)
		next.ServeHTTP(w, r)
		if body.refused {
			drain(w, body.ReadCloser, limit)
		}
	})
}

// refuse responds that the client should try again.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, reason string) {
	s.metrics.Refused.WithLabelValues(reason).Inc()
	w.Header().Set("Retry-After", retryAfter)
	problem(w, r, http.StatusServiceUnavailable, "too many requests in flight")
}

// drain reads the rest of a refused body for at most drainTimeout. A client that is still sending when the
// connection is closed may not see the response.
func drain(w http.ResponseWriter, body io.Reader, limit int64) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(drainTimeout))
	_, _ = io.CopyN(io.Discard, body, limit)
}

// countedBody counts the bytes that have been read from a body until the end of its request. It refuses
// further ones if all bodies in flight exceed their limit.
type countedBody struct {
	io.ReadCloser
	server  *Server
	read    int64
	refused bool
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.read += int64(n)
	if b.server.admission.bodyBytes.Add(int64(n)) > b.server.maxBodyBytes() {
		b.refused = true
		b.release()
		return 0, errBodyBytes
	}
	return n, err
}

func (b *countedBody) release() {
	b.server.admission.bodyBytes.Add(-b.read)
	b.read = 0
}
