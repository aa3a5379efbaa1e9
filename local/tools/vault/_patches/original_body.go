package logical

import (
	"context"
	"io"
)

type contextKeyOriginalBody struct{}

// ContextOriginalBodyValue is the body of the HTTP request. This release of the SDK does not have it.
func ContextOriginalBodyValue(ctx context.Context) (io.ReadCloser, bool) {
	value, ok := ctx.Value(contextKeyOriginalBody{}).(io.ReadCloser)
	return value, ok
}

// CreateContextOriginalBody adds the body of the HTTP request to a context.
func CreateContextOriginalBody(parent context.Context, body io.ReadCloser) context.Context {
	return context.WithValue(parent, contextKeyOriginalBody{}, body)
}
