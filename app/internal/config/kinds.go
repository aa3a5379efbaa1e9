package config

import (
	"fmt"
	"log/slog"
	"math"
	"regexp"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// A kind is a set of values: in words, in JSON Schema, and as the parser that accepts them.
type kind[T comparable] struct {
	allowed string
	schema  map[string]any
	parse   func(any) (T, bool)
}

// envValue is the value of an environment variable. Unlike a string of the file, it may stand for a
// number or a boolean.
type envValue string

var boolean = kind[bool]{
	allowed: "true or false",
	schema:  map[string]any{"type": "boolean"},
	parse: func(raw any) (bool, bool) {
		switch v := raw.(type) {
		case bool:
			return v, true
		case envValue:
			return v == "true", v == "true" || v == "false"
		}
		return false, false
	},
}

var fraction = kind[float64]{
	allowed: "a number from 0 to 1",
	schema:  map[string]any{"type": "number", "minimum": 0, "maximum": 1},
	parse: func(raw any) (float64, bool) {
		f, ok := number(raw)
		return f, ok && 0 <= f && f <= 1
	},
}

func integer(low, high int) kind[int] {
	return kind[int]{
		allowed: fmt.Sprintf("an integer from %d to %d", low, high),
		schema:  map[string]any{"type": "integer", "minimum": low, "maximum": high},
		parse: func(raw any) (int, bool) {
			f, ok := number(raw)
			return int(f), ok && f == math.Trunc(f) && float64(low) <= f && f <= float64(high)
		},
	}
}

// number returns false for NaN as well.
func number(raw any) (float64, bool) {
	switch v := raw.(type) {
	case int:
		return float64(v), true
	case float64:
		return v, !math.IsNaN(v)
	case envValue:
		f, err := strconv.ParseFloat(string(v), 64)
		return f, err == nil && !math.IsNaN(f)
	}
	return 0, false
}

func duration(low, high time.Duration) kind[time.Duration] {
	return kind[time.Duration]{
		allowed: fmt.Sprintf("a duration from %s to %s, like 1.5s",
			formatDuration(low), formatDuration(high)),
		schema: map[string]any{
			"type": "string", "format": "go-duration",
			"formatMinimum": formatDuration(low), "formatMaximum": formatDuration(high),
		},
		parse: func(raw any) (time.Duration, bool) {
			s, ok := str(raw)
			if !ok {
				return 0, false
			}
			d, err := time.ParseDuration(s)
			return d, err == nil && low <= d && d <= high
		},
	}
}

// formatDuration is time.Duration.String without trailing zero units: 5m for 5m0s.
func formatDuration(d time.Duration) string {
	text := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if n := len(text) - len(zero); n > 0 && text[n:] == zero {
			text = text[:n+1]
		}
	}
	return text
}

var levels = map[string]slog.Level{
	"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
}

var level = kind[slog.Level]{
	allowed: "debug, info, warn or error",
	schema:  map[string]any{"enum": []string{"debug", "info", "warn", "error"}},
	parse: func(raw any) (slog.Level, bool) {
		s, _ := str(raw)
		l, ok := levels[s]
		return l, ok
	},
}

func oneOf(allowed string, values ...string) kind[string] {
	return kind[string]{
		allowed: allowed,
		schema:  map[string]any{"enum": values},
		parse: func(raw any) (string, bool) {
			s, ok := str(raw)
			return s, ok && slices.Contains(values, s)
		},
	}
}

func text(allowed string, maxLength int) kind[string] {
	return kind[string]{
		allowed: allowed,
		schema:  map[string]any{"type": "string", "maxLength": maxLength},
		parse: func(raw any) (string, bool) {
			s, ok := str(raw)
			return s, ok && utf8.RuneCountInString(s) <= maxLength
		},
	}
}

// pattern is text that matches a regular expression of Go and of ECMAScript.
func pattern(allowed string, maxLength int, expression string) kind[string] {
	k, matches := text(allowed, maxLength), regexp.MustCompile(expression).MatchString
	k.schema["pattern"] = expression
	k.schema["patternErrorMessage"] = "use " + allowed
	short := k.parse
	k.parse = func(raw any) (string, bool) {
		s, ok := short(raw)
		return s, ok && matches(s)
	}
	return k
}

const portNumber = `(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5]?[0-9]{1,4})`

var address = pattern("host:port or :port, the port from 0 to 65535", 256,
	`^(\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9._-]*):`+portNumber+`$`)

var httpURL = pattern("an http or https URL of at most 1024 characters, without user and password, or empty",
	1024, `^(https?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:`+portNumber+`)?`+
		`([/?#]([!-$&-~]|%[0-9A-Fa-f]{2})*)?)?$`)

func str(raw any) (string, bool) {
	switch v := raw.(type) {
	case string:
		return v, true
	case envValue:
		return string(v), true
	}
	return "", false
}
