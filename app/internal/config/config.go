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

// Limits bound requests and log lines.
type Limits struct {
	// BodyBytes is the maximum size of one body, in bytes.
	BodyBytes int
	// RequestsInFlight and BodyBytesInFlight are derived from the memory limit if they are 0.
	RequestsInFlight  int
	BodyBytesInFlight int
	LogLinesPerSecond int
	Notes             int
	// WorkIterations is the maximum number of iterations of one work request.
	WorkIterations int
}

// Values of tracing.trustParent.
const (
	TrustNever  = "never"
	TrustDirect = "direct"
	TrustAlways = "always"
)

// Tracing configures the sampling of traces.
type Tracing struct {
	// SampleRatio is the fraction of new traces to sample, 0 to 1.
	SampleRatio float64
	// TrustParent selects the requests that continue the trace of their caller.
	TrustParent string
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
	MemoryLeak    int
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
		Limits: Limits{
			BodyBytes: 1 << 20, LogLinesPerSecond: 1000, Notes: 1000, WorkIterations: 5_000_000,
		},
		Tracing: Tracing{SampleRatio: 0.1, TrustParent: TrustDirect},
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
