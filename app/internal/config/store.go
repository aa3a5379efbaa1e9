package config

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// A Store holds the current configuration and reloads it when its file changes.
type Store struct {
	path    string
	environ []string
	current atomic.Pointer[Config]
	unknown []string

	// content and failure hold the last read result, so that the same result is reported only once.
	content []byte
	failure string
}

// A Change is the result of a reload. If Err is set, the configuration has not changed.
type Change struct {
	Old, New *Config
	// Applied lists the changed keys that took effect, Restart those that require a restart.
	Applied, Restart []string
	// Unknown are the unknown keys of the file, which are ignored.
	Unknown []string
	Err     error
}

// Open loads the file named by BEACON_CONFIG. If the variable is not set, it loads DefaultPath if that
// exists. The environment has the format of os.Environ.
func Open(environ []string) (*Store, error) {
	path, named := lookup(environ, EnvPrefix+"CONFIG")
	if !named {
		path = DefaultPath
	}
	s := &Store{path: path, environ: environ}
	data, err := os.ReadFile(path)
	if err != nil && (named || !errors.Is(err, fs.ErrNotExist)) {
		return nil, err
	}
	c, unknown, err := load(path, data, environ)
	if err != nil {
		return nil, err
	}
	s.content, s.unknown = data, unknown
	s.current.Store(&c)
	return s, nil
}

// Path returns the path of the file.
func (s *Store) Path() string { return s.path }

// Unknown returns the unknown keys of the file when it was opened.
func (s *Store) Unknown() []string { return s.unknown }

// Get returns the current configuration.
func (s *Store) Get() *Config { return s.current.Load() }

// Watch reads the file at every interval and on every signal, until the context ends, and reports
// changes of its content. It does not use file notifications: the kubelet updates a ConfigMap volume
// by replacing a symbolic link in the path.
func (s *Store) Watch(
	ctx context.Context, interval time.Duration, signals <-chan os.Signal, report func(Change),
) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-signals:
		}
		if change, changed := s.reload(); changed {
			report(change)
		}
	}
}

func (s *Store) reload() (Change, bool) {
	old := s.Get()
	data, err := os.ReadFile(s.path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) && s.content == nil || err.Error() == s.failure {
			return Change{}, false
		}
		s.failure = err.Error()
		return Change{Old: old, New: old, Err: err}, true
	}
	if s.failure == "" && bytes.Equal(data, s.content) {
		return Change{}, false
	}
	s.failure, s.content = "", data

	loaded, unknown, err := load(s.path, data, s.environ)
	if err != nil {
		return Change{Old: old, New: old, Err: err}, true
	}
	change := Change{Old: old, New: &loaded, Unknown: unknown}
	for _, k := range keys {
		switch {
		case k.get(old) == k.get(&loaded):
		case k.restart:
			change.Restart = append(change.Restart, k.name)
			k.copy(&loaded, old)
		default:
			change.Applied = append(change.Applied, k.name)
		}
	}
	s.current.Store(&loaded)
	return change, true
}

func lookup(environ []string, name string) (string, bool) {
	for _, variable := range environ {
		if value, found := strings.CutPrefix(variable, name+"="); found {
			return value, true
		}
	}
	return "", false
}
