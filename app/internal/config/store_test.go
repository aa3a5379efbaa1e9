package config

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// A volume is a directory laid out as the kubelet lays out a mounted ConfigMap: the file is a link
// into ..data, which is a link to the newest of its versions.
type volume struct {
	t   *testing.T
	dir string
}

func newVolume(t *testing.T, content string) volume {
	v := volume{t, t.TempDir()}
	v.write(content)
	v.check(os.Symlink("..data/config.yaml", v.path()))
	return v
}

func (v volume) path() string { return filepath.Join(v.dir, "config.yaml") }

// write swaps in a new version in one step, as the kubelet does.
func (v volume) write(content string) {
	version, err := os.MkdirTemp(v.dir, "..2026_")
	v.check(err)
	v.check(os.WriteFile(filepath.Join(version, "config.yaml"), []byte(content), 0o600))
	link := filepath.Join(v.dir, "..data_tmp")
	v.check(os.Symlink(filepath.Base(version), link))
	v.check(os.Rename(link, filepath.Join(v.dir, "..data")))
}

func (v volume) check(err error) {
	v.t.Helper()
	if err != nil {
		v.t.Fatal(err)
	}
}

func open(t *testing.T, v volume, environ ...string) *Store {
	t.Helper()
	s, err := Open(append(environ, "BEACON_CONFIG="+v.path()))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestASwappedConfigMapIsReloaded(t *testing.T) {
	v := newVolume(t, "message: one\n")
	s := open(t, v)
	changes := make(chan Change)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go s.Watch(ctx, time.Millisecond, nil, func(c Change) { changes <- c })

	v.write("message: two\nlogLevel: debug\n")
	change := receive(t, changes)
	if change.Err != nil || !slices.Equal(change.Applied, []string{"logLevel", "message"}) {
		t.Errorf("the change is %+v", change)
	}
	if got := s.Get(); got.Message != "two" || change.New != got {
		t.Errorf("the configuration is %+v", got)
	}
}

func TestASignalTriggersAReload(t *testing.T) {
	v := newVolume(t, "message: one\n")
	s := open(t, v)
	changes, signals := make(chan Change), make(chan os.Signal)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go s.Watch(ctx, time.Hour, signals, func(c Change) { changes <- c })

	v.write("message: two\n")
	signals <- os.Interrupt
	if change := receive(t, changes); change.New.Message != "two" {
		t.Errorf("the change is %+v", change)
	}
}

func receive(t *testing.T, changes <-chan Change) Change {
	t.Helper()
	select {
	case c := <-changes:
		return c
	case <-time.After(30 * time.Second):
		t.Fatal("no change was reported within 30 s")
		return Change{}
	}
}

func TestAnInvalidFileKeepsTheConfigurationAndIsReportedOnce(t *testing.T) {
	v := newVolume(t, "message: one\n")
	s := open(t, v)
	for _, bad := range []string{"message: [", "message: 1\n", "message: [two]\n"} {
		v.write(bad)
		change, changed := s.reload()
		if !changed || change.Err == nil || s.Get().Message != "one" || change.New != s.Get() {
			t.Errorf("%q gives %+v, %+v", bad, change, s.Get())
		}
		if _, changed := s.reload(); changed {
			t.Errorf("%q is reported twice", bad)
		}
	}
	v.write("message: two\n")
	if change, changed := s.reload(); !changed || change.Err != nil || s.Get().Message != "two" {
		t.Errorf("the valid file gives %+v", change)
	}
}

func TestAMissingFileKeepsTheConfigurationUntilItIsBack(t *testing.T) {
	v := newVolume(t, "message: one\n")
	s := open(t, v)
	v.check(os.Remove(v.path()))
	if change, changed := s.reload(); !changed || change.Err == nil || s.Get().Message != "one" {
		t.Errorf("the change is %+v", change)
	}
	if _, changed := s.reload(); changed {
		t.Error("it is reported twice")
	}
	v.check(os.Symlink("..data/config.yaml", v.path()))
	if change, changed := s.reload(); !changed || change.Err != nil {
		t.Errorf("its return is %+v, %v", change, changed)
	}
}

func TestKeysThatRequireARestartKeepTheirValues(t *testing.T) {
	v := newVolume(t, "message: one\n")
	s := open(t, v)
	v.write("message: two\nlisten: ':1234'\ntimeouts: {idle: 30s}\n")
	change, _ := s.reload()
	if !slices.Equal(change.Restart, []string{"listen", "timeouts.idle"}) ||
		!slices.Equal(change.Applied, []string{"message"}) {
		t.Errorf("the change is %+v", change)
	}
	if got := s.Get(); got.Listen != ":8080" || got.Timeouts != Default().Timeouts || got.Message != "two" {
		t.Errorf("the configuration is %+v", got)
	}
}

func TestTheEnvironmentTakesPrecedenceAfterAReload(t *testing.T) {
	v := newVolume(t, "drain: 1s\n")
	s := open(t, v, "BEACON_MESSAGE=set")
	v.write("drain: 2s\nmessage: file\n")
	s.reload()
	if got := s.Get(); got.Message != "set" || got.Drain != 2*time.Second {
		t.Errorf("the configuration is %+v", got)
	}
}

func TestTheFileOfBEACON_CONFIGMustExist(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none.yaml")
	if _, err := Open([]string{"BEACON_CONFIG=" + missing}); err == nil || !strings.Contains(err.Error(), missing) {
		t.Errorf("the error is %v", err)
	}
}

func TestTheDefaultFileMayBeMissing(t *testing.T) {
	if _, err := os.Stat(DefaultPath); err == nil {
		t.Skip("this machine has one")
	}
	s, err := Open(nil)
	if err != nil || *s.Get() != Default() || s.Path() != DefaultPath {
		t.Errorf("%+v, %v", s, err)
	}
	if _, changed := s.reload(); changed {
		t.Error("a file that never existed is reported")
	}
}
