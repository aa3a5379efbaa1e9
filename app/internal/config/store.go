package config

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"sync/atomic"
	"time"
)

// A Store holds the configuration in force and follows its file.
type Store struct {
	path    string
	environ []string
	current atomic.Pointer[Config]
	unknown []string

	// What was last seen of the file, good or bad, so that each state is reported once.
	content []byte
	failure string
}

// A Change is what one reload did. Where Err is set the old values stay in force.
type Change struct {
	Old, New *Config
	// Applied and Restart name the keys whose values changed: those in force now, and those which
	// wait for the next start.
	Applied, Restart []string
	// Unknown names the keys of the file that this version does not know, and leaves alone.
	Unknown []string
	Err     error
}

// Open loads the file that BEACON_CONFIG names, or the one at DefaultPath, which may be missing.
// The environment is in the form of os.Environ.
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

// Path is the file the store follows.
func (s *Store) Path() string { return s.path }

// Unknown names the keys that the file had at the start and that this version does not know.
func (s *Store) Unknown() []string { return s.unknown }

// Get returns the values in force.
func (s *Store) Get() *Config { return s.current.Load() }

// Watch reads the file again at every interval and whenever a signal arrives, until the context
// ends, and calls report with every change of it. It compares contents, for a ConfigMap is
// changed by swapping a symbolic link two directories up.
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
		if len(variable) > len(name) && variable[:len(name)] == name && variable[len(name)] == '=' {
			return variable[len(name)+1:], true
		}
	}
	return "", false
}
