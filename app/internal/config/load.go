package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// A Problem is one invalid value.
type Problem struct {
	Key     string
	Value   string
	Allowed string
}

func (p Problem) String() string {
	return fmt.Sprintf("%s: %s is not allowed (allowed: %s)", p.Key, p.Value, p.Allowed)
}

// Error holds all problems of one source.
type Error struct {
	Source   string
	Problems []Problem
}

func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = e.Source + ": " + p.String()
	}
	return strings.Join(lines, "\n")
}

// Parse returns the configuration of a YAML (or JSON) document, with defaults for missing keys. Errors
// name the source.
func Parse(source string, data []byte) (Config, error) {
	c := Default()
	if _, err := c.applyFile(source, keys, "", data, rejectUnknown); err != nil {
		return Config{}, err
	}
	return c, nil
}

// ParseFaults returns the fault set of a document, whose keys are those of the section faults except
// enabled and tokenFile.
func ParseFaults(source string, data []byte) (FaultSet, error) {
	c := Default()
	if _, err := c.applyFile(source, faultKeys, "faults.", data, rejectUnknown); err != nil {
		return FaultSet{}, err
	}
	return c.Faults.Set, nil
}

// FaultValues returns the values of a fault set by key, in the format of the file.
func FaultValues(set FaultSet) map[string]any {
	return (&Config{Faults: Faults{Set: set}}).values(faultKeys, "faults.")
}

// load returns the configuration of a document and the environment, and the unknown keys of the
// document. Those are no error: after a rollback the older version reads the configuration of the
// newer one.
func load(path string, data []byte, environ []string) (Config, []string, error) {
	c := Default()
	samplerErr := c.applySampler(environ)
	unknown, err := c.applyFile(path, keys, "", data, ignoreUnknown)
	if err := errors.Join(samplerErr, err, c.applyEnv(environ)); err != nil {
		return Config{}, nil, err
	}
	return c, unknown, nil
}

const (
	rejectUnknown = true
	ignoreUnknown = false
)

// applyFile returns the unknown keys if they are ignored.
func (c *Config) applyFile(
	source string, in keySet, prefix string, data []byte, reject bool,
) (unknown []string, err error) {
	document := map[string]any{}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	if err := decoder.Decode(&document); err != nil && !errors.Is(err, io.EOF) {
		reason := err.Error()
		if wrong, ok := errors.AsType[*yaml.TypeError](err); ok {
			reason = strings.Join(wrong.Errors, "; ")
		}
		return nil, fmt.Errorf("%s: not a YAML mapping: %s", source, reason)
	}
	if decoder.Decode(&yaml.Node{}) != io.EOF {
		return nil, fmt.Errorf("%s: more than one YAML document", source)
	}
	problems, unrecognized := c.applySection(in, prefix, document)
	if reject {
		problems = append(problems, unrecognized...)
	} else {
		for _, p := range unrecognized {
			unknown = append(unknown, p.Key)
		}
	}
	if len(problems) > 0 {
		return nil, &Error{source, problems}
	}
	return unknown, nil
}

// applySection returns the invalid values and the unknown keys.
func (c *Config) applySection(
	in keySet, prefix string, section map[string]any,
) (problems, unknown []Problem) {
	for _, name := range slices.Sorted(maps.Keys(section)) {
		value, path := section[name], prefix+name
		k, isKey := in.find(func(k key) bool { return k.name == path })
		inner, isSection := value.(map[string]any)
		switch {
		case isKey && !k.set(c, value):
			problems = append(problems, Problem{path, format(value), k.allowed})
		case isKey:
		case in.names(path+".") == "":
			unknown = append(unknown, Problem{path, "this key", in.names(prefix)})
		case isSection:
			p, u := c.applySection(in, path+".", inner)
			problems, unknown = append(problems, p...), append(unknown, u...)
		case value != nil:
			problems = append(problems, Problem{path, format(value),
				"a section of " + in.names(path+".")})
		}
	}
	return problems, unknown
}

// serviceLink matches the environment variables that Kubernetes sets for each Service of the pod's
// namespace. Those of a Service named beacon have EnvPrefix too.
var serviceLink = regexp.MustCompile(`_SERVICE_HOST$|_SERVICE_PORT(_[A-Z0-9_]+)?$|` +
	`_PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?$`)

func (c *Config) applyEnv(environ []string) error {
	var problems []Problem
	for _, variable := range environ {
		name, value, _ := strings.Cut(variable, "=")
		if !strings.HasPrefix(name, EnvPrefix) || name == EnvPrefix+"CONFIG" {
			continue
		}
		k, isKey := keys.find(func(k key) bool { return k.env() == name })
		switch {
		case isKey && !k.set(c, envValue(value)):
			problems = append(problems, Problem{name, format(value), k.allowed})
		case !isKey && !serviceLink.MatchString(name):
			problems = append(problems, Problem{name, "this variable",
				"BEACON_CONFIG and BEACON_<KEY>, for example BEACON_LOG_LEVEL"})
		}
	}
	if len(problems) > 0 {
		return &Error{"environment", problems}
	}
	return nil
}

// applySampler sets tracing.sampleRatio from OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG. Whether the
// sampler is parentbased_ makes no difference: tracing.trustParent says whose decision is followed.
func (c *Config) applySampler(environ []string) error {
	sampler, _ := lookup(environ, "OTEL_TRACES_SAMPLER")
	switch strings.TrimPrefix(sampler, "parentbased_") {
	case "":
	case "always_on":
		c.Tracing.SampleRatio = 1
	case "always_off":
		c.Tracing.SampleRatio = 0
	case "traceidratio":
		c.Tracing.SampleRatio = 1
		argument, set := lookup(environ, "OTEL_TRACES_SAMPLER_ARG")
		if !set || argument == "" {
			break
		}
		ratio, ok := fraction.parse(envValue(argument))
		if !ok {
			return &Error{"environment", []Problem{
				{"OTEL_TRACES_SAMPLER_ARG", format(argument), fraction.allowed},
			}}
		}
		c.Tracing.SampleRatio = ratio
	default:
		return &Error{"environment", []Problem{{"OTEL_TRACES_SAMPLER", format(sampler),
			"always_on, always_off or traceidratio, also with the prefix parentbased_"}}}
	}
	return nil
}

// Values returns all values by key, in the format of the file.
func (c *Config) Values() map[string]any { return c.values(keys, "") }

func (c *Config) values(in keySet, prefix string) map[string]any {
	values := map[string]any{}
	for _, k := range in {
		name := strings.TrimPrefix(k.name, prefix)
		switch value := k.get(c).(type) {
		case time.Duration:
			values[name] = formatDuration(value)
		case slog.Level:
			values[name] = strings.ToLower(value.String())
		default:
			values[name] = value
		}
	}
	return values
}

func format(value any) string {
	if value == nil {
		return "an empty value"
	}
	shown := fmt.Sprintf("%v", value)
	if _, ok := value.(string); ok {
		shown = fmt.Sprintf("%q", value)
	}
	if len(shown) > 100 {
		shown = shown[:100] + "…"
	}
	return shown
}

// CheckFile validates a file without the environment.
func CheckFile(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	_, err = Parse(path, data)
	return err
}
