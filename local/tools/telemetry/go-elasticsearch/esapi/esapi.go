// Package esapi has the one call that is made of the client.
package esapi

import (
	"errors"
	"io"
)

// Indices is never made.
type Indices struct{}

// Response is never given.
type Response struct{ StatusCode int }

// PutIndexTemplate refuses.
func (*Indices) PutIndexTemplate(string, io.Reader) (*Response, error) {
	return nil, errors.New("built without a client for Elasticsearch")
}
