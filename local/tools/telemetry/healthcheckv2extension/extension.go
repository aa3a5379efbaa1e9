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

// Config has the keys for health checks over HTTP; the others are read and without effect.
type Config struct {
	UseV2 bool                    `mapstructure:"use_v2"`
	HTTP  confighttp.ServerConfig `mapstructure:"http"`
	GRPC  map[string]any          `mapstructure:"grpc"`
}

// NewFactory makes extensions of type healthcheckv2.
func NewFactory() extension.Factory {
	return extension.NewFactory(
		component.MustNewType("healthcheckv2"), defaults, create, component.StabilityLevelDevelopment,
	)
}

func defaults() component.Config {
	return &Config{HTTP: confighttp.ServerConfig{Endpoint: "localhost:13133"}}
}

func create(
	ctx context.Context, settings extension.Settings, given component.Config,
) (extension.Extension, error) {
	before := healthcheckextension.NewFactory()
	config := before.CreateDefaultConfig().(*healthcheckextension.Config)
	config.ServerConfig = given.(*Config).HTTP
	settings.ID = component.NewIDWithName(before.Type(), settings.ID.Name())
	return before.Create(ctx, settings, config)
}
