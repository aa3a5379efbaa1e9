package config

import (
	"log/slog"
	"slices"
	"strings"
	"time"
	"unicode"
)

// EnvPrefix is the prefix of the environment variables that override keys.
const EnvPrefix = "BEACON_"

// A key is one configuration value: its path in the file, its allowed values and its field.
type key struct {
	name        string
	description string
	allowed     string
	schema      map[string]any
	// restart is true if a new value takes effect only after a restart.
	restart bool
	// set returns false if the value is not allowed.
	set  func(*Config, any) bool
	get  func(*Config) any
	copy func(to, from *Config)
}

type keySet []key

func (s keySet) find(matches func(key) bool) (key, bool) {
	if i := slices.IndexFunc(s, matches); i >= 0 {
		return s[i], true
	}
	return key{}, false
}

// names returns the comma-separated names of the keys and sections directly below a prefix.
func (s keySet) names(prefix string) string {
	var found []string
	for _, k := range s {
		if rest, ok := strings.CutPrefix(k.name, prefix); ok {
			name, _, _ := strings.Cut(rest, ".")
			if !slices.Contains(found, name) {
				found = append(found, name)
			}
		}
	}
	return strings.Join(found, ", ")
}

// keys are all keys of the file and the environment.
var keys = slices.Concat(generalKeys, faultAccessKeys, faultKeys)

// sections describe the keys that hold others.
var sections = map[string]string{
	"timeouts": "Timeouts of the HTTP servers and of their shutdown.",
	"limits":   "Limits on requests and on log lines.",
	"tracing":  "Sampling of traces. The OTEL_ variables set the receiver.",
	"faults":   "Fault injection, for drills.",
}

var generalKeys = keySet{
	newKey("debug", boolean, "Sets the log level to debug.",
		func(c *Config) *bool { return &c.Debug }),
	newKey("logLevel", level, "Minimum log level.",
		func(c *Config) *slog.Level { return &c.LogLevel }),
	newKey("message", text("text of at most 256 characters", 256), "Message in the response to GET /.",
		func(c *Config) *string { return &c.Message }),
	newKey("listen", address, "Address of the API port.",
		func(c *Config) *string { return &c.Listen }).needsRestart(),
	newKey("adminListen", address, "Address of the admin port.",
		func(c *Config) *string { return &c.AdminListen }).needsRestart(),
	newKey("drain", duration(0, 5*time.Minute),
		"Time after SIGTERM in which requests are still accepted while the pod is not ready.",
		func(c *Config) *time.Duration { return &c.Drain }),
	newKey("startupCheck", oneOf("warn or strict", "warn", "strict"),
		"Reaction to too little memory, CPU, open files or temporary space: log it, or also exit.",
		func(c *Config) *string { return &c.StartupCheck }).needsRestart(),

	newKey("timeouts.readHeader", duration(time.Second, 5*time.Minute),
		"Maximum duration for reading the request header.",
		func(c *Config) *time.Duration { return &c.Timeouts.ReadHeader }).needsRestart(),
	newKey("timeouts.read", duration(time.Second, 10*time.Minute),
		"Maximum duration for reading the entire request.",
		func(c *Config) *time.Duration { return &c.Timeouts.Read }).needsRestart(),
	newKey("timeouts.write", duration(time.Second, 10*time.Minute),
		"Maximum duration from the end of the request header to the end of the response.",
		func(c *Config) *time.Duration { return &c.Timeouts.Write }).needsRestart(),
	newKey("timeouts.idle", duration(time.Second, time.Hour),
		"Maximum duration of an idle keep-alive connection. Longer than the proxy's.",
		func(c *Config) *time.Duration { return &c.Timeouts.Idle }).needsRestart(),
	newKey("timeouts.shutdown", duration(time.Second, 5*time.Minute),
		"Maximum duration for requests in flight to complete after drain.",
		func(c *Config) *time.Duration { return &c.Timeouts.Shutdown }),

	newKey("limits.bodyBytes", integer(1, 16<<20), "Maximum size of a request's body, in bytes.",
		func(c *Config) *int { return &c.Limits.BodyBytes }),
	newKey("limits.requestsInFlight", integer(0, 1_000_000),
		"Maximum number of requests in flight; further ones get 503. 0: one for each 256 KiB of the memory limit.",
		func(c *Config) *int { return &c.Limits.RequestsInFlight }),
	newKey("limits.bodyBytesInFlight", integer(0, 1<<40),
		"Maximum size of the bodies of all requests in flight, in bytes; further requests get 503. "+
			"0: a quarter of the memory limit.",
		func(c *Config) *int { return &c.Limits.BodyBytesInFlight }),
	newKey("limits.logLinesPerSecond", integer(1, 1_000_000),
		"Maximum number of log lines of requests per second, and of those with level error. Further ones are "+
			"dropped and counted.",
		func(c *Config) *int { return &c.Limits.LogLinesPerSecond }),
	newKey("limits.notes", integer(0, 100_000), "Maximum number of notes in memory.",
		func(c *Config) *int { return &c.Limits.Notes }),
	newKey("limits.workIterations", integer(1, 100_000_000),
		"Maximum number of iterations of a work request.",
		func(c *Config) *int { return &c.Limits.WorkIterations }),

	newKey("tracing.sampleRatio", fraction,
		"Fraction of new traces to sample. Default: that of OTEL_TRACES_SAMPLER, otherwise 0.1.",
		func(c *Config) *float64 { return &c.Tracing.SampleRatio }),
	newKey("tracing.trustParent", oneOf("never, direct or always", TrustNever, TrustDirect, TrustAlways),
		"Requests whose traceparent is continued and whose sampling decision is followed: none, those that no "+
			"proxy forwarded (without X-Forwarded-For and Forwarded), or all. Others start a new trace.",
		func(c *Config) *string { return &c.Tracing.TrustParent }),
	newKey("profiling", boolean, "Enables pprof on 127.0.0.1:6060.",
		func(c *Config) *bool { return &c.Profiling }).needsRestart(),
	newKey("upstream", httpURL, "URL for GET /api/relay. Empty: /version of the service itself.",
		func(c *Config) *string { return &c.Upstream }),
}

// faultAccessKeys control who can inject faults.
var faultAccessKeys = keySet{
	newKey("faults.enabled", boolean, "Enables fault injection.",
		func(c *Config) *bool { return &c.Faults.Enabled }),
	newKey("faults.tokenFile", text("a file path, or empty", 4096),
		"File with the bearer token that /faults requires. Empty: none.",
		func(c *Config) *string { return &c.Faults.TokenFile }),
}

// faultKeys are the faults to inject, which the API can also set.
var faultKeys = keySet{
	newKey("faults.errorRate", fraction, "Fraction of API requests that fail.",
		func(c *Config) *float64 { return &c.Faults.Set.ErrorRate }),
	newKey("faults.errorStatus", integer(500, 599), "Status of the failed requests.",
		func(c *Config) *int { return &c.Faults.Set.ErrorStatus }),
	newKey("faults.latency", duration(0, time.Minute), "Delay of each API request.",
		func(c *Config) *time.Duration { return &c.Faults.Set.Latency }),
	newKey("faults.latencyJitter", duration(0, time.Minute),
		"Uniform variation of the latency, in both directions.",
		func(c *Config) *time.Duration { return &c.Faults.Set.LatencyJitter }),
	newKey("faults.cpuBurn", fraction, "Fraction of all CPUs to use.",
		func(c *Config) *float64 { return &c.Faults.Set.CPUBurn }),
	newKey("faults.crashAfter", duration(0, 24*time.Hour),
		"Delay after which the process exits with code 3. 0s: never.",
		func(c *Config) *time.Duration { return &c.Faults.Set.CrashAfter }),
	newKey("faults.memoryLeak", integer(0, 1<<30), "Bytes per second that are allocated and never freed.",
		func(c *Config) *int { return &c.Faults.Set.MemoryLeak }),
	newKey("faults.notReady", boolean, "Makes the readiness probe fail.",
		func(c *Config) *bool { return &c.Faults.Set.NotReady }),
}

func newKey[T comparable](name string, k kind[T], description string, field func(*Config) *T) key {
	return key{
		name:        name,
		description: description,
		allowed:     k.allowed,
		schema:      k.schema,
		set: func(c *Config, raw any) bool {
			value, ok := k.parse(raw)
			if ok {
				*field(c) = value
			}
			return ok
		},
		get:  func(c *Config) any { return *field(c) },
		copy: func(to, from *Config) { *field(to) = *field(from) },
	}
}

func (k key) needsRestart() key {
	k.restart = true
	return k
}

// env returns the name of the key's environment variable: BEACON_FAULTS_ERROR_RATE for
// faults.errorRate.
func (k key) env() string {
	var b strings.Builder
	b.WriteString(EnvPrefix)
	for _, r := range k.name {
		switch {
		case r == '.':
			b.WriteByte('_')
		case unicode.IsUpper(r):
			b.WriteByte('_')
			b.WriteRune(r)
		default:
			b.WriteRune(unicode.ToUpper(r))
		}
	}
	return b.String()
}
