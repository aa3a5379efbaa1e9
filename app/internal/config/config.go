// Package config holds every value of the service that can be set: its default, its bounds, and
// the places it comes from (a YAML file, then BEACON_* variables, which win).
package config

import (
	"log/slog"
	"time"
)

// DefaultPath is the file that is read when BEACON_CONFIG names no other.
const DefaultPath = "/etc/beacon/config.yaml"

// Config is one complete, checked set of values. Treat it as read-only once loaded.
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
	// Upstream is the URL that a relay asks, or nothing for the service itself.
	Upstream string
	Faults   Faults
}

// Timeouts bound how long one connection may keep the service busy.
type Timeouts struct {
	ReadHeader time.Duration
	Read       time.Duration
	Write      time.Duration
	Idle       time.Duration
	Shutdown   time.Duration
}

// Limits bound what one request, or all of them together, may use.
type Limits struct {
	BodyBytes      int
	Notes          int
	WorkIterations int
}

// Tracing says where traces are sent, and which.
type Tracing struct {
	// Endpoint is the base URL of an OTLP/HTTP receiver, or nothing where there are no traces.
	Endpoint string
	// SampleRatio is the share of the requests to trace that no caller has decided on.
	SampleRatio float64
}

// Faults says whether faults may be injected at all, who may do so, and which are on.
type Faults struct {
	Enabled   bool
	TokenFile string
	Set       FaultSet
}

// FaultSet is the faults to inject. Its zero value, but for ErrorStatus, injects nothing.
type FaultSet struct {
	ErrorRate     float64
	ErrorStatus   int
	Latency       time.Duration
	LatencyJitter time.Duration
	CPUBurn       float64
	CrashAfter    time.Duration
	NotReady      bool
}

// Default returns the values that hold where neither the file nor the environment says otherwise.
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
			// Longer than the 90 s after which Traefik drops an idle connection, so that the
			// proxy closes first and never sends a request into a closing connection.
			Idle:     120 * time.Second,
			Shutdown: 20 * time.Second,
		},
		Limits:  Limits{BodyBytes: 1 << 20, Notes: 1000, WorkIterations: 5_000_000},
		Tracing: Tracing{SampleRatio: 0.1},
		Faults:  Faults{Set: DefaultFaultSet()},
	}
}

// DefaultFaultSet returns the set that injects nothing.
func DefaultFaultSet() FaultSet { return FaultSet{ErrorStatus: 500} }

// Level is the lowest level to log: LogLevel, or debug where Debug is on.
func (c *Config) Level() slog.Level {
	if c.Debug {
		return slog.LevelDebug
	}
	return c.LogLevel
}

// check reports what single keys cannot see: values that contradict each other.
func (c *Config) check() []Problem {
	var problems []Problem
	set := c.Faults.Set
	if set.LatencyJitter > set.Latency {
		problems = append(problems, Problem{"faults.latencyJitter", set.LatencyJitter.String(),
			"at most faults.latency, which is " + set.Latency.String()})
	}
	if worst := set.Latency + set.LatencyJitter; worst >= c.Timeouts.Write {
		problems = append(problems, Problem{"faults.latency", set.Latency.String(),
			"with its jitter less than timeouts.write, which is " + c.Timeouts.Write.String()})
	}
	if c.Timeouts.ReadHeader > c.Timeouts.Read {
		problems = append(problems, Problem{"timeouts.readHeader", c.Timeouts.ReadHeader.String(),
			"at most timeouts.read, which is " + c.Timeouts.Read.String()})
	}
	if c.Listen == c.AdminListen && !anyPort(c.Listen) {
		problems = append(problems, Problem{"adminListen", c.AdminListen,
			"an address other than listen's"})
	}
	return problems
}
