// Package server serves the API port, the admin port and the profiling port.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"beacon/internal/config"
	"beacon/internal/faults"
	"beacon/internal/identity"
	"beacon/internal/logging"
	"beacon/internal/metrics"
	"beacon/internal/notes"
	"beacon/internal/tracing"
)

// A Server serves on the addresses of its configuration.
type Server struct {
	identity identity.Identity
	config   *config.Store
	log      *slog.Logger
	// requestLog is log for the lines that clients cause, which are limited.
	requestLog *slog.Logger
	logLimit   *logging.Limiter
	metrics    *metrics.Metrics
	faults     *faults.Injector
	tracing    *tracing.Tracing
	admission  *admission
	upstream   *http.Client
	notes      notes.Store
	draining   atomic.Bool
	// profiling is the address of the profiling port.
	profiling string
}

// New returns a server that has not started.
func New(
	id identity.Identity, c *config.Store, log *slog.Logger, m *metrics.Metrics, f *faults.Injector,
	t *tracing.Tracing,
) *Server {
	s := &Server{
		identity: id, config: c, log: log, metrics: m, faults: f, tracing: t,
		admission: newAdmission(), profiling: profilingAddress,
		logLimit: logging.NewLimiter(c.Get().Limits.LogLinesPerSecond, m.LogLinesDropped),
	}
	s.requestLog = s.logLimit.Limit(log)
	s.upstream = s.upstreamClient()
	m.RegisterReady(func() bool { return s.notReady() == "" })
	m.RegisterLimits(s.maxRequests, s.admission.bodyBytes.Load, s.maxBodyBytes)
	return s
}

// ErrInterrupted is returned by Run if a second signal arrives before the shutdown is complete.
var ErrInterrupted = errors.New("interrupted by a second signal")

// Run serves until a signal arrives. It then fails the readiness probe, continues to serve for
// the drain time, waits for requests in flight, exports their traces and returns nil. On a second
// signal it returns immediately.
func (s *Server) Run(signals <-chan os.Signal) error {
	c := s.config.Get()
	api, err := s.listen("api", c.Listen, s.API())
	if err != nil {
		return err
	}
	defer api.close()
	admin, err := s.listen("admin", c.AdminListen, s.Admin())
	if err != nil {
		return err
	}
	defer admin.close()
	if c.Profiling {
		profiling, err := s.listen("profiling", s.profiling, s.Profiling())
		if err != nil {
			return err
		}
		defer profiling.close()
	}

	select {
	case err := <-api.failed:
		return err
	case err := <-admin.failed:
		return err
	case sig := <-signals:
		s.draining.Store(true)
		s.log.Info("draining", "signal", sig.String(), "drain", s.config.Get().Drain.String())
	}

	select {
	case <-signals:
		return ErrInterrupted
	case <-time.After(s.config.Get().Drain):
	}

	limit := s.config.Get().Timeouts.Shutdown
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		err := api.http.Shutdown(ctx)
		if err := s.tracing.Shutdown(ctx); err != nil {
			s.log.Warn("trace export failed", "error", err.Error())
		}
		done <- err
	}()
	select {
	case <-signals:
		return ErrInterrupted
	case err := <-done:
		if err != nil {
			return fmt.Errorf("requests still in flight after timeouts.shutdown (%s)", limit)
		}
	}
	s.log.Info("stopped")
	return nil
}

// Reloaded applies a change of the configuration.
func (s *Server) Reloaded(change config.Change) {
	s.metrics.Reloaded(change.Err)
	if change.Err != nil {
		s.log.Error("invalid configuration, keeping the current one", "error", change.Err.Error())
		return
	}
	s.faults.Configure(change.New.Faults)
	s.tracing.Configure(change.New.Tracing)
	s.logLimit.SetLimit(change.New.Limits.LogLinesPerSecond)
	s.log.Info("configuration reloaded", "changed", change.Applied)
	if len(change.Unknown) > 0 {
		s.log.Warn("unknown configuration keys", "keys", change.Unknown)
	}
	if len(change.Restart) > 0 {
		s.log.Warn("configuration keys changed that require a restart", "keys", change.Restart)
	}
}

type port struct {
	http   *http.Server
	failed chan error
}

func (s *Server) listen(name, address string, handler http.Handler) (*port, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s port: %w", name, err)
	}
	c := s.config.Get()
	p := &port{
		http: &http.Server{
			Handler:           handler,
			ReadHeaderTimeout: c.Timeouts.ReadHeader,
			ReadTimeout:       c.Timeouts.Read,
			WriteTimeout:      c.Timeouts.Write,
			IdleTimeout:       c.Timeouts.Idle,
			MaxHeaderBytes:    32 << 10,
			ErrorLog:          slog.NewLogLogger(s.requestLog.Handler(), slog.LevelWarn),
		},
		failed: make(chan error, 1),
	}
	go func() {
		if err := p.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			p.failed <- fmt.Errorf("%s port: %w", name, err)
		}
	}()
	s.log.Info("listening", "port", name, "address", listener.Addr().String())
	return p, nil
}

func (p *port) close() { _ = p.http.Close() }

// notReady returns why the readiness probe fails, or "" if it succeeds.
func (s *Server) notReady() string {
	switch {
	case s.draining.Load():
		return "draining"
	case s.faults.NotReady():
		return "faults.notReady"
	}
	return ""
}
