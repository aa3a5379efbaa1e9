// Package config loads the configuration from a YAML file and from environment variables, which take
// precedence, and validates it.
package config

import (
	"log/slog"
	"time"
)

// DefaultPath is the default of BEACON_CONFIG.
const DefaultPath = "/etc/beacon/config.yaml"

// Config is a validated configuration. It must not be modified once loaded.
type Config struct {
	Debug        bool
	LogLevel     slog.Level
	Message      string
	Listen       string
	AdminListen  string
	Drain        time.Duration
	StartupCheck string
	Timeouts     Timeouts
	Limits       Limits
	Tracing      Tracing
	Profiling    bool
	// Upstream is the URL that /api/relay requests. "" is the service itself.
	Upstream string
	Faults   Faults
}

// Timeouts are those of the HTTP servers, and of their shutdown.
type Timeouts struct {
	ReadHeader time.Duration
	Read       time.Duration
	Write      time.Duration
	Idle       time.Duration
	Shutdown   time.Duration
}

// Limits are the maximum body size in bytes, number of notes, and iterations of one work request.
type Limits struct {
	BodyBytes      int
	Notes          int
	WorkIterations int
}

// Tracing configures the export of traces.
type Tracing struct {
	// Endpoint is the base URL of an OTLP/HTTP receiver. "" disables tracing.
	Endpoint string
	// SampleRatio is the fraction of requests to sample, 0 to 1, where the caller has not decided.
	SampleRatio float64
}

// Faults enables and configures fault injection.
type Faults struct {
	Enabled bool
	// TokenFile holds the bearer token that /faults requires. "" requires none.
	TokenFile string
	Set       FaultSet
}

// FaultSet is a set of faults to inject.
type FaultSet struct {
	ErrorRate     float64
	ErrorStatus   int
	Latency       time.Duration
	LatencyJitter time.Duration
	CPUBurn       float64
	CrashAfter    time.Duration
	NotReady      bool
}

// Default returns the default configuration.
func Default() Config {
	return Config{
		LogLevel:     slog.LevelInfo,
		Message:      "Hello from beacon",
		Listen:       ":8080",
		AdminListen:  ":9090",
		Drain:        5 * time.Second,
		StartupCheck: "warn",
		Timeouts: Timeouts{
			ReadHeader: 5 * time.Second,
			Read:       15 * time.Second,
			Write:      60 * time.Second,
			// Longer than Traefik's 90 s: the proxy must close idle connections first, or it could
			// send a request on a connection that the service is closing.
			Idle:     120 * time.Second,
			Shutdown: 20 * time.Second,
		},
		Limits:  Limits{BodyBytes: 1 << 20, Notes: 1000, WorkIterations: 5_000_000},
		Tracing: Tracing{SampleRatio: 0.1},
		Faults:  Faults{Set: DefaultFaultSet()},
	}
}

// DefaultFaultSet returns a set that injects no faults.
func DefaultFaultSet() FaultSet { return FaultSet{ErrorStatus: 500} }

// Level returns the minimum log level: debug if Debug is set, otherwise LogLevel.
func (c *Config) Level() slog.Level {
	if c.Debug {
		return slog.LevelDebug
	}
	return c.LogLevel
}

// crossFieldProblems returns the values that are invalid in combination with others.
func (c *Config) crossFieldProblems() []Problem {
	var problems []Problem
	set := c.Faults.Set
	if set.LatencyJitter > set.Latency {
		problems = append(problems, Problem{"faults.latencyJitter", set.LatencyJitter.String(),
			"at most faults.latency, which is " + set.Latency.String()})
	}
	if worst := set.Latency + set.LatencyJitter; worst >= c.Timeouts.Write {
		problems = append(problems, Problem{"faults.latency", set.Latency.String(),
			"including its jitter less than timeouts.write, which is " + c.Timeouts.Write.String()})
	}
	if c.Timeouts.ReadHeader > c.Timeouts.Read {
		problems = append(problems, Problem{"timeouts.readHeader", c.Timeouts.ReadHeader.String(),
			"at most timeouts.read, which is " + c.Timeouts.Read.String()})
	}
	if c.Listen == c.AdminListen && !isPortZero(c.Listen) {
		problems = append(problems, Problem{"adminListen", c.AdminListen,
			"an address other than that of listen"})
	}
	return problems
}
