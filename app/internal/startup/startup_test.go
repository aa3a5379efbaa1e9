package startup

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestTheLimitsOfCgroupV1AndV2AreRead(t *testing.T) {
	for name, test := range map[string]struct {
		files map[string]string
		want  cgroupLimits
	}{
		"version 2 in a container": {map[string]string{
			"proc/self/cgroup":         "0::/\n",
			"sys/fs/cgroup/memory.max": "536870912\n",
			"sys/fs/cgroup/cpu.max":    "50000 100000\n",
		}, cgroupLimits{512 << 20, 0.5}},
		"version 2 without limits": {map[string]string{
			"proc/self/cgroup":         "0::/\n",
			"sys/fs/cgroup/memory.max": "max\n",
			"sys/fs/cgroup/cpu.max":    "max 100000\n",
		}, cgroupLimits{}},
		"version 2 with a lower limit in an ancestor": {map[string]string{
			"proc/self/cgroup":                   "0::/a/b\n",
			"sys/fs/cgroup/a/memory.max":         "1000\n",
			"sys/fs/cgroup/a/b/memory.max":       "2000\n",
			"sys/fs/cgroup/a/b/cpu.max":          "200000 100000\n",
			"sys/fs/cgroup/a/cpu.max":            "max 100000\n",
			"sys/fs/cgroup/elsewhere/memory.max": "5\n",
		}, cgroupLimits{1000, 2}},
		"version 1 in a container, where the cgroup is the mount": {map[string]string{
			"proc/self/cgroup":                           "4:memory:/kubepods/pod1/c1\n2:cpu,cpuacct:/kubepods/pod1/c1\n1:name=systemd:/x\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "268435456\n",
			"sys/fs/cgroup/cpu/cpu.cfs_quota_us":         "150000\n",
			"sys/fs/cgroup/cpu/cpu.cfs_period_us":        "100000\n",
		}, cgroupLimits{256 << 20, 1.5}},
		"version 1 without limits": {map[string]string{
			"proc/self/cgroup":                           "4:memory:/\n2:cpu:/\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
			"sys/fs/cgroup/cpu/cpu.cfs_quota_us":         "-1\n",
			"sys/fs/cgroup/cpu/cpu.cfs_period_us":        "100000\n",
		}, cgroupLimits{}},
		"no control groups": {nil, cgroupLimits{}},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			for file, content := range test.files {
				path := filepath.Join(root, file)
				if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700),
					os.WriteFile(path, []byte(content), 0o600)); err != nil {
					t.Fatal(err)
				}
			}
			if got := readCgroup(root); got != test.want {
				t.Errorf("limits are %+v, want %+v", got, test.want)
			}
		})
	}
}

func sufficient() Resources {
	return Resources{
		MemoryLimit: 512 << 20, GoMemLimit: 460 << 20, GoMaxProcs: 1, CPUQuota: 0.5,
		OpenFiles: MinOpenFiles, TempDir: "/tmp", TempSpace: MinTempSpace,
	}
}

func TestEachShortfallIsReported(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*Resources)
		want   string
	}{
		"a low memory limit":                {func(r *Resources) { r.MemoryLimit, r.GoMemLimit = 32<<20, 30<<20 }, "the memory limit is 33554432 bytes"},
		"GOMEMLIMIT off":                    {func(r *Resources) { r.GoMemLimit = 0 }, "GOMEMLIMIT"},
		"GOMEMLIMIT too high":               {func(r *Resources) { r.GoMemLimit = r.MemoryLimit + 1 }, "GOMEMLIMIT"},
		"more threads than CPUs":            {func(r *Resources) { r.GoMaxProcs = 8 }, "GOMAXPROCS is 8 with a quota of 0.5"},
		"a low open-file limit":             {func(r *Resources) { r.OpenFiles = MinOpenFiles - 1 }, "the open-file limit is 8191, less than 8192"},
		"an unwritable temporary directory": {func(r *Resources) { r.TempError = os.ErrPermission }, "permission denied"},
		"a full temporary directory":        {func(r *Resources) { r.TempSpace = MinTempSpace - 1 }, "/tmp has 16777215 bytes free"},
	} {
		t.Run(name, func(t *testing.T) {
			r := sufficient()
			test.change(&r)
			if got := r.Shortfalls(); len(got) != 1 || !strings.Contains(got[0], test.want) {
				t.Errorf("shortfalls: %q, want %q", got, test.want)
			}
		})
	}
}

func TestSufficientOrUnknownResourcesAreNoShortfall(t *testing.T) {
	twoThreads := sufficient()
	twoThreads.GoMaxProcs = 2
	for _, r := range []Resources{sufficient(), twoThreads, {GoMaxProcs: 64}} {
		if got := r.Shortfalls(); got != nil {
			t.Errorf("%+v has the shortfalls %q", r, got)
		}
	}
}

func TestTheCheckReadsTheResourcesOfTheProcess(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	r := Check()
	if r.GoMaxProcs < 1 || r.TempDir != os.TempDir() || r.TempError != nil {
		t.Errorf("%+v", r)
	}
	if left, err := os.ReadDir(r.TempDir); err != nil || len(left) > 0 {
		t.Errorf("left over: %v, %v", left, err)
	}
}

func TestTheResourcesAreLoggedInOneLine(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&out, nil))
	sufficient().Log(log, nil)
	sufficient().Log(log, []string{"too small"})
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines", len(lines))
	}
	for i, want := range []string{`"level":"INFO".*"ok":true`, `"level":"WARN".*"ok":false.*"shortfalls":\["too small"\]`} {
		if !regexp.MustCompile(want).MatchString(lines[i]) {
			t.Errorf("%s does not match %s", lines[i], want)
		}
	}
}
