"""Builds programs from Go modules when their recipe has changed, and installs them atomically."""

import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import IO

from local import files
from local.errors import LocalError
from local.layout import Layout
from local.lock import hold_lock
from local.logs import tail
from local.progress import ReportProgress
from local.recipes import Recipe
from local.toolchain import Toolchain

_REQUIRED_SPACE = 8 * 1024**3
"""Free bytes required to start a build: the size of the caches after building everything."""

_CONCURRENT_BUILDS = 2
"""Builds of one run: one compiles while the other downloads or links, which leaves cores idle."""

_CONCURRENT_DOWNLOADS = 16
"""Go downloads one module per core by default, which is slow with few cores."""

_COMPILER_FLAGS = "-dwarf=false"
"""The linker removes the debug information anyway: builds take 10 % less time without it."""

_INLINED = (
    "std",
    "github.com/prometheus/prometheus/...",
    "github.com/pulumi/...",
    "github.com/traefik/...",
    "go.etcd.io/...",
    "google.golang.org/...",
    "k8s.io/apimachinery/...",
    "k8s.io/apiserver/...",
    "k8s.io/kube-openapi/...",
    "sigs.k8s.io/...",
)
"""Packages in which the built programs spend most of their CPU time. The others are compiled
without inlining: builds take 20 % less time."""

_NO_SPACE = "no space left on device"


class Builder:
    """Builds programs with one toolchain and installs them below one `SLIPWAY_HOME`."""

    def __init__(self, paths: Layout, go: Toolchain) -> None:
        self.paths = paths
        self.go = go
        self._slots = threading.BoundedSemaphore(_CONCURRENT_BUILDS)

    def missing(self, recipe: Recipe, programs: Collection[str]) -> list[str]:
        """Programs that are not installed, or whose recipe or toolchain has changed."""
        fingerprint = recipe.fingerprint(self.go.version)
        return [name for name in programs if not self._is_built(recipe, name, fingerprint)]

    def build(
        self, recipe: Recipe, programs: Collection[str], report: ReportProgress = lambda _: None
    ) -> None:
        """Build the missing ones of `programs`. Raises `LocalError` with the end of the log."""
        if not self.missing(recipe, programs):
            return
        with self._slots, hold_lock(self.paths, f"build-{recipe.name}"):
            # Another run may have built them in the meantime.
            if missing := self.missing(recipe, programs):
                self._build(recipe, missing, report)

    def _build(self, recipe: Recipe, missing: Sequence[str], report: ReportProgress) -> None:
        self._check_free_space()
        folder = self.paths.builds / recipe.name
        shutil.rmtree(folder, ignore_errors=True)
        source, output = folder / "source", folder / "bin"
        shutil.copytree(recipe.folder, source)
        output.mkdir()
        for module in {**recipe.patches, **recipe.additions, **recipe.edits}:
            report(f"patching {module}")
            self._patch(source, module, recipe)
        self._compile(recipe, missing, source, output, report)
        for name, (module, below) in recipe.assets.items():
            _install_folder(self._module(source, module) / below, self.paths.share / name)
        for name in missing:
            self._install(recipe, name, output)
        shutil.rmtree(folder, ignore_errors=True)

    def log_of(self, recipe: Recipe) -> Path:
        """Log file of the last build of a recipe."""
        return self.paths.logs / f"build-{recipe.name}.log"

    def _is_built(self, recipe: Recipe, program: str, fingerprint: str) -> bool:
        stamp = self._stamp(program)
        known = recipe.programs[program]
        results = [self.paths.root / known.folder / name for name in (program, *known.links)]
        results += [self.paths.share / name for name in recipe.assets]
        return (
            stamp.is_file()
            and stamp.read_text() == fingerprint
            and all(path.exists() for path in results)
        )

    def _compile(
        self,
        recipe: Recipe,
        programs: Sequence[str],
        source: Path,
        output: Path,
        report: ReportProgress,
    ) -> None:
        packages = [recipe.programs[name].package for name in programs]
        flags = ["-v", *_compiler_flags(), *_tags(recipe), *_linker_flags(recipe, programs)]
        self.log_of(recipe).parent.mkdir(parents=True, exist_ok=True)
        with self.log_of(recipe).open("w") as log:
            total = self._download([*_tags(recipe), *packages], source, log, report)
            compiled = 0
            report("compiling")
            arguments = ["build", *flags, "-o", f"{output}/", *packages]
            for line in self._follow(arguments, source, log):
                if not line.startswith(("go: ", "#", "\t")):
                    compiled += 1
                    report(f"{compiled} of at most {total} packages compiled")

    def _download(
        self, selected: Sequence[str], source: Path, log: IO[str], report: ReportProgress
    ) -> int:
        """Download the modules that are needed and return the number of packages to compile."""
        report("resolving modules")
        total = 0
        arguments = ["list", "-deps", *selected]
        for line in self._follow(arguments, source, log, GOMAXPROCS=str(_CONCURRENT_DOWNLOADS)):
            if line.startswith("go: downloading "):
                report(f"downloading {line.split()[2]}")
            else:
                total += 1
        return total

    def _follow(
        self, arguments: Sequence[str], source: Path, log: IO[str], **variables: str
    ) -> Iterator[str]:
        """Run `go` and yield its output line by line. Raises `LocalError` if it fails."""
        with subprocess.Popen(
            # Ends with this process, even if that is killed by `kill -9`.
            ["setpriv", "--pdeathsig", "TERM", "--", self.go.command, *arguments],
            cwd=source,
            env={**self.go.variables(self.paths), **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            for line in process.stdout:
                log.write(line)
                yield line
        if process.returncode:
            log.flush()
            raise LocalError(_error_message(Path(log.name)))

    def _module(self, source: Path, module: str) -> Path:
        """Source folder of `module`, which is downloaded if necessary."""
        return Path(json.loads(self._go(source, "mod", "download", "-json", module))["Dir"])

    def _patch(self, source: Path, module: str, recipe: Recipe) -> None:
        """Replace `module` in the build by a copy with patched files."""
        copy = source / "patched" / re.sub(r"\W", "-", module)
        _install_folder(self._module(source, module), copy)
        for target, replacement in recipe.patches.get(module, {}).items():
            if not (copy / target).exists():
                raise LocalError(
                    f"The patch of {module} does not apply: there is no file {target}."
                )
            (copy / target).unlink()
            if replacement:
                shutil.copyfile(source / replacement, copy / target)
        for target, addition in recipe.additions.get(module, {}).items():
            shutil.copyfile(source / addition, copy / target)
        for target, edits in recipe.edits.get(module, {}).items():
            text = (copy / target).read_text()
            for old, new in edits.items():
                if old not in text:
                    raise LocalError(
                        f"The patch of {module} does not apply: {target} does not contain {old}."
                    )
                text = _replace(text, old, new)
            (copy / target).write_text(text)
        self._go(source, "mod", "edit", f"-replace={module}=./{copy.relative_to(source)}")

    def _go(self, folder: Path, *arguments: str) -> str:
        done = subprocess.run(
            [self.go.command, *arguments],
            cwd=folder,
            env=self.go.variables(self.paths),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            reason = (done.stderr + done.stdout).strip()
            raise LocalError(f"`go {' '.join(arguments)}` failed: {reason}")
        return done.stdout

    def _install(self, recipe: Recipe, program: str, output: Path) -> None:
        known = recipe.programs[program]
        folder = self.paths.root / known.folder
        folder.mkdir(parents=True, exist_ok=True)
        self._stamp(program).unlink(missing_ok=True)
        (output / program).replace(folder / program)
        for name in known.links:
            link = folder / f".{name}.new"
            link.unlink(missing_ok=True)
            link.symlink_to(program)
            link.replace(folder / name)
        files.write(self._stamp(program), recipe.fingerprint(self.go.version))

    def _stamp(self, program: str) -> Path:
        return self.paths.builds / f"{program}.fingerprint"

    def _check_free_space(self) -> None:
        self.paths.root.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.paths.root).free
        if free < _REQUIRED_SPACE:
            raise LocalError(
                f"{self.paths.root} has {free / 1024**3:.1f} GiB free, but the builds need "
                f"{_REQUIRED_SPACE / 1024**3:.0f} GiB. Free disk space, or set SLIPWAY_HOME to a "
                "folder on a larger disk."
            )


def _replace(text: str, old: str, new: str) -> str:
    """Replace `old`, but no part of a longer word."""
    before = r"\b" if re.match(r"\w", old) else ""
    after = r"\b" if re.search(r"\w$", old) else ""
    return re.sub(before + re.escape(old) + after, lambda _: new, text)


def _tags(recipe: Recipe) -> list[str]:
    return [f"-tags={','.join(recipe.tags)}"] if recipe.tags else []


def _compiler_flags() -> list[str]:
    inlined = [f"-gcflags={pattern}={_COMPILER_FLAGS}" for pattern in _INLINED]
    return [f"-gcflags=all={_COMPILER_FLAGS} -l", *inlined]


def _linker_flags(recipe: Recipe, programs: Sequence[str]) -> list[str]:
    """Flags per program, since several programs of a recipe can use the same version variable."""
    flags = ["-ldflags=-s -w"]
    for name in programs:
        program = recipe.programs[name]
        if program.stamp:
            stamp = f"-X {program.stamp}={recipe.version(name)}"
            flags.append(f"-ldflags={program.package}=-s -w {stamp}")
    return flags


def _install_folder(source: Path, target: Path) -> None:
    """Copy a folder without permissions, since files in the module cache are read-only."""
    shutil.rmtree(target, ignore_errors=True)
    for folder, _, names in os.walk(source):
        copied = target / Path(folder).relative_to(source)
        copied.mkdir(parents=True)
        for name in names:
            shutil.copyfile(Path(folder) / name, copied / name)


def _error_message(log: Path) -> str:
    end = tail(log)
    if _NO_SPACE in end.lower():
        return f"The build failed because the disk is full. Its log is {log}."
    return f"The build failed. The end of {log}:\n{end}"
