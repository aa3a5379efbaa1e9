package config

import (
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// EnvPrefix is the prefix of the environment variables that override keys.
const EnvPrefix = "BEACON_"

// A key is one configuration value: its path in the file, its allowed values and its field.
type key struct {
	name    string
	allowed string
	// restart is true if a new value takes effect only after a restart.
	restart bool
	// set returns false if the value is not allowed.
	set  func(*Config, any) bool
	get  func(*Config) any
	copy func(to, from *Config)
}

// envValue is the value of an environment variable. Unlike a string of the file, it may stand for a
// number or a boolean.
type envValue string

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

var generalKeys = keySet{
	newKey("debug", boolean, "true or false", func(c *Config) *bool { return &c.Debug }),
	newKey("logLevel", level, "debug, info, warn or error",
		func(c *Config) *slog.Level { return &c.LogLevel }),
	newKey("message", maxLength(256), "text of at most 256 characters",
		func(c *Config) *string { return &c.Message }),
	newKey("listen", address, addressAllowed, func(c *Config) *string { return &c.Listen }).
		needsRestart(),
	newKey("adminListen", address, addressAllowed,
		func(c *Config) *string { return &c.AdminListen }).needsRestart(),
	durationKey("drain", 0, 5*time.Minute, func(c *Config) *time.Duration { return &c.Drain }),
	newKey("startupCheck", oneOf("warn", "strict"), "warn or strict",
		func(c *Config) *string { return &c.StartupCheck }).needsRestart(),

	durationKey("timeouts.readHeader", time.Second, 5*time.Minute,
		func(c *Config) *time.Duration { return &c.Timeouts.ReadHeader }).needsRestart(),
	durationKey("timeouts.read", time.Second, 10*time.Minute,
		func(c *Config) *time.Duration { return &c.Timeouts.Read }).needsRestart(),
	durationKey("timeouts.write", time.Second, 10*time.Minute,
		func(c *Config) *time.Duration { return &c.Timeouts.Write }).needsRestart(),
	durationKey("timeouts.idle", time.Second, time.Hour,
		func(c *Config) *time.Duration { return &c.Timeouts.Idle }).needsRestart(),
	durationKey("timeouts.shutdown", time.Second, 5*time.Minute,
		func(c *Config) *time.Duration { return &c.Timeouts.Shutdown }),

	intKey("limits.bodyBytes", 1, 16<<20, func(c *Config) *int { return &c.Limits.BodyBytes }),
	intKey("limits.notes", 0, 100_000, func(c *Config) *int { return &c.Limits.Notes }),
	intKey("limits.workIterations", 1, 100_000_000,
		func(c *Config) *int { return &c.Limits.WorkIterations }),

	newKey("tracing.endpoint", httpURL, httpURLAllowed,
		func(c *Config) *string { return &c.Tracing.Endpoint }).needsRestart(),
	newKey("tracing.sampleRatio", fraction, "a number from 0 to 1",
		func(c *Config) *float64 { return &c.Tracing.SampleRatio }),
	newKey("profiling", boolean, "true or false",
		func(c *Config) *bool { return &c.Profiling }).needsRestart(),
	newKey("upstream", httpURL, httpURLAllowed,
		func(c *Config) *string { return &c.Upstream }),
}

// faultAccessKeys control who can inject faults.
var faultAccessKeys = keySet{
	newKey("faults.enabled", boolean, "true or false",
		func(c *Config) *bool { return &c.Faults.Enabled }),
	newKey("faults.tokenFile", maxLength(4096), "a file path, or empty",
		func(c *Config) *string { return &c.Faults.TokenFile }),
}

// faultKeys are the faults to inject, which the API can also set.
var faultKeys = keySet{
	newKey("faults.errorRate", fraction, "a number from 0 to 1",
		func(c *Config) *float64 { return &c.Faults.Set.ErrorRate }),
	intKey("faults.errorStatus", 500, 599,
		func(c *Config) *int { return &c.Faults.Set.ErrorStatus }),
	durationKey("faults.latency", 0, time.Minute,
		func(c *Config) *time.Duration { return &c.Faults.Set.Latency }),
	durationKey("faults.latencyJitter", 0, time.Minute,
		func(c *Config) *time.Duration { return &c.Faults.Set.LatencyJitter }),
	newKey("faults.cpuBurn", fraction, "a number from 0 to 1",
		func(c *Config) *float64 { return &c.Faults.Set.CPUBurn }),
	durationKey("faults.crashAfter", 0, 24*time.Hour,
		func(c *Config) *time.Duration { return &c.Faults.Set.CrashAfter }),
	newKey("faults.notReady", boolean, "true or false",
		func(c *Config) *bool { return &c.Faults.Set.NotReady }),
}

func newKey[T comparable](
	name string, parse func(any) (T, bool), allowed string, field func(*Config) *T,
) key {
	return key{
		name:    name,
		allowed: allowed,
		set: func(c *Config, raw any) bool {
			value, ok := parse(raw)
			if ok {
				*field(c) = value
			}
			return ok
		},
		get:  func(c *Config) any { return *field(c) },
		copy: func(to, from *Config) { *field(to) = *field(from) },
	}
}

func durationKey(name string, low, high time.Duration, field func(*Config) *time.Duration) key {
	parse := func(raw any) (time.Duration, bool) {
		s, ok := str(raw)
		if !ok {
			return 0, false
		}
		d, err := time.ParseDuration(s)
		return d, err == nil && low <= d && d <= high
	}
	return newKey(name, parse, fmt.Sprintf("a duration from %v to %v, like 1.5s", low, high), field)
}

func intKey(name string, low, high int, field func(*Config) *int) key {
	parse := func(raw any) (int, bool) {
		n, ok := raw.(int)
		if s, isEnv := raw.(envValue); isEnv {
			var err error
			n, err = strconv.Atoi(string(s))
			ok = err == nil
		}
		return n, ok && low <= n && n <= high
	}
	return newKey(name, parse, fmt.Sprintf("an integer from %d to %d", low, high), field)
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

func boolean(raw any) (bool, bool) {
	switch v := raw.(type) {
	case bool:
		return v, true
	case envValue:
		return v == "true", v == "true" || v == "false"
	}
	return false, false
}

func fraction(raw any) (float64, bool) {
	var f float64
	switch v := raw.(type) {
	case float64:
		f = v
	case int:
		f = float64(v)
	case envValue:
		var err error
		if f, err = strconv.ParseFloat(string(v), 64); err != nil {
			return 0, false
		}
	default:
		return 0, false
	}
	return f, !math.IsNaN(f) && 0 <= f && f <= 1
}

func level(raw any) (slog.Level, bool) {
	levels := map[string]slog.Level{
		"debug": slog.LevelDebug, "info": slog.LevelInfo,
		"warn": slog.LevelWarn, "error": slog.LevelError,
	}
	s, ok := str(raw)
	if !ok {
		return 0, false
	}
	l, ok := levels[s]
	return l, ok
}

func oneOf(values ...string) func(any) (string, bool) {
	return func(raw any) (string, bool) {
		s, ok := str(raw)
		return s, ok && slices.Contains(values, s)
	}
}

func maxLength(length int) func(any) (string, bool) {
	return func(raw any) (string, bool) {
		s, ok := str(raw)
		return s, ok && len([]rune(s)) <= length
	}
}

const addressAllowed = "host:port or :port, the port from 0 to 65535"

func address(raw any) (string, bool) {
	s, ok := str(raw)
	if !ok {
		return "", false
	}
	_, port, err := net.SplitHostPort(s)
	if err != nil {
		return "", false
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return s, err == nil
}

const httpURLAllowed = "an http or https URL of at most 1024 characters, without user and " +
	"password, or empty"

func httpURL(raw any) (string, bool) {
	s, ok := str(raw)
	if !ok || s == "" || len(s) > 1024 {
		return "", ok && s == ""
	}
	u, err := url.Parse(s)
	return s, err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" &&
		u.User == nil
}

// isPortZero reports whether the system chooses the port of an address.
func isPortZero(address string) bool {
	_, port, _ := net.SplitHostPort(address)
	return port == "0"
}

func str(raw any) (string, bool) {
	switch v := raw.(type) {
	case string:
		return v, true
	case envValue:
		return string(v), true
	}
	return "", false
}
