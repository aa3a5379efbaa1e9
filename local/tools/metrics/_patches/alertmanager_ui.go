// Package ui has none of Alertmanager's pages: they are built by its release, not in its module.
package ui

import (
	"io"
	"net/http"

	"github.com/prometheus/common/route"
)

// Register says so, where the pages would be.
func Register(r *route.Router) {
	r.Get("/", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "Built without web pages: the API is at /api/v2.\n")
	})
}
