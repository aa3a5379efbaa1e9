// Command beacon is Slipway's example service.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"beacon/internal/config"
	"beacon/internal/faults"
	"beacon/internal/identity"
	"beacon/internal/logging"
	"beacon/internal/metrics"
	"beacon/internal/server"
	"beacon/internal/startup"
	"beacon/internal/tracing"
	"beacon/internal/version"
)

//go:generate sh -c "go run . --config-schema > config.schema.json"

// service is the name of the command.
const service = "beacon"

// Exit codes of the process, besides faults.ExitCode.
const (
	exitOK      = 0
	exitFailed  = 1
	exitInvalid = 2
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet(service, flag.ContinueOnError)
	flags.SetOutput(stderr)
	showVersion := flags.Bool("version", false, "print the version and exit")
	checkConfig := flags.String("check-config", "", "check a configuration `file` and exit")
	configSchema := flags.Bool("config-schema", false, "print the JSON Schema of the configuration file and exit")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil:
		return exitInvalid
	case flags.NArg() > 0:
		_, _ = fmt.Fprintf(stderr, "%s: unexpected argument %q\n", service, flags.Arg(0))
		return exitInvalid
	}
	switch {
	case *showVersion:
		_, _ = fmt.Fprintf(stdout, "%s %s (%s, %s)\n",
			service, version.Version, version.Revision, version.Go())
		return exitOK
	case *configSchema:
		_, _ = stdout.Write(config.Schema())
		return exitOK
	case isSet(flags, "check-config"):
		if err := config.CheckFile(*checkConfig); err != nil {
			_, _ = fmt.Fprintln(stderr, err)
			return exitInvalid
		}
		_, _ = fmt.Fprintf(stdout, "%s: ok\n", *checkConfig)
		return exitOK
	}
	return serve(stdout)
}

func isSet(flags *flag.FlagSet, name string) (set bool) {
	flags.Visit(func(f *flag.Flag) { set = set || f.Name == name })
	return set
}

func serve(stdout io.Writer) int {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP)

	id := identity.FromEnv()
	level := new(slog.LevelVar)
	log := logging.New(stdout, id, level)

	store, err := config.Open(os.Environ())
	if err != nil {
		log.Error("invalid configuration", "error", err.Error())
		return exitInvalid
	}
	level.Set(store.Get().Level())
	log.Info("starting", "revision", version.Revision, "goversion", version.Go(),
		"config_file", store.Path(), "config", store.Get().Values())
	if unknown := store.Unknown(); len(unknown) > 0 {
		log.Warn("unknown configuration keys", "keys", unknown)
	}

	resources := startup.Check()
	shortfalls := resources.Shortfalls()
	resources.Log(log, shortfalls)
	if len(shortfalls) > 0 && store.Get().StartupCheck == "strict" {
		log.Error("startup check failed, and startupCheck is strict")
		return exitFailed
	}

	m := metrics.New()
	injector := faults.New(log, m, os.Exit)
	injector.Configure(store.Get().Faults)
	traces, err := tracing.New(id, store.Get().Tracing, log, m)
	if err != nil {
		log.Error("cannot export traces", "error", err.Error())
		return exitFailed
	}
	s := server.New(id, store, log, m, injector, traces)

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go store.Watch(ctx, time.Second, reload, func(change config.Change) {
		level.Set(change.New.Level())
		s.Reloaded(change)
	})
	if err := s.Run(signals); err != nil {
		log.Error("server failed", "error", err.Error())
		return exitFailed
	}
	return exitOK
}
