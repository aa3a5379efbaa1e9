// Package elasticsearchexporter replaces the exporter of this name, whose module is not available. It
// sends log records by the bulk API, one document each, in the structure of the mapping mode "otel".
package elasticsearchexporter

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"
)

// Config has those keys of the exporter that this project sets.
type Config struct {
	confighttp.ClientConfig `mapstructure:",squash"`

	Endpoints    []string                        `mapstructure:"endpoints"`
	LogsIndex    string                          `mapstructure:"logs_index"`
	Batcher      Batcher                         `mapstructure:"batcher"`
	Retry        Retry                           `mapstructure:"retry"`
	SendingQueue exporterhelper.QueueBatchConfig `mapstructure:"sending_queue"`
}

// Batcher must be disabled: every batch is one request.
type Batcher struct {
	Enabled bool `mapstructure:"enabled"`
}

// Retry is the time between requests that are sent again. Their number is not limited.
type Retry struct {
	Enabled         bool          `mapstructure:"enabled"`
	MaxRetries      int           `mapstructure:"max_retries"`
	InitialInterval time.Duration `mapstructure:"initial_interval"`
	MaxInterval     time.Duration `mapstructure:"max_interval"`
	RetryOnStatus   []int         `mapstructure:"retry_on_status"`
}

// Validate checks the keys that are required.
func (c *Config) Validate() error {
	if len(c.Endpoints) != 1 || c.LogsIndex == "" || c.Batcher.Enabled {
		return fmt.Errorf("use one of endpoints, logs_index, and batcher::enabled false")
	}
	return nil
}

// NewFactory returns the factory of the exporter.
func NewFactory() exporter.Factory {
	return exporter.NewFactory(
		component.MustNewType("elasticsearch"), defaults,
		exporter.WithLogs(createLogs, component.StabilityLevelDevelopment),
	)
}

func defaults() component.Config {
	return &Config{
		ClientConfig: confighttp.NewDefaultClientConfig(),
		Retry: Retry{
			Enabled:         true,
			InitialInterval: 100 * time.Millisecond,
			MaxInterval:     time.Minute,
			RetryOnStatus:   []int{http.StatusTooManyRequests},
		},
		SendingQueue: exporterhelper.NewDefaultQueueConfig(),
	}
}

func createLogs(
	ctx context.Context, settings exporter.Settings, options component.Config,
) (exporter.Logs, error) {
	config := options.(*Config)
	sender := &sender{config: config, settings: settings.TelemetrySettings}
	backoff := configretry.NewDefaultBackOffConfig()
	backoff.Enabled = config.Retry.Enabled
	backoff.InitialInterval = config.Retry.InitialInterval
	backoff.MaxInterval = config.Retry.MaxInterval
	backoff.MaxElapsedTime = 0
	return exporterhelper.NewLogs(
		ctx, settings, config, sender.send,
		exporterhelper.WithStart(sender.start),
		exporterhelper.WithTimeout(exporterhelper.TimeoutConfig{Timeout: config.Timeout}),
		exporterhelper.WithRetry(backoff),
		exporterhelper.WithQueue(config.SendingQueue),
	)
}

type sender struct {
	config   *Config
	settings component.TelemetrySettings
	client   *http.Client
}

func (s *sender) start(ctx context.Context, host component.Host) (err error) {
	s.client, err = s.config.ToClient(ctx, host, s.settings)
	return err
}

// result is the response to one document.
type result struct {
	Status int `json:"status"`
	Error  struct {
		Type   string `json:"type"`
		Reason string `json:"reason"`
	} `json:"error"`
}

func (s *sender) send(ctx context.Context, logs plog.Logs) error {
	body, err := documents(logs, s.config.LogsIndex)
	if err != nil {
		return consumererror.NewPermanent(err)
	}
	url := strings.TrimSuffix(s.config.Endpoints[0], "/") + "/_bulk"
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return consumererror.NewPermanent(err)
	}
	request.Header.Set("Content-Type", "application/x-ndjson")
	response, err := s.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return s.failed(response.StatusCode, string(answer))
	}
	var parsed struct {
		Items []map[string]result `json:"items"`
	}
	if err := json.Unmarshal(answer, &parsed); err != nil {
		return err
	}
	return s.check(logs, parsed.Items)
}

// check returns an error with the records that Elasticsearch can index later.
func (s *sender) check(logs plog.Logs, items []map[string]result) error {
	number := 0
	again := map[int]bool{}
	for position, item := range items {
		created := item["create"]
		switch {
		case created.Status < http.StatusBadRequest:
		case slices.Contains(s.config.Retry.RetryOnStatus, created.Status):
			again[position] = true
		default:
			s.settings.Logger.Error(
				"failed to index document",
				zap.String("type", created.Error.Type), zap.String("reason", created.Error.Reason),
			)
		}
	}
	if len(again) == 0 {
		return nil
	}
	failed := plog.NewLogs()
	logs.CopyTo(failed)
	failed.ResourceLogs().RemoveIf(func(resource plog.ResourceLogs) bool {
		resource.ScopeLogs().RemoveIf(func(scope plog.ScopeLogs) bool {
			scope.LogRecords().RemoveIf(func(plog.LogRecord) bool {
				number++
				return !again[number-1]
			})
			return scope.LogRecords().Len() == 0
		})
		return resource.ScopeLogs().Len() == 0
	})
	return consumererror.NewLogs(fmt.Errorf("%d documents are not indexed yet", len(again)), failed)
}

func (s *sender) failed(status int, answer string) error {
	err := fmt.Errorf("status %d: %.500s", status, answer)
	if slices.Contains(s.config.Retry.RetryOnStatus, status) {
		return err
	}
	return consumererror.NewPermanent(err)
}

// documents returns the body of a bulk request.
func documents(logs plog.Logs, index string) ([]byte, error) {
	var body bytes.Buffer
	lines := json.NewEncoder(&body)
	action := map[string]any{"create": map[string]string{"_index": index}}
	for _, resource := range logs.ResourceLogs().All() {
		attributes := resource.Resource().Attributes().AsRaw()
		for _, scope := range resource.ScopeLogs().All() {
			for _, record := range scope.LogRecords().All() {
				if err := lines.Encode(action); err != nil {
					return nil, err
				}
				if err := lines.Encode(document(record, attributes)); err != nil {
					return nil, err
				}
			}
		}
	}
	return body.Bytes(), nil
}

func document(record plog.LogRecord, resource map[string]any) map[string]any {
	timestamp := record.Timestamp()
	if timestamp == 0 {
		timestamp = record.ObservedTimestamp()
	}
	document := map[string]any{
		"@timestamp": timestamp.AsTime().Format(time.RFC3339Nano),
		"body":       map[string]any{"text": record.Body().AsString()},
		"attributes": record.Attributes().AsRaw(),
		"resource":   map[string]any{"attributes": resource},
	}
	if text := record.SeverityText(); text != "" {
		document["severity_text"] = text
	}
	if number := record.SeverityNumber(); number != 0 {
		document["severity_number"] = number
	}
	if id := record.TraceID(); !id.IsEmpty() {
		document["trace_id"] = id.String()
	}
	if id := record.SpanID(); !id.IsEmpty() {
		document["span_id"] = id.String()
	}
	return document
}
