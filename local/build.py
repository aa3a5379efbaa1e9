"""Builds programs from Go modules: once for their content, installed whole or not at all."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import IO

from local import files
from local.errors import LocalError
from local.layout import Layout
from local.logs import tail
from local.progress import ReportProgress
from local.recipes import Recipe
from local.toolchain import Toolchain

_ROOM = 8 * 1024**3
"""Free bytes without which no build is begun: what all of them together leave in the caches."""

_DOWNLOADS_AT_ONCE = 16
"""Go loads one module per core; on few cores that waits for the network more than it works."""

_DISK_FULL = "no space left on device"


class Builder:
    """Builds into the folders of one `SLIPWAY_HOME` with one toolchain."""

    def __init__(self, at: Layout, go: Toolchain) -> None:
        self.at = at
        self.go = go

    def missing(self, recipe: Recipe, programs: Collection[str]) -> list[str]:
        """Those of `programs` that are not there, or were made from something else."""
        fingerprint = recipe.fingerprint(self.go.version)
        return [name for name in programs if not self._is_built(recipe, name, fingerprint)]

    def build(
        self, recipe: Recipe, programs: Collection[str], report: ReportProgress = lambda _: None
    ) -> None:
        """Builds those of `programs` that are missing; the log is kept either way."""
        missing = self.missing(recipe, programs)
        if not missing:
            return
        self._refuse_full_disk()
        folder = self.at.builds / recipe.name
        shutil.rmtree(folder, ignore_errors=True)
        source, output = folder / "source", folder / "bin"
        shutil.copytree(recipe.folder, source)
        output.mkdir()
        for module in {**recipe.patches, **recipe.renames}:
            report(f"patching {module}")
            self._patch(source, module, recipe)
        self._compile(recipe, missing, source, output, report)
        for name, (module, below) in recipe.assets.items():
            _install_folder(self._module(source, module) / below, self.at.share / name)
        for name in missing:
            self._install(recipe, name, output)
        shutil.rmtree(folder, ignore_errors=True)

    def log_of(self, recipe: Recipe) -> Path:
        """Where the output of its last build is."""
        return self.at.logs / f"build-{recipe.name}.log"

    def _is_built(self, recipe: Recipe, program: str, fingerprint: str) -> bool:
        stamp = self._stamp(program)
        known = recipe.programs[program]
        results = [self.at.root / known.folder / name for name in (program, *known.links)]
        results += [self.at.share / name for name in recipe.assets]
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
        flags = ["-v", *_tags(recipe), *_linker_flags(recipe, programs)]
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
        """Fetches every module that is needed; says how many packages that makes."""
        report("looking for modules")
        total = 0
        arguments = ["list", "-deps", *selected]
        for line in self._follow(arguments, source, log, GOMAXPROCS=str(_DOWNLOADS_AT_ONCE)):
            if line.startswith("go: downloading "):
                report(f"downloading {line.split()[2]}")
            else:
                total += 1
        return total

    def _follow(
        self, arguments: Sequence[str], source: Path, log: IO[str], **variables: str
    ) -> Iterator[str]:
        """Runs `go` and gives its output line by line; an error if it fails."""
        with subprocess.Popen(
            # It ends with whoever asked for it, `kill -9` included.
            ["setpriv", "--pdeathsig", "TERM", "--", self.go.command, *arguments],
            cwd=source,
            env={**self.go.variables(self.at), **variables},
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
            raise LocalError(_explanation(Path(log.name)))

    def _module(self, source: Path, module: str) -> Path:
        """Where the source of `module` is, downloaded if need be."""
        return Path(json.loads(self._go(source, "mod", "download", "-json", module))["Dir"])

    def _patch(self, source: Path, module: str, recipe: Recipe) -> None:
        """Points the build at a copy of `module` with some of its files replaced or changed."""
        copy = source / "patched" / re.sub(r"\W", "-", module)
        _install_folder(self._module(source, module), copy)
        for target, replacement in recipe.patches.get(module, {}).items():
            if not (copy / target).exists():
                raise LocalError(f"{module} has no file {target} to replace.")
            (copy / target).unlink()
            if replacement:
                shutil.copyfile(source / replacement, copy / target)
        for target, (word, instead) in recipe.renames.get(module, {}).items():
            text = (copy / target).read_text()
            if word not in text:
                raise LocalError(f"{target} of {module} has no {word} to rename.")
            (copy / target).write_text(re.sub(rf"\b{word}\b", instead, text))
        self._go(source, "mod", "edit", f"-replace={module}=./{copy.relative_to(source)}")

    def _go(self, folder: Path, *arguments: str) -> str:
        done = subprocess.run(
            [self.go.command, *arguments],
            cwd=folder,
            env=self.go.variables(self.at),
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
        folder = self.at.root / known.folder
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
        return self.at.builds / f"{program}.fingerprint"

    def _refuse_full_disk(self) -> None:
        self.at.root.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.at.root).free
        if free < _ROOM:
            raise LocalError(
                f"{self.at.root} has {free / 1024**3:.1f} GiB free, and the builds need "
                f"{_ROOM / 1024**3:.0f}. Make room, or set SLIPWAY_HOME to a larger disk."
            )


def _tags(recipe: Recipe) -> list[str]:
    return [f"-tags={','.join(recipe.tags)}"] if recipe.tags else []


def _linker_flags(recipe: Recipe, programs: Sequence[str]) -> list[str]:
    """For each program its own: several of a recipe may keep their versions in one variable."""
    flags = ["-ldflags=-s -w"]
    for name in programs:
        program = recipe.programs[name]
        if program.stamp:
            stamp = f"-X {program.stamp}={recipe.version(name)}"
            flags.append(f"-ldflags={program.package}=-s -w {stamp}")
    return flags


def _install_folder(source: Path, target: Path) -> None:
    """A copy that can be changed and removed: modules' own folders are read-only."""
    shutil.rmtree(target, ignore_errors=True)
    for folder, _, names in os.walk(source):
        copied = target / Path(folder).relative_to(source)
        copied.mkdir(parents=True)
        for name in names:
            shutil.copyfile(Path(folder) / name, copied / name)


def _explanation(log: Path) -> str:
    end = tail(log)
    if _DISK_FULL in end.lower():
        return f"The disk is full; the build cannot go on. Its log is {log}."
    return f"A build failed. The end of {log}:\n{end}"
