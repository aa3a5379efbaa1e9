// argocd is the application controller and the repository server of Argo CD, and the server of Redis
// that `argocd --core` starts: the name that it is called by selects one. Argo CD's own program also
// compiles its user interface and six other servers.
package main

import (
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/alicebob/miniredis/v2"
	controller "github.com/argoproj/argo-cd/v3/cmd/argocd-application-controller/commands"
	reposerver "github.com/argoproj/argo-cd/v3/cmd/argocd-repo-server/commands"
	"github.com/spf13/cobra"
)

func main() {
	commands := map[string]*cobra.Command{
		"argocd-application-controller": controller.NewCommand(),
		"argocd-redis":                  {RunE: redis, Args: cobra.ExactArgs(1)},
		"argocd-repo-server":            reposerver.NewCommand(),
	}
	name := filepath.Base(os.Args[0])
	command, known := commands[name]
	if !known {
		log.Fatalf("%s is not one of the programs of Argo CD", name)
	}
	if command.Execute() != nil {
		os.Exit(1)
	}
}

// redis serves on an address.
func redis(_ *cobra.Command, arguments []string) error {
	server := miniredis.NewMiniRedis()
	if err := server.StartAddr(arguments[0]); err != nil {
		return err
	}
	// It has no clock: keys would never expire.
	for range time.Tick(time.Second) {
		server.FastForward(time.Second)
	}
	return nil
}
