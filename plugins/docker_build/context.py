"""One hash over everything a build sends to the builder: equal hashes need no build.

The hash is the one that pulumi-docker-build keeps as `contextHash`, byte for byte, so that a stack
moves between the two without a rebuild. It covers the Dockerfile, then of each file that
`.dockerignore` leaves in, in the order of a directory walk: content, path and mode.
"""

import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_CHUNK = 1 << 20  # bytes read at a time


def context_hash(context: str, dockerfile: str, named: Mapping[str, str]) -> str:
    """The hash of a build context.

    `context` and `dockerfile` may be empty or remote; then they add nothing, as the builder fetches
    them itself. `named` holds further contexts by name. Raises `OSError` for an unreadable file and
    `ValueError` for a `.dockerignore` that cannot be understood.
    """
    digest = hashlib.sha256()
    ignored = IgnoreFile(_ignore_patterns(context, dockerfile))
    if Path(dockerfile).is_file():
        digest.update(Path(dockerfile).read_bytes())
    for location in (context, *(named[name] for name in sorted(named))):
        if location and Path(location).is_dir():
            for file in _files(Path(location), ignored):
                _add(digest.update, Path(location), file)
    return digest.hexdigest()


def file_mode(mode: int) -> str:
    """A file's mode as Go writes it, e.g. `-rwxr-xr-x`, `Lrwxrwxrwx`, `urwxr-xr-x`."""
    kind = "L" if stat.S_ISLNK(mode) else ""
    special = zip((stat.S_ISUID, stat.S_ISGID, stat.S_ISVTX), "ugt", strict=True)
    kind += "".join(letter for bit, letter in special if mode & bit)
    allowed = "".join(
        letter if mode & (0o400 >> place) else "-" for place, letter in enumerate("rwxrwxrwx")
    )
    return (kind or "-") + allowed


class IgnoreFile:
    """The patterns of a `.dockerignore`, the last that matches a path decides."""

    def __init__(self, patterns: list[str]) -> None:
        self._rules = [_rule(pattern) for pattern in patterns]
        self.has_exceptions = any(rule.exception for rule in self._rules)

    def match(self, path: str, parent: list[bool]) -> tuple[bool, list[bool]]:
        """Whether the path is left out, and which patterns matched.

        `parent` is the second value for the path's folder: a pattern that matches a folder matches
        all that is in it. At the top it is empty.
        """
        left_out = False
        matched: list[bool] = []
        for index, rule in enumerate(self._rules):
            # A pattern that could not change the outcome is not tried, and then counts as one that
            # does not match the folder's content either.
            matches = bool(parent) and parent[index]
            matches = matches or (rule.exception == left_out and rule.matches(path))
            matched.append(matches)
            if matches:
                left_out = not rule.exception
        return left_out, matched


@dataclass(frozen=True)
class _Rule:
    exception: bool
    matches: Callable[[str], bool]


def _add(update: Callable[[bytes], object], root: Path, file: str) -> None:
    mode = (root / file).lstat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
        return
    if (root / file).is_dir():  # a link to a folder, which the walk does not follow
        return
    with (root / file).open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            update(chunk)
    update(os.fsencode(file))
    update(file_mode(mode).encode())


def _files(
    root: Path, ignored: IgnoreFile, folder: str = "", parent: list[bool] | None = None
) -> Iterator[str]:
    names = (entry.name for entry in (root / folder).iterdir())
    for name in sorted(names, key=os.fsencode):
        path = f"{folder}/{name}" if folder else name
        left_out, matched = ignored.match(path, parent or [])
        if (root / path).is_dir() and not (root / path).is_symlink():
            if not left_out or ignored.has_exceptions:
                yield from _files(root, ignored, path, matched)
        elif not left_out:
            try:
                (root / path).stat()
            except (FileNotFoundError, NotADirectoryError):
                # A link to nowhere. The walk that defines this hash takes its error for "skip the
                # rest of the folder".
                return
            yield path


def _ignore_patterns(context: str, dockerfile: str) -> list[str]:
    candidates = [Path(f"{dockerfile}.dockerignore")]
    if context and Path(context).is_dir():
        candidates.append(Path(context) / ".dockerignore")
    elif not Path(dockerfile).is_file():
        return []
    for candidate in candidates:
        if candidate.is_file():
            return [
                pattern
                for line in candidate.read_text("utf-8-sig").splitlines()
                if not line.startswith("#") and (pattern := _clean(line))
            ]
    return []


def _clean(line: str) -> str:
    pattern = line.strip()
    exception = pattern.startswith("!")
    pattern = pattern.removeprefix("!").strip()
    if pattern:
        pattern = os.path.normpath(re.sub("/+", "/", pattern))
        pattern = pattern[1:] if len(pattern) > 1 and pattern.startswith("/") else pattern
    elif exception:
        raise ValueError('.dockerignore: the pattern "!" excepts nothing')
    return f"!{pattern}" if exception else pattern


def _rule(pattern: str) -> _Rule:
    exception = pattern.startswith("!")
    pattern = pattern.removeprefix("!")
    rest = pattern.removeprefix("**")
    if rest != pattern and not re.search(r"[*?\\[\]]", rest):
        # "**/name" is that name anywhere; "**name" is any path that ends so.
        return _Rule(exception, lambda path: path.endswith(rest) or f"/{path}" == rest)
    try:
        expression = re.compile(_expression(pattern), re.DOTALL)
    except re.error as problem:
        raise ValueError(f".dockerignore: {pattern}: {problem}") from problem
    return _Rule(exception, lambda path: expression.fullmatch(path) is not None)


def _expression(pattern: str) -> str:
    """The pattern as a regular expression: `*` and `?` stop at a slash, `**` does not."""
    tokens = re.findall(r"\*\*/?|\*|\?|\\.|[\[\]]|[^*?\\\[\]]+|\\", pattern, re.DOTALL)
    parts = []
    for index, token in enumerate(tokens):
        match token:
            case "**" | "**/":
                parts.append(".*" if index == len(tokens) - 1 else "(.*/)?")
            case "*":
                parts.append("[^/]*")
            case "?":
                parts.append("[^/]")
            case _ if token[0] in "[]\\":
                parts.append(token)
            case _:
                # Not re.escape: inside a class the characters stand as they are.
                parts.append(re.sub(r"[.+()|{}$]", r"\\\g<0>", token))
    return "".join(parts)
