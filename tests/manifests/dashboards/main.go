// Dashboards checks Grafana dashboards against Grafana's schema, with the strict decoder and the
// constraints that are generated from it.
//
//	dashboards dashboard.json...
//
// It prints the errors of each file and exits with 1 if there was any.
package main

import (
	"fmt"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func main() {
	plugins.RegisterDefaultPlugins()
	code := 0
	for _, file := range os.Args[1:] {
		if err := check(file); err != nil {
			fmt.Printf("%s: %v\n", file, err)
			code = 1
		}
	}
	os.Exit(code)
}

func check(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var decoded dashboard.Dashboard
	// Without errors, it returns an empty list of them, and not nil.
	if err := decoded.UnmarshalJSONStrict(text); err != nil && err.Error() != "" {
		return err
	}
	return decoded.Validate()
}
