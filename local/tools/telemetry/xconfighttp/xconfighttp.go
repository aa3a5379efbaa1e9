// Package xconfighttp replaces the module of this name, which is not available.
package xconfighttp

import (
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/confighttp/internal"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
)

// WithOtelHTTPOptions adds options to the tracing of a server's requests.
func WithOtelHTTPOptions(added ...otelhttp.Option) confighttp.ToServerOption {
	return internal.ToServerOptionFunc(func(options *internal.ToServerOptions) {
		options.OtelhttpOpts = append(options.OtelhttpOpts, added...)
	})
}
