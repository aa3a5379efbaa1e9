// Package healthcheckv2extension replaces the module of this name, which is not available. It runs
// the first health check extension at the configured HTTP endpoint.
package healthcheckv2extension

import (
	"context"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/healthcheckextension"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/extension"
)

// Config configures the HTTP endpoint, which responds on every path. The other keys are accepted and
// ignored.
type Config struct {
	UseV2 bool           `mapstructure:"use_v2"`
	HTTP  Server         `mapstructure:"http"`
	GRPC  map[string]any `mapstructure:"grpc"`
}

// Server configures the HTTP endpoint. The status key is ignored.
type Server struct {
	confighttp.ServerConfig `mapstructure:",squash"`

	Status map[string]any `mapstructure:"status"`
}

// NewFactory returns the factory of the healthcheckv2 extension.
func NewFactory() extension.Factory {
	return extension.NewFactory(
		component.MustNewType("healthcheckv2"), defaults, create, component.StabilityLevelDevelopment,
	)
}

func defaults() component.Config {
	return &Config{HTTP: Server{ServerConfig: confighttp.ServerConfig{Endpoint: "localhost:13133"}}}
}

func create(
	ctx context.Context, settings extension.Settings, options component.Config,
) (extension.Extension, error) {
	first := healthcheckextension.NewFactory()
	config := first.CreateDefaultConfig().(*healthcheckextension.Config)
	config.ServerConfig = options.(*Config).HTTP.ServerConfig
	settings.ID = component.NewIDWithName(first.Type(), settings.ID.Name())
	return first.Create(ctx, settings, config)
}
