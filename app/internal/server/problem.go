package server

import (
	"encoding/json"
	"net/http"
	"strings"

	"beacon/internal/tracing"
)

// problem answers a request with an error as RFC 9457 describes it. The detail is for the client:
// it must say nothing of the inside.
func problem(w http.ResponseWriter, r *http.Request, status int, detail string) {
	writeJSON(w, status, "application/problem+json", struct {
		Type    string `json:"type"`
		Title   string `json:"title"`
		Status  int    `json:"status"`
		Detail  string `json:"detail"`
		TraceID string `json:"trace_id"`
	}{"about:blank", http.StatusText(status), status, detail, tracing.TraceID(r.Context())})
}

func reply(w http.ResponseWriter, status int, body any) {
	writeJSON(w, status, "application/json", body)
}

func writeJSON(w http.ResponseWriter, status int, contentType string, body any) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	// An error here means that the client has gone.
	_ = json.NewEncoder(w).Encode(body)
}

// matched passes on the requests that a mux has a route for, and answers the others in place of
// the mux, which would answer them as plain text.
func matched(mux *http.ServeMux, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler, pattern := mux.Handler(r)
		r.Pattern = pattern
		if pattern != "" {
			next.ServeHTTP(w, r)
			return
		}
		answer := discard{http.Header{}, http.StatusOK}
		handler.ServeHTTP(&answer, r)
		if answer.status == http.StatusMethodNotAllowed {
			allow := answer.header.Get("Allow")
			w.Header().Set("Allow", allow)
			problem(w, r, answer.status, "allowed here: "+allow)
			return
		}
		problem(w, r, http.StatusNotFound, "no such path")
	})
}

// discard keeps of an answer its status and header only.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }

// route is a pattern without its method: "GET /api/v1/notes/{id}" is /api/v1/notes/{id}. It is empty
// for a request that matched none.
func route(pattern string) string {
	_, path, found := strings.Cut(pattern, " ")
	if !found {
		path = pattern
	}
	return strings.TrimSuffix(path, "{$}")
}
