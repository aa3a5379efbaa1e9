package config

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

func TestAnEmptyFileHasTheDefaults(t *testing.T) {
	for _, data := range []string{"", "# nothing\n", "{}", "faults:\ntimeouts: {}\n"} {
		got, err := Parse("file", []byte(data))
		if err != nil || got != Default() {
			t.Errorf("Parse(%q) = %+v, %v", data, got, err)
		}
	}
}

func TestTheDefaultsAreValid(t *testing.T) {
	c := Default()
	data, err := yaml.Marshal(nest(c.Values()))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Parse("file", data); err != nil || got != c {
		t.Errorf("Parse(%s) = %+v, %v", data, got, err)
	}
}

// nest converts dotted keys to sections.
func nest(values map[string]any) map[string]any {
	nested := map[string]any{}
	for name, value := range values {
		section, inner, found := strings.Cut(name, ".")
		if !found {
			nested[name] = value
			continue
		}
		if nested[section] == nil {
			nested[section] = map[string]any{}
		}
		nested[section].(map[string]any)[inner] = value
	}
	return nested
}

var invalidURLs = []string{
	"5", "'collector:4318'", "grpc://collector", "'http://'", "http:///path", "'http://:80'", "http://h:65536",
	"http://user:password@host", "http://user@host", "'http://a b'", "http://h/%zz",
	"http://h/" + strings.Repeat("x", 1024),
}

// values has a valid value other than the default, and invalid values, for each key.
var values = map[string]struct {
	good string
	bad  []string
}{
	"debug":                    {"true", []string{`"true"`, "1", "yes", "[true]"}},
	"logLevel":                 {"warn", []string{"loud", "WARN", "1", "''"}},
	"message":                  {"Hi", []string{"1", "true", "2026-01-01", "[a]", strings.Repeat("x", 257)}},
	"listen":                   {"127.0.0.1:1234", []string{"8080", "':x'", "':65536'", "'127.0.0.1'"}},
	"adminListen":              {"'[::1]:1234'", []string{"9090", "':-1'", "'a:b:1'"}},
	"drain":                    {"10s", []string{"5", "-1s", "6m", "soon", "true"}},
	"startupCheck":             {"strict", []string{"off", "true"}},
	"timeouts.readHeader":      {"2s", []string{"0s", "2", "6m"}},
	"timeouts.read":            {"20s", []string{"0s", "11m"}},
	"timeouts.write":           {"30s", []string{"999ms", "11m"}},
	"timeouts.idle":            {"90s", []string{"0s", "61m"}},
	"timeouts.shutdown":        {"9s", []string{"0s", "6m"}},
	"limits.bodyBytes":         {"1024", []string{"0", "16777217", "1k", "1.5", "'1024'"}},
	"limits.requestsInFlight":  {"100", []string{"-1", "1000001", "many"}},
	"limits.bodyBytesInFlight": {"1048576.0", []string{"-1", "0.5", "1Mi"}},
	"limits.logLinesPerSecond": {"10", []string{"0", "1000001"}},
	"limits.notes":             {"0", []string{"-1", "100001", "ten"}},
	"limits.workIterations":    {"10", []string{"0", "100000001"}},
	"tracing.sampleRatio":      {"0.25", []string{"-0.1", "1.1", ".nan", "'0.5'", "10%"}},
	"tracing.trustParent":      {"never", []string{"true", "Always", "''"}},
	"profiling":                {"true", []string{"'true'", "1"}},
	"upstream":                 {"'https://[::1]:8443/a?b=c'", invalidURLs},
	"faults.enabled":           {"true", []string{"on", "1"}},
	"faults.tokenFile":         {"/run/token", []string{"5", "{}"}},
	"faults.errorRate":         {"0.5", []string{"-0.1", "1.1", ".nan", "'0.5'", "50%"}},
	"faults.errorStatus":       {"503", []string{"499", "600", "'503'"}},
	"faults.latency":           {"450ms", []string{"-1ms", "61s", "450"}},
	"faults.latencyJitter":     {"20ms", []string{"-1ms", "61s", "20"}},
	"faults.cpuBurn":           {"1", []string{"2", "-1", "all"}},
	"faults.crashAfter":        {"1m", []string{"25h", "true"}},
	"faults.memoryLeak":        {"1048576", []string{"-1", "0.5", "1Mi"}},
	"faults.notReady":          {"true", []string{"'true'", "0"}},
}

func TestEachKeyIsSetByTheFileAndByItsVariable(t *testing.T) {
	for _, k := range keys {
		t.Run(k.name, func(t *testing.T) {
			value, listed := values[k.name]
			if !listed {
				t.Fatal("no test value for this key")
			}
			fromFile, err := Parse("file", []byte(document(k.name, value.good)))
			if err != nil {
				t.Fatal(err)
			}
			if fromFile == Default() {
				t.Error("the file changed nothing")
			}
			variable := k.env() + "=" + strings.Trim(value.good, "'")
			fromEnv, _, err := load("file", nil, []string{variable})
			if err != nil || fromEnv != fromFile {
				t.Errorf("%s gives %+v, %v; the file gives %+v", variable, fromEnv, err, fromFile)
			}
		})
	}
}

func TestAnInvalidValueIsRejectedWithItsKeyAndTheAllowedValues(t *testing.T) {
	for name, value := range values {
		for _, bad := range value.bad {
			t.Run(name+"="+bad[:min(len(bad), 20)], func(t *testing.T) {
				_, err := Parse("some.yaml", []byte(document(name, bad)))
				var problems *Error
				if !errors.As(err, &problems) || len(problems.Problems) != 1 {
					t.Fatalf("the error is %v", err)
				}
				p := problems.Problems[0]
				if p.Value == "" || p.Allowed == "" || !strings.HasPrefix(err.Error(), "some.yaml: "+p.Key) {
					t.Errorf("the error is %v", err)
				}
				if p.Key != name {
					t.Errorf("%s is reported under %s", name, p.Key)
				}
			})
		}
	}
}

func document(name, value string) string {
	section, inner, found := strings.Cut(name, ".")
	if !found {
		return name + ": " + value
	}
	return section + ":\n  " + inner + ": " + value
}

func TestAnInvalidDocumentIsRejected(t *testing.T) {
	for name, test := range map[string]struct{ data, want string }{
		"a list":               {"- debug", "not a YAML mapping"},
		"a scalar":             {"debug", "not a YAML mapping"},
		"broken syntax":        {"debug: [", "not a YAML mapping"},
		"a key twice":          {"debug: true\ndebug: false", "already defined"},
		"two documents":        {"debug: true\n---\ndebug: false", "more than one YAML document"},
		"an unknown key":       {"dbug: true", "dbug: this key is not allowed (allowed: debug, logLevel"},
		"an unknown inner key": {"faults: {rate: 1}", "faults.rate: this key is not allowed (allowed: enabled,"},
		"a section's scalar":   {"faults: 3", "faults: 3 is not allowed (allowed: a section of enabled"},
		"a key's section":      {"debug: {on: true}", "debug: map[on:true] is not allowed"},
		"a key without value":  {"debug:", "debug: an empty value is not allowed (allowed: true or false)"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("f.yaml", []byte(test.data))
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("the error is %v, want one line with %q", err, test.want)
			}
		})
	}
}

func TestAllProblemsAreReportedAtOnce(t *testing.T) {
	_, _, err := load("f.yaml", []byte("debug: 1\nlogLevel: loud\n"), []string{"BEACON_DRAIN=x", "BEACON_NOPE=1"})
	for _, want := range []string{"debug: 1", `logLevel: "loud"`, `BEACON_DRAIN: "x"`, "BEACON_NOPE"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
}

func TestTheEnvironmentTakesPrecedenceOverTheFile(t *testing.T) {
	c, _, err := load("f", []byte("message: file\ndebug: true"), []string{"BEACON_MESSAGE=true", "PATH=/bin"})
	if err != nil || c.Message != "true" || !c.Debug {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestTheSampleRatioIsThatOfOTELTracesSamplerUnlessTheKeyIsSet(t *testing.T) {
	for variables, want := range map[string]float64{
		"": 0.1, "OTEL_TRACES_SAMPLER=": 0.1,
		"OTEL_TRACES_SAMPLER=always_on":                                             1,
		"OTEL_TRACES_SAMPLER=parentbased_always_off":                                0,
		"OTEL_TRACES_SAMPLER=traceidratio":                                          1,
		"OTEL_TRACES_SAMPLER=parentbased_traceidratio OTEL_TRACES_SAMPLER_ARG=0.25": 0.25,
		"OTEL_TRACES_SAMPLER=always_on OTEL_TRACES_SAMPLER_ARG=ignored":             1,
		"OTEL_TRACES_SAMPLER=traceidratio OTEL_TRACES_SAMPLER_ARG=":                 1,
		"OTEL_TRACES_SAMPLER=always_on BEACON_TRACING_SAMPLE_RATIO=0.5":             0.5,
		"OTEL_TRACES_SAMPLER_ARG=0.9":                                               0.1,
	} {
		c, _, err := load("f", nil, strings.Fields(variables))
		if err != nil || c.Tracing.SampleRatio != want {
			t.Errorf("%s gives %v, %v", variables, c.Tracing.SampleRatio, err)
		}
	}
	c, _, err := load("f", []byte("tracing: {sampleRatio: 0.5}"), []string{"OTEL_TRACES_SAMPLER=always_on"})
	if err != nil || c.Tracing.SampleRatio != 0.5 {
		t.Errorf("the file gives %v, %v", c.Tracing.SampleRatio, err)
	}
	for _, variables := range []string{"OTEL_TRACES_SAMPLER=jaeger_remote",
		"OTEL_TRACES_SAMPLER=traceidratio OTEL_TRACES_SAMPLER_ARG=2"} {
		if _, _, err := load("f", nil, strings.Fields(variables)); err == nil {
			t.Errorf("%s is accepted", variables)
		}
	}
}

func TestServiceVariablesOfKubernetesAreIgnored(t *testing.T) {
	links := []string{
		"BEACON_SERVICE_HOST=10.96.0.1", "BEACON_SERVICE_PORT=80", "BEACON_SERVICE_PORT_HTTP=80",
		"BEACON_PORT=tcp://10.96.0.1:80", "BEACON_PORT_80_TCP=tcp://10.96.0.1:80",
		"BEACON_PORT_80_TCP_PROTO=tcp", "BEACON_PORT_80_TCP_PORT=80", "BEACON_PORT_80_TCP_ADDR=10.96.0.1",
		"BEACON_STABLE_SERVICE_HOST=10.96.0.2", "BEACON_CANARY_PORT_80_TCP_ADDR=10.96.0.3",
	}
	if c, _, err := load("f", nil, links); err != nil || c != Default() {
		t.Errorf("%+v, %v", c, err)
	}
	for _, k := range keys {
		if serviceLink.MatchString(k.env()) {
			t.Errorf("%s matches the variable of a Service", k.env())
		}
	}
}

func TestTheVariableOfAKeyIsNamedAfterIt(t *testing.T) {
	for name, want := range map[string]string{
		"debug":                "BEACON_DEBUG",
		"logLevel":             "BEACON_LOG_LEVEL",
		"timeouts.readHeader":  "BEACON_TIMEOUTS_READ_HEADER",
		"faults.latencyJitter": "BEACON_FAULTS_LATENCY_JITTER",
	} {
		if got := (key{name: name}).env(); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}

func TestFaultsAreParsedLikeTheFile(t *testing.T) {
	set, err := ParseFaults("body", []byte(`{"errorRate": 0.5, "latency": "1s"}`))
	want := FaultSet{ErrorRate: 0.5, ErrorStatus: 500, Latency: 1e9}
	if err != nil || set != want {
		t.Errorf("%+v, %v", set, err)
	}
	for _, body := range []string{`{"errorRate": 2}`, `{"enabled": false}`, `{"tokenFile": ""}`, `[]`} {
		if _, err := ParseFaults("body", []byte(body)); err == nil {
			t.Errorf("%s is accepted", body)
		}
	}
}

func TestTheReadmeListsEachKeyWithItsDefault(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	c := Default()
	shown := c.Values()
	for _, k := range keys {
		name := k.name
		if _, isFault := faultKeys.find(func(f key) bool { return f.name == name }); isFault {
			name = strings.TrimPrefix(name, "faults.")
		}
		restart := ""
		if k.restart {
			restart = " ↻"
		}
		text, _ := yaml.Marshal(shown[k.name])
		value := "`" + strings.Trim(strings.TrimSpace(string(text)), `"'`) + "`"
		if shown[k.name] == "" {
			value = "none"
		}
		row := "| `" + name + "`" + restart + " | " + value + " |"
		if !strings.Contains(string(readme), row) {
			t.Errorf("no row %q", row)
		}
	}
}

func FuzzAValidConfigurationRoundTrips(f *testing.F) {
	f.Add([]byte("debug: true\nfaults: {errorRate: 0.5, latency: 1s}\n"))
	f.Add([]byte(`{"timeouts": {"read": "10s"}, "message": "a\u0000b"}`))
	f.Add([]byte("a: &a [*a]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("file", data)
		if err != nil {
			return
		}
		written, err := yaml.Marshal(nest(c.Values()))
		if err != nil {
			t.Fatal(err)
		}
		if again, err := Parse("file", written); err != nil || again != c {
			t.Errorf("%q is read as %+v, %v", written, again, err)
		}
	})
}

func TestUnknownKeysAreIgnoredByTheServiceAndRejectedByTheCheck(t *testing.T) {
	document := []byte("message: old\nfuture: {speed: 3}\nfaults: {weather: bad}\n")
	c, unknown, err := load("f", document, nil)
	if err != nil || c.Message != "old" || !slices.Equal(unknown, []string{"faults.weather", "future"}) {
		t.Errorf("%+v, unknown %v, %v", c, unknown, err)
	}
	if _, err := Parse("f", document); err == nil {
		t.Error("the check accepts unknown keys")
	}
	if _, _, err := load("f", []byte("future: 1\nmessage: [1]\n"), nil); err == nil {
		t.Error("an invalid value beside an unknown key is accepted")
	}
}
