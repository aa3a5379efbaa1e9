package server

import (
	"net/http"
	"net/http/pprof"
)

// profilingAddress is a loopback address. Use `kubectl port-forward` to reach it.
const profilingAddress = "127.0.0.1:6060"

// Profiling returns the handler of net/http/pprof.
func (s *Server) Profiling() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}
