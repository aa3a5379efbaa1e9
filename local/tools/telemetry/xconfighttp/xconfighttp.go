// Package xconfighttp stands in for the module of this name, which cannot be had.
package xconfighttp

import (
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/confighttp/internal"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
)

// WithOtelHTTPOptions adds to how a server's requests are traced.
func WithOtelHTTPOptions(added ...otelhttp.Option) confighttp.ToServerOption {
	return internal.ToServerOptionFunc(func(options *internal.ToServerOptions) {
		options.OtelhttpOpts = append(options.OtelhttpOpts, added...)
	})
}
