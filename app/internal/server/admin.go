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

// maxFaultsBody is far more than every fault needs, in bytes.
const maxFaultsBody = 16 << 10

// Admin returns what the port for operators answers. It is to be reached from inside only.
func (s *Server) Admin() http.Handler {
	mux := http.NewServeMux()
	s.probes(mux)
	mux.Handle("GET /metrics", s.metrics.Handler())
	mux.HandleFunc("GET /faults", s.authorised(s.getFaults))
	mux.HandleFunc("PUT /faults", s.authorised(s.putFaults))
	mux.HandleFunc("DELETE /faults", s.authorised(s.deleteFaults))
	return s.identify(matched(mux, mux))
}

func (s *Server) probes(mux *http.ServeMux) {
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, r *http.Request) {
		reason := s.notReady()
		s.log.DebugContext(r.Context(), "probed", "not_ready", reason)
		if reason != "" {
			reply(w, http.StatusServiceUnavailable,
				map[string]string{"status": "not ready", "reason": reason})
			return
		}
		reply(w, http.StatusOK, map[string]string{"status": "ready"})
	})
}

// authorised lets a request through where faults are enabled and it bears the token, if there is
// one. The token is read each time, so that it can be rotated.
func (s *Server) authorised(next http.HandlerFunc) http.HandlerFunc {
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
				s.log.ErrorContext(r.Context(), "no token in faults.tokenFile", "error", fmt.Sprint(err))
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

// equal compares in a time that tells nothing of either, not even its length.
func equal(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

func (s *Server) getFaults(w http.ResponseWriter, _ *http.Request) {
	set, source := s.faults.State()
	reply(w, http.StatusOK, map[string]any{"source": source, "faults": config.FaultValues(set)})
}

func (s *Server) putFaults(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxFaultsBody))
	if err != nil {
		badBody(w, r, err)
		return
	}
	set, err := config.ParseFaults("body", body, s.config.Get().Timeouts)
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
