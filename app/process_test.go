//go:build unix

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"beacon/internal/otlptest"
)

// runMain is the environment variable that makes the test binary run main.
const runMain = "RUN_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(runMain) != "" {
		main()
	}
	os.Exit(m.Run())
}

// deadline bounds each wait for a process.
const deadline = 60 * time.Second

// A process is a running service.
type process struct {
	t          *testing.T
	command    *exec.Cmd
	configFile string
	api, admin string
	lines      chan map[string]any
	exited     chan struct{}
}

// start starts the service on free ports of the loopback interface.
func start(t *testing.T, configuration string, environ ...string) *process {
	t.Helper()
	p := &process{
		t:          t,
		command:    exec.Command(os.Args[0]),
		configFile: filepath.Join(t.TempDir(), "config.yaml"),
		lines:      make(chan map[string]any, 10_000),
		exited:     make(chan struct{}),
	}
	p.write(configuration)
	p.command.Env = append([]string{
		runMain + "=1", "PATH=" + os.Getenv("PATH"), "BEACON_CONFIG=" + p.configFile,
		"BEACON_LISTEN=127.0.0.1:0", "BEACON_ADMIN_LISTEN=127.0.0.1:0",
	}, environ...)
	p.command.Stderr = os.Stderr
	stdout, err := p.command.StdoutPipe()
	if err == nil {
		err = p.command.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.command.Process.Kill()
		<-p.exited
	})
	go func() {
		defer close(p.exited)
		for scanner := bufio.NewScanner(stdout); scanner.Scan(); {
			var line map[string]any
			if err := json.Unmarshal(scanner.Bytes(), &line); err != nil {
				line = map[string]any{"message": "not JSON: " + scanner.Text()}
			}
			p.lines <- line
		}
		close(p.lines)
		_ = p.command.Wait()
	}()
	return p
}

// serving waits until both ports are listening.
func (p *process) serving() *process {
	p.t.Helper()
	p.api = "http://" + p.logged("listening")["address"].(string)
	p.admin = "http://" + p.logged("listening")["address"].(string)
	return p
}

// write replaces the configuration file atomically.
func (p *process) write(configuration string) {
	p.t.Helper()
	temporary := p.configFile + ".new"
	if err := errors.Join(os.WriteFile(temporary, []byte(configuration), 0o600),
		os.Rename(temporary, p.configFile)); err != nil {
		p.t.Fatal(err)
	}
}

// logged waits for the next line with the message.
func (p *process) logged(message string) map[string]any {
	p.t.Helper()
	timeout := time.After(deadline)
	var seen []string
	for {
		select {
		case line, open := <-p.lines:
			if !open {
				p.t.Fatalf("the process exited without logging %q: %q", message, seen)
			}
			if line["message"] == message {
				return line
			}
			seen = append(seen, fmt.Sprint(line))
		case <-timeout:
			p.t.Fatalf("%q was not logged within %s: %q", message, deadline, seen)
		}
	}
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.command.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// code waits until the process exits and returns its exit code.
func (p *process) code() int {
	p.t.Helper()
	select {
	case <-p.exited:
		return p.command.ProcessState.ExitCode()
	case <-time.After(deadline):
		p.t.Fatalf("the process did not exit within %s", deadline)
		return -1
	}
}

func get(client *http.Client, url string) (int, error) {
	response, err := client.Get(url)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, errors.Join(err, response.Body.Close())
}

// A loadGenerator sends requests over persistent connections, like an ingress controller.
type loadGenerator struct {
	client *http.Client
	sent   atomic.Int64
	stop   chan struct{}
	wait   sync.WaitGroup
}

func load(t *testing.T, url string, workers int) *loadGenerator {
	b := &loadGenerator{
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: workers}, Timeout: deadline},
		stop:   make(chan struct{}),
	}
	for range workers {
		b.wait.Go(func() {
			for {
				select {
				case <-b.stop:
					return
				default:
				}
				// http.Transport does not retry a POST.
				response, err := b.client.Post(url+"/api/v1/echo", "text/plain", strings.NewReader("x"))
				if err == nil {
					_, err = io.Copy(io.Discard, response.Body)
					err = errors.Join(err, response.Body.Close())
				}
				b.sent.Add(1)
				if err != nil || response.StatusCode != http.StatusOK {
					t.Errorf("a request failed: %v", err)
					return
				}
			}
		})
	}
	return b
}

func (b *loadGenerator) end() {
	close(b.stop)
	b.wait.Wait()
}

func TestNoRequestFailsDuringAShutdownUnderLoad(t *testing.T) {
	p := start(t, "faults: {enabled: true, latency: 20ms, latencyJitter: 20ms}\n").serving()
	b := load(t, p.api, 16)
	for b.sent.Load() < 200 {
		time.Sleep(time.Millisecond)
	}
	p.signal(syscall.SIGTERM)
	p.logged("draining")
	atSignal := b.sent.Load()

	// Requests arrive until the endpoints are updated.
	time.Sleep(time.Second)
	if status, err := get(b.client, p.api+"/ready"); err != nil || status != http.StatusServiceUnavailable {
		t.Errorf("while draining /ready returns %d, %v", status, err)
	}
	if status, err := get(b.client, p.admin+"/metrics"); err != nil || status != http.StatusOK {
		t.Errorf("while draining /metrics returns %d, %v", status, err)
	}
	b.end()
	if code := p.code(); code != 0 {
		t.Errorf("the exit code is %d", code)
	}
	if b.sent.Load() <= atSignal {
		t.Error("no request was sent while draining")
	}
}

func TestARequestInFlightIsCompletedAfterTheDrain(t *testing.T) {
	p := start(t, "drain: 0s\nfaults: {enabled: true, latency: 1s}\n").serving()
	result := make(chan error, 1)
	go func() {
		status, err := get(&http.Client{Timeout: deadline}, p.api+"/")
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("status %d", status)
		}
		result <- err
	}()
	p.inFlight(1)
	p.signal(syscall.SIGTERM)
	if err := <-result; err != nil {
		t.Error(err)
	}
	if code := p.code(); code != 0 {
		t.Errorf("the exit code is %d", code)
	}
}

func TestARequestThatExceedsTheShutdownTimeoutIsAbortedAndLogged(t *testing.T) {
	p := start(t, "drain: 0s\ntimeouts: {shutdown: 1s}\nfaults: {enabled: true, latency: 50s}\n").serving()
	go func() { _, _ = get(&http.Client{Timeout: deadline}, p.api+"/") }()
	p.inFlight(1)
	p.signal(os.Interrupt)
	line := p.logged("server failed")
	if code := p.code(); code != exitFailed || !strings.Contains(fmt.Sprint(line["error"]), "timeouts.shutdown (1s)") {
		t.Errorf("code %d, %v", code, line)
	}
}

// inFlight waits until the given number of requests is in flight.
func (p *process) inFlight(want int) {
	p.t.Helper()
	for end := time.Now().Add(deadline); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if p.metric("http_requests_in_flight") == float64(want) {
			return
		}
	}
	p.t.Fatalf("there were not %d requests in flight within %s", want, deadline)
}

// metric returns the value of a metric without labels.
func (p *process) metric(name string) float64 {
	p.t.Helper()
	response, err := http.Get(p.admin + "/metrics")
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	for scanner := bufio.NewScanner(response.Body); scanner.Scan(); {
		if value, found := strings.CutPrefix(scanner.Text(), name+" "); found {
			number, err := strconv.ParseFloat(value, 64)
			if err != nil {
				p.t.Fatal(err)
			}
			return number
		}
	}
	p.t.Fatalf("no metric %s", name)
	return 0
}

func TestASecondSignalEndsTheProcessAtOnce(t *testing.T) {
	p := start(t, "drain: 5m\n").serving()
	p.signal(syscall.SIGTERM)
	p.logged("draining")
	p.signal(syscall.SIGTERM)
	if code := p.code(); code != exitFailed {
		t.Errorf("the exit code is %d", code)
	}
}

func TestAChangedConfigurationFileIsReloaded(t *testing.T) {
	p := start(t, "message: one\n", "TRACK=canary", "POD_NAME=pod-1", "POD_NAMESPACE=ns").serving()
	p.write("message: two\nfaults: {enabled: true, notReady: true}\n")
	p.logged("configuration reloaded")
	response, err := http.Get(p.api + "/")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	want := `{"service":"beacon","version":"dev","track":"canary","pod":"pod-1","namespace":"ns","message":"two"}`
	if err = errors.Join(err, response.Body.Close()); err != nil || strings.TrimSpace(string(body)) != want {
		t.Errorf("the response is %s, %v", body, err)
	}
	p.write("message: [\n")
	p.logged("invalid configuration, keeping the current one")
	if status, err := get(http.DefaultClient, p.api+"/ready"); err != nil || status != http.StatusServiceUnavailable {
		t.Errorf("with the previous configuration /ready returns %d, %v", status, err)
	}
}

func TestAnInvalidConfigurationFailsTheStart(t *testing.T) {
	p := start(t, "drain: soon\n", "BEACON_DEBUG=maybe")
	line := p.logged("invalid configuration")
	for _, want := range []string{`drain: "soon" is not allowed`, `BEACON_DEBUG: "maybe" is not allowed`} {
		if !strings.Contains(fmt.Sprint(line["error"]), want) {
			t.Errorf("%q is not in %v", want, line["error"])
		}
	}
	if code := p.code(); code != exitInvalid {
		t.Errorf("the exit code is %d", code)
	}
}

func TestAPortInUseFailsTheStart(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	for _, variable := range []string{"BEACON_LISTEN", "BEACON_ADMIN_LISTEN"} {
		p := start(t, "", variable+"="+taken.Addr().String())
		line := p.logged("server failed")
		if code := p.code(); code != exitFailed || !strings.Contains(fmt.Sprint(line["error"]), "address already in use") {
			t.Errorf("code %d, %v", code, line)
		}
	}
}

func TestAShortfallFailsTheStartOnlyIfTheStartupCheckIsStrict(t *testing.T) {
	noTemp := "TMPDIR=" + filepath.Join(t.TempDir(), "none")
	p := start(t, "startupCheck: strict\n", noTemp)
	if line := p.logged("startup check"); line["ok"] != false || line["level"] != "warn" {
		t.Errorf("the check is %v", line)
	}
	if code := p.code(); code != exitFailed {
		t.Errorf("the exit code is %d", code)
	}
	p = start(t, "startupCheck: warn\n", noTemp)
	if line := p.logged("startup check"); line["ok"] != false {
		t.Errorf("the check is %v", line)
	}
	p.serving()
}

func TestTheLastSpansAreExportedAtShutdown(t *testing.T) {
	receiver := otlptest.New(t)
	p := start(t, "drain: 0s\ntracing: {sampleRatio: 1}\n", "OTEL_EXPORTER_OTLP_ENDPOINT="+receiver.URL,
		"TRACK=canary", "POD_NAME=pod-1", "POD_NAMESPACE=ns").serving()
	for range 10 {
		if status, err := get(http.DefaultClient, p.api+"/api/relay"); err != nil || status != http.StatusOK {
			t.Fatal(status, err)
		}
	}
	p.signal(syscall.SIGTERM)
	if code := p.code(); code != 0 {
		t.Errorf("the exit code is %d", code)
	}
	traces := map[string]int{}
	for _, span := range receiver.Spans() {
		traces[span.TraceID]++
		if span.Resource["service.name"] != "beacon" || span.Resource["k8s.pod.name"] != "pod-1" {
			t.Errorf("the span is %+v", span)
		}
	}
	for trace, spans := range traces {
		if spans != 3 {
			t.Errorf("the trace %s has %d spans", trace, spans)
		}
	}
	if len(traces) != 10 {
		t.Errorf("%d traces were exported", len(traces))
	}
}

func TestTheVariablesOfOpenTelemetryAreFollowed(t *testing.T) {
	receiver := otlptest.New(t)
	p := start(t, "drain: 0s\n", "OTEL_SERVICE_NAME=shop", "OTEL_RESOURCE_ATTRIBUTES=team=a,k8s.pod.name=pod-2",
		"OTEL_TRACES_SAMPLER=always_on", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT="+receiver.URL+"/v1/traces")
	if line := p.logged("starting"); line["service"] != "shop" {
		t.Errorf("the log line is %v", line)
	}
	if status, err := get(http.DefaultClient, p.serving().api+"/"); err != nil || status != http.StatusOK {
		t.Fatal(status, err)
	}
	p.signal(syscall.SIGTERM)
	if code := p.code(); code != 0 {
		t.Errorf("the exit code is %d", code)
	}
	spans := receiver.Spans()
	if len(spans) != 1 || spans[0].Resource["service.name"] != "shop" ||
		spans[0].Resource["team"] != "a" || spans[0].Resource["k8s.pod.name"] != "pod-2" {
		t.Errorf("the spans are %+v", spans)
	}
}

func TestErrorsOfTheSDKAreLogged(t *testing.T) {
	p := start(t, "", "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1", "OTEL_RESOURCE_ATTRIBUTES=broken")
	if line := p.logged("tracing"); line["level"] != "warn" || !strings.Contains(fmt.Sprint(line["error"]), "broken") {
		t.Errorf("the log line is %v", line)
	}
	p.serving()
}

func TestAnExporterOtherThanOTLPFailsTheStart(t *testing.T) {
	p := start(t, "", "OTEL_TRACES_EXPORTER=zipkin")
	line := p.logged("cannot export traces")
	if code := p.code(); code != exitFailed || !strings.Contains(fmt.Sprint(line["error"]), `"zipkin" is not allowed`) {
		t.Errorf("code %d, %v", code, line)
	}
}

func TestNoSpanIsExportedWithTheExporterNone(t *testing.T) {
	receiver := otlptest.New(t)
	p := start(t, "drain: 0s\ntracing: {sampleRatio: 1}\n", "OTEL_TRACES_EXPORTER=none",
		"OTEL_EXPORTER_OTLP_ENDPOINT="+receiver.URL).serving()
	if status, err := get(http.DefaultClient, p.api+"/"); err != nil || status != http.StatusOK {
		t.Fatal(status, err)
	}
	p.signal(syscall.SIGTERM)
	if code := p.code(); code != 0 || receiver.Requests() != 0 {
		t.Errorf("code %d, %d exports", code, receiver.Requests())
	}
}

// memoryLimit is the default GOMEMLIMIT of the service: 90 % of 512 MiB.
const memoryLimit = 460 << 20

func TestConcurrentBodiesStayBelowTheMemoryLimit(t *testing.T) {
	p := start(t, "timeouts: {read: 1m}\n", fmt.Sprintf("GOMEMLIMIT=%d", memoryLimit)).serving()
	const requests = 500
	// Quotes take twice the space in the response.
	body := bytes.Repeat([]byte(`"`), 1<<20)
	var (
		// held waits until each client has sent all of its body but a byte, or got a response.
		held, clients            sync.WaitGroup
		served, refused, aborted atomic.Int64
	)
	held.Add(requests)
	for range requests {
		clients.Go(func() {
			reached := sync.OnceFunc(held.Done)
			last := readerFunc(func(p []byte) (int, error) {
				reached()
				held.Wait()
				return copy(p, `"`), io.EOF
			})
			request, err := http.NewRequest(http.MethodPost, p.api+"/api/v1/echo",
				io.MultiReader(bytes.NewReader(body[1:]), last))
			if err != nil {
				t.Error(err)
				return
			}
			request.ContentLength = int64(len(body))
			response, err := (&http.Client{Transport: &http.Transport{}, Timeout: 2 * deadline}).Do(request)
			reached()
			if err != nil {
				// The service closes the connection of a refused client that is still sending.
				aborted.Add(1)
				return
			}
			length, err := io.Copy(io.Discard, response.Body)
			if err = errors.Join(err, response.Body.Close()); err != nil {
				t.Error(err)
			}
			switch {
			case response.StatusCode == http.StatusOK && length > int64(2*len(body)):
				served.Add(1)
			case response.StatusCode == http.StatusServiceUnavailable && response.Header.Get("Retry-After") != "":
				refused.Add(1)
			default:
				t.Errorf("the response is %s with %d bytes", response.Status, length)
			}
		})
	}
	clients.Wait()
	t.Logf("%d served, %d refused, %d aborted", served.Load(), refused.Load(), aborted.Load())
	if served.Load() == 0 || refused.Load() == 0 {
		t.Error("no request was served, or none refused")
	}
	// The memory that the Go runtime has ever obtained from the system.
	if got := p.metric("go_memstats_sys_bytes"); got > 512<<20 {
		t.Errorf("the service used %.0f MiB", got/(1<<20))
	} else {
		t.Logf("the service used %.0f MiB", got/(1<<20))
	}
	if status, err := get(http.DefaultClient, p.api+"/"); err != nil || status != http.StatusOK {
		t.Errorf("afterwards / returns %d, %v", status, err)
	}
	if got := p.metric("beacon_request_body_bytes"); got != 0 {
		t.Errorf("afterwards %.0f bytes of bodies are counted", got)
	}
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestAnUnreachableReceiverDoesNotDelayTheShutdown(t *testing.T) {
	p := start(t, "drain: 0s\ntracing: {sampleRatio: 1}\n", "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1").serving()
	if status, err := get(http.DefaultClient, p.api+"/"); err != nil || status != http.StatusOK {
		t.Fatal(status, err)
	}
	began := time.Now()
	p.signal(syscall.SIGTERM)
	if line := p.logged("trace export failed"); line["level"] != "warn" {
		t.Errorf("the log line is %v", line)
	}
	if code, took := p.code(), time.Since(began); code != 0 || took > 10*time.Second {
		t.Errorf("code %d after %s", code, took)
	}
}

func TestAnInjectedCrashExitsWithItsCode(t *testing.T) {
	p := start(t, "faults: {enabled: true, crashAfter: 10ms}\n")
	p.logged("injected crash")
	if code := p.code(); code != 3 {
		t.Errorf("the exit code is %d", code)
	}
}
