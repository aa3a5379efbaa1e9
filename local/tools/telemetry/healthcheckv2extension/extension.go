// Package healthcheckv2extension stands in for the module of this name, which cannot be had: it
// answers as the health check extension before it does, at the address of its own configuration.
package healthcheckv2extension

import (
	"context"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/healthcheckextension"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/extension"
)

// Config has the address for health checks over HTTP: every path there answers. The other keys
// are read and without effect.
type Config struct {
	UseV2 bool           `mapstructure:"use_v2"`
	HTTP  Server         `mapstructure:"http"`
	GRPC  map[string]any `mapstructure:"grpc"`
}

// Server is the address, and what is asked of it.
type Server struct {
	confighttp.ServerConfig `mapstructure:",squash"`

	Status map[string]any `mapstructure:"status"`
}

// NewFactory makes extensions of type healthcheckv2.
func NewFactory() extension.Factory {
	return extension.NewFactory(
		component.MustNewType("healthcheckv2"), defaults, create, component.StabilityLevelDevelopment,
	)
}

func defaults() component.Config {
	return &Config{HTTP: Server{ServerConfig: confighttp.ServerConfig{Endpoint: "localhost:13133"}}}
}

func create(
	ctx context.Context, settings extension.Settings, given component.Config,
) (extension.Extension, error) {
	before := healthcheckextension.NewFactory()
	config := before.CreateDefaultConfig().(*healthcheckextension.Config)
	config.ServerConfig = given.(*Config).HTTP.ServerConfig
	settings.ID = component.NewIDWithName(before.Type(), settings.ID.Name())
	return before.Create(ctx, settings, config)
}
