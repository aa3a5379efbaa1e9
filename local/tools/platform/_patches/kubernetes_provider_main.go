// Command pulumi-resource-kubernetes is Pulumi's, with the schema as the module has it: a release
// first writes its version in. It ends with the engine.
package main

import (
	_ "embed"
	"io"
	"os"

	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/provider"
	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/version"
)

//go:embed schema.json
var schema []byte

//go:embed terraform-mapping.json
var terraformMapping []byte

func main() {
	go exitWithEngine()
	provider.Serve("kubernetes", version.Version, schema, terraformMapping)
}

// exitWithEngine ends the provider when the engine is killed: that closes its standard input.
// Without arguments, the provider was not started by an engine.
func exitWithEngine() {
	if len(os.Args) > 1 {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(1)
	}
}
