// Package internal contains the Jaeger components that this project configures. The others take most
// of the build time, and some do not compile with the Collector version pinned here.
package internal

import (
	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/healthcheckv2extension"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/batchprocessor"
	"go.opentelemetry.io/collector/processor/memorylimiterprocessor"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"

	"github.com/jaegertracing/jaeger/cmd/jaeger/internal/exporters/storageexporter"
	"github.com/jaegertracing/jaeger/cmd/jaeger/internal/extension/jaegerquery"
	"github.com/jaegertracing/jaeger/cmd/jaeger/internal/extension/jaegerstorage"
)

// Components returns the components that a configuration can use.
func Components() (otelcol.Factories, error) {
	return otelcol.Factories{
		Extensions: byType[extension.Factory](
			healthcheckv2extension.NewFactory(),
			jaegerquery.NewFactory(),
			jaegerstorage.NewFactory(),
		),
		Receivers: byType[receiver.Factory](otlpreceiver.NewFactory()),
		Exporters: byType[exporter.Factory](storageexporter.NewFactory()),
		Processors: byType[processor.Factory](
			batchprocessor.NewFactory(),
			memorylimiterprocessor.NewFactory(),
		),
	}, nil
}

func byType[F component.Factory](factories ...F) map[component.Type]F {
	found := make(map[component.Type]F, len(factories))
	for _, factory := range factories {
		found[factory.Type()] = factory
	}
	return found
}
