"""Packages of a Go module, read without Go."""

import os
import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

_SYSTEM = re.compile(
    "aix|android|darwin|dragonfly|freebsd|hurd|illumos|ios|js|linux|nacl|netbsd|openbsd|plan9"
    "|solaris|wasip1|windows|zos"
)
_ARCHITECTURE = re.compile(
    "386|amd64|arm|arm64|loong64|mips|mips64|mips64le|mipsle|ppc64|ppc64le|riscv64|s390x|wasm"
)


class PackageReader:
    """Reads the packages below ``root``, as Go does for Linux.

    ``modules`` are the folders of the modules that belong to the build; folders of other modules
    are left out. ``tags`` are build tags.
    """

    def __init__(self, root: Path, modules: Sequence[Path], tags: Collection[str]) -> None:
        self.root = root
        self._modules = frozenset(modules)
        self._tags = {"linux", "unix", "amd64", "arm64", "gc", "timetzdata", *tags}

    def folders(self) -> Iterator[Path]:
        """Folders below the root, except of other modules."""
        for name, folders, _ in os.walk(self.root):
            folder = Path(name)
            yield folder
            folders[:] = sorted(
                inner
                for inner in folders
                if not inner.startswith((".", "_"))
                and inner not in ("testdata", "vendor", "node_modules")
                and (folder / inner in self._modules or not (folder / inner / "go.mod").exists())
            )

    def package_name(self, folder: Path) -> str | None:
        """Name of the package in ``folder``; ``None`` if there is none."""
        return next((package for _, package in self._files(folder)), None)

    def main_packages(self) -> list[str]:
        """Main packages, relative to the root."""
        mains = (one for one in self.folders() if self.package_name(one) == "main")
        return [package_path(one.relative_to(self.root)) for one in mains]

    def string_variables(self, folder: Path) -> set[str]:
        """Names of the package's variables that the linker can set."""
        texts = (path.read_text(errors="replace") for path, _ in self._files(folder))
        return {name for text in texts for name in _string_variables(text)}

    def import_path(self, folder: Path) -> str:
        """Import path of the package in ``folder``."""
        module = next(one for one in (folder, *folder.parents) if (one / "go.mod").is_file())
        return "/".join((module_path(module), *folder.relative_to(module).parts))

    def _files(self, folder: Path) -> Iterator[tuple[Path, str]]:
        for path in sorted(folder.glob("*.go")):
            is_ignored = path.name.startswith(("_", ".")) or path.stem.endswith("_test")
            if is_ignored or not path.is_file() or not self._is_for_platform(path.stem):
                continue
            constraint, package = _header(path)
            if package and (constraint is None or self._matches(constraint)):
                yield path, package

    def _is_for_platform(self, stem: str) -> bool:
        suffixes = stem.split("_")[1:]
        if suffixes and _ARCHITECTURE.fullmatch(suffixes[-1]) and suffixes.pop() not in self._tags:
            return False
        is_system = bool(suffixes) and _SYSTEM.fullmatch(suffixes[-1]) is not None
        return not is_system or suffixes[-1] in self._tags

    def _matches(self, constraint: str) -> bool:
        words = re.findall(r"&&|\|\||[!()]|[\w.]+", constraint)
        python = {"&&": "and", "||": "or", "!": "not", "(": "(", ")": ")"}
        expression = " ".join(python.get(word) or str(self._is_true(word)) for word in words)
        try:
            return bool(eval(expression))  # noqa: S307  # only True, False, operators and brackets
        except SyntaxError:
            return False

    def _is_true(self, tag: str) -> bool:
        return tag in self._tags or re.fullmatch(r"go1\.\d+", tag) is not None


def _header(path: Path) -> tuple[str | None, str | None]:
    """Build constraint and package name of a Go file."""
    constraint = None
    in_comment = False
    with path.open(errors="replace") as file:
        for raw in file:
            line = raw.strip()
            if in_comment:
                _, ends, line = line.partition("*/")
                in_comment = not ends
            while line.startswith("/*"):
                _, ends, rest = line[2:].partition("*/")
                in_comment, line = not ends, rest.strip()
            if line.startswith("//go:build "):
                constraint = line.removeprefix("//go:build ")
            elif match := re.match(r"package\s+(\w+)", line):
                return constraint, match[1]
    return constraint, None


def _string_variables(text: str) -> Iterator[str]:
    """Top-level string variables without a value or with a literal one, as gofmt formats them."""
    in_block = False
    for line in text.splitlines():
        if line.startswith("var ("):
            in_block = True
        elif in_block and line.startswith(")"):
            in_block = False
        elif line.startswith("var ") or (in_block and re.match(r"\t\w", line)):
            declaration = line.removeprefix("var ").strip()
            match = re.match(r"(\w+(?:\s*,\s*\w+)*)\s*(string\b)?\s*(=\s*[\"`])?", declaration)
            if match and (match[2] or match[3]) and (match[3] or "=" not in declaration):
                yield from re.split(r"\s*,\s*", match[1])


def module_path(folder: Path) -> str:
    """Path of the module in ``folder``. Empty if its ``go.mod`` has none."""
    found = directives((folder / "go.mod").read_text(errors="replace"), "module")
    return found[0].strip('"`') if found else ""


def directives(text: str, verb: str) -> list[str]:
    """Arguments of a directive of ``go.mod`` or ``go.work``, of its one-line and its block form."""
    found: list[str] = []
    in_block = False
    for raw in text.splitlines():
        line = raw.partition("//")[0].strip()
        if in_block:
            in_block = line != ")"
            found += [line] if line and in_block else []
        elif re.fullmatch(rf"{verb}\s*\(", line):
            in_block = True
        elif match := re.fullmatch(rf"{verb}\s+(.+)", line):
            found.append(match[1])
    return found


def package_path(relative: Path) -> str:
    """Path of a package as in `go build`: ``.`` or ``./cmd/shop``."""
    return "." if relative == Path() else f"./{relative.as_posix()}"
