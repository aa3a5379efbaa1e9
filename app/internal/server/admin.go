package server

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"beacon/internal/config"
)

// maxFaultsBody is the maximum size of a PUT /faults body, in bytes.
const maxFaultsBody = 16 << 10

// Admin returns the handler of the admin port, which must not be reachable from outside the cluster.
func (s *Server) Admin() http.Handler {
	mux := http.NewServeMux()
	s.probes(mux)
	mux.Handle("GET /metrics", s.metrics.Handler())
	mux.HandleFunc("GET /faults", s.authorized(s.getFaults))
	mux.HandleFunc("PUT /faults", s.authorized(s.putFaults))
	mux.HandleFunc("DELETE /faults", s.authorized(s.deleteFaults))
	return s.identify(matchRoute(mux, unmatched(mux, mux)))
}

func (s *Server) probes(mux *http.ServeMux) {
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		respond(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, r *http.Request) {
		reason := s.notReady()
		s.requestLog.DebugContext(r.Context(), "readiness probe", "not_ready", reason)
		if reason != "" {
			respond(w, http.StatusServiceUnavailable,
				map[string]string{"status": "not ready", "reason": reason})
			return
		}
		respond(w, http.StatusOK, map[string]string{"status": "ready"})
	})
}

// authorized requires that faults are enabled and, with faults.tokenFile, that the request has its
// bearer token. The file is read for each request, so that the token can be rotated.
func (s *Server) authorized(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f := s.config.Get().Faults
		if !f.Enabled {
			problem(w, r, http.StatusForbidden, "faults.enabled is false")
			return
		}
		if f.TokenFile != "" {
			want, err := os.ReadFile(f.TokenFile)
			token := strings.TrimSpace(string(want))
			if err != nil || token == "" {
				s.requestLog.ErrorContext(r.Context(), "cannot read faults.tokenFile", "error", fmt.Sprint(err))
				problem(w, r, http.StatusServiceUnavailable, "the token cannot be read")
				return
			}
			given, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
			if !bearer || !equal(given, token) {
				w.Header().Set("WWW-Authenticate", `Bearer realm="faults"`)
				problem(w, r, http.StatusUnauthorized, "the bearer token is missing or wrong")
				return
			}
		}
		next(w, r)
	}
}

// equal compares two strings in constant time. Their lengths may differ.
func equal(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

func (s *Server) getFaults(w http.ResponseWriter, _ *http.Request) {
	set, source := s.faults.State()
	respond(w, http.StatusOK, map[string]any{"source": source, "faults": config.FaultValues(set)})
}

func (s *Server) putFaults(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxFaultsBody))
	if err != nil {
		s.badBody(w, r, err)
		return
	}
	set, err := config.ParseFaults("body", body)
	if err != nil {
		problem(w, r, http.StatusUnprocessableEntity, err.Error())
		return
	}
	s.faults.Override(set)
	s.getFaults(w, r)
}

func (s *Server) deleteFaults(w http.ResponseWriter, r *http.Request) {
	s.faults.Clear()
	s.getFaults(w, r)
}
