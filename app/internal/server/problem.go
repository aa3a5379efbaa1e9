package server

import (
	"encoding/json"
	"net/http"

	"beacon/internal/tracing"
)

// problem responds with an error in the format of RFC 9457. The detail goes to the client: it must
// not expose internals.
func problem(w http.ResponseWriter, r *http.Request, status int, detail string) {
	writeJSON(w, status, "application/problem+json", struct {
		Type    string `json:"type"`
		Title   string `json:"title"`
		Status  int    `json:"status"`
		Detail  string `json:"detail"`
		TraceID string `json:"trace_id"`
	}{"about:blank", http.StatusText(status), status, detail, tracing.TraceID(r.Context())})
}

func respond(w http.ResponseWriter, status int, body any) {
	writeJSON(w, status, "application/json", body)
}

func writeJSON(w http.ResponseWriter, status int, contentType string, body any) {
	setJSONHeader(w, contentType)
	w.WriteHeader(status)
	// An error means that the client has closed the connection.
	_ = json.NewEncoder(w).Encode(body)
}

func setJSONHeader(w http.ResponseWriter, contentType string) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
}

// matchRoute sets the request's Pattern to the one of mux that it matches, or to "".
func matchRoute(mux *http.ServeMux, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, r.Pattern = mux.Handler(r)
		next.ServeHTTP(w, r)
	})
}

// unmatched responds to the requests without a Pattern in place of mux, whose errors are plain text.
func unmatched(mux *http.ServeMux, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Pattern != "" {
			next.ServeHTTP(w, r)
			return
		}
		response := discard{http.Header{}, http.StatusOK}
		mux.ServeHTTP(&response, r)
		if response.status == http.StatusMethodNotAllowed {
			allow := response.header.Get("Allow")
			w.Header().Set("Allow", allow)
			problem(w, r, response.status, "allowed methods: "+allow)
			return
		}
		problem(w, r, http.StatusNotFound, "no such path")
	})
}

// discard is a response writer that drops the body.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
