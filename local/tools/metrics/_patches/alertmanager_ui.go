// Package ui replaces Alertmanager's web UI, whose built files are not in its Go module.
package ui

import (
	"io"
	"net/http"

	"github.com/prometheus/common/route"
)

// Register serves a text page in place of the web UI.
func Register(r *route.Router) {
	r.Get("/", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "Built without the web UI. The API is at /api/v2.\n")
	})
}
