package tracing

import (
	"sync/atomic"

	sdk "go.opentelemetry.io/otel/sdk/trace"
)

// ratio samples a share of the traces, which may change while it is in use.
type ratio struct{ current atomic.Pointer[sdk.Sampler] }

func (r *ratio) set(share float64) {
	sampler := sdk.TraceIDRatioBased(share)
	r.current.Store(&sampler)
}

func (r *ratio) ShouldSample(p sdk.SamplingParameters) sdk.SamplingResult {
	return (*r.current.Load()).ShouldSample(p)
}

func (r *ratio) Description() string { return (*r.current.Load()).Description() }
