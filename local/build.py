"""Builds one tool from Go modules: once for its content, installed whole or not at all."""

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from local import files
from local.errors import LocalError
from local.layout import Layout
from local.progress import Say
from local.recipes import Recipe
from local.supervisor import tail
from local.toolchain import Toolchain

_ROOM = 6 * 1024**3
"""Free bytes without which no build is begun: what all of them together leave in the caches."""

_DISK_FULL = "no space left on device"


class Builder:
    """Builds into the folders of one `SLIPWAY_HOME` with one toolchain."""

    def __init__(self, at: Layout, go: Toolchain) -> None:
        self.at = at
        self.go = go

    def is_built(self, recipe: Recipe) -> bool:
        """Whether everything that `recipe` gives is there, made from what it says now."""
        stamp = self._stamp(recipe)
        results = [self.at.bin / name for name in self._names(recipe)]
        results += [self.at.share / name for name in recipe.assets]
        return (
            stamp.is_file()
            and stamp.read_text() == recipe.fingerprint(self.go.version)
            and all(path.exists() for path in results)
        )

    def build(self, recipe: Recipe, say: Say = lambda _: None) -> None:
        """Builds `recipe` unless it is built; the log is kept either way."""
        if self.is_built(recipe):
            return
        self._refuse_full_disk()
        folder = self.at.builds / recipe.name
        shutil.rmtree(folder, ignore_errors=True)
        source, output = folder / "source", folder / "bin"
        shutil.copytree(recipe.folder, source)
        output.mkdir()
        self._stamp(recipe).unlink(missing_ok=True)
        for module, replaced in recipe.patches.items():
            say(f"patching {module}")
            self._patch(recipe, source, module, replaced)
        self._compile(recipe, source, output, say)
        for name, (module, below) in recipe.assets.items():
            _install_folder(self._module(source, module) / below, self.at.share / name)
        self._install(recipe, output)
        files.write(self._stamp(recipe), recipe.fingerprint(self.go.version))
        shutil.rmtree(folder, ignore_errors=True)

    def _compile(self, recipe: Recipe, source: Path, output: Path, say: Say) -> None:
        stamps = [
            f"-X {variable}={recipe.version_of(module)}"
            for variable, module in recipe.stamps.items()
        ]
        command = [
            *("go", "build", "-v", "-ldflags", " ".join(["-s", "-w", *stamps])),
            *("-o", f"{output}/", *recipe.packages),
        ]
        log = self.log_of(recipe)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w") as kept, self._start(command, source) as process:
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            compiled = 0
            try:
                for line in process.stdout:
                    kept.write(line)
                    if line.startswith("go: downloading "):
                        say(f"downloading {line.split()[2]}")
                    elif not line.startswith(("go: ", "#")):
                        compiled += 1
                        say(f"{compiled} packages compiled")
            except BaseException:
                os.killpg(process.pid, signal.SIGTERM)
                raise
        if process.returncode:
            raise LocalError(_explanation(recipe, log))

    def _start(self, command: Sequence[str], folder: Path) -> subprocess.Popen[str]:
        # The build ends with whoever asked for it, `kill -9` included.
        return subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", "--", self.go.command, *command[1:]],
            cwd=folder,
            env=self.go.variables(self.at),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def _module(self, source: Path, module: str) -> Path:
        """Where the source of `module` is, downloaded if need be."""
        done = self._go(source, "mod", "download", "-json", module)
        return Path(json.loads(done)["Dir"])

    def _patch(
        self, recipe: Recipe, source: Path, module: str, replaced: Mapping[str, str]
    ) -> None:
        """Points the build at a copy of `module` with some of its files replaced."""
        copy = source / "patched" / re.sub(r"\W", "-", module)
        shutil.copytree(self._module(source, module), copy, copy_function=_copy_writable)
        for path in [copy, *copy.rglob("*")]:
            if path.is_dir():
                path.chmod(0o755)
        for target, replacement in replaced.items():
            if not (copy / target).exists():
                raise LocalError(f"{recipe.name}: {module} has no file {target} to replace.")
            shutil.copyfile(source / replacement, copy / target)
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

    def _install(self, recipe: Recipe, output: Path) -> None:
        self.at.bin.mkdir(parents=True, exist_ok=True)
        for program in recipe.programs:
            (output / program).replace(self.at.bin / program)
        for program, names in recipe.links.items():
            for name in names:
                link = self.at.bin / f".{name}.new"
                link.unlink(missing_ok=True)
                link.symlink_to(program)
                link.replace(self.at.bin / name)

    def _names(self, recipe: Recipe) -> list[str]:
        return [*recipe.programs, *(name for names in recipe.links.values() for name in names)]

    def _stamp(self, recipe: Recipe) -> Path:
        return self.at.builds / f"{recipe.name}.fingerprint"

    def log_of(self, recipe: Recipe) -> Path:
        """Where the output of its last build is."""
        return self.at.logs / f"build-{recipe.name}.log"

    def _refuse_full_disk(self) -> None:
        self.at.root.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.at.root).free
        if free < _ROOM:
            raise LocalError(
                f"{self.at.root} has {free / 1024**3:.1f} GiB free, and the builds need "
                f"{_ROOM / 1024**3:.0f}. Make room, or set SLIPWAY_HOME to a larger disk."
            )


def _install_folder(source: Path, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, copy_function=_copy_writable)
    target.chmod(0o755)


def _copy_writable(source: str, target: str) -> None:
    """Modules are read-only; copies must not be, or they could not be replaced."""
    shutil.copyfile(source, target)


def _explanation(recipe: Recipe, log: Path) -> str:
    end = tail(log)
    if _DISK_FULL in end.lower():
        return f"The disk is full: {recipe.name} could not be built. The log is {log}."
    return f"{recipe.name} could not be built. The end of {log}:\n{end}"
