package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFlagsRunWithoutServing(t *testing.T) {
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "good.yaml"), filepath.Join(dir, "bad.yaml")
	for path, content := range map[string]string{good: "debug: true\n", bad: "debug: 1\ndrian: 5s\n"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, test := range map[string]struct {
		args           []string
		code           int
		stdout, stderr string
	}{
		"the version":        {[]string{"--version"}, 0, "beacon dev (unknown, go1.", ""},
		"the schema":         {[]string{"--config-schema"}, 0, "{\n  \"$schema\"", ""},
		"a good file":        {[]string{"--check-config", good}, 0, good + ": ok\n", ""},
		"a bad file":         {[]string{"--check-config", bad}, 2, "", bad + ": debug: 1 is not allowed (allowed: true or false)\n" + bad + ": drian: this key"},
		"a missing file":     {[]string{"--check-config", bad + "x"}, 2, "", "no such file"},
		"an empty file name": {[]string{"--check-config", ""}, 2, "", "no such file"},
		"no file name":       {[]string{"--check-config"}, 2, "", "needs an argument"},
		"an unknown flag":    {[]string{"--frob"}, 2, "", "-frob"},
		"an argument":        {[]string{"serve"}, 2, "", `unexpected argument "serve"`},
		"help":               {[]string{"--help"}, 0, "", "check-config"},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			code := run(test.args, &stdout, &stderr)
			if code != test.code || !strings.HasPrefix(stdout.String(), test.stdout) ||
				!strings.Contains(stderr.String(), test.stderr) {
				t.Errorf("code %d, stdout %q, stderr %q", code, &stdout, &stderr)
			}
		})
	}
}
