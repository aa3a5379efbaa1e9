// Command pulumi-resource-docker-build is Pulumi's. It ends with the engine.
package main

import (
	"io"
	"os"

	"github.com/pulumi/pulumi/sdk/v3/go/common/util/cmdutil"

	"github.com/pulumi/pulumi-docker-build/provider"
)

func main() {
	go exitWithEngine()
	if err := provider.Serve(); err != nil {
		cmdutil.ExitError(err.Error())
	}
}

// exitWithEngine ends the provider when the engine is killed: that closes its standard input.
// Without arguments, the provider was not started by an engine.
func exitWithEngine() {
	if len(os.Args) > 1 {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(1)
	}
}
