"""``make bump``: update what pins the dependencies, from the versions that the files name.

Each ``*.in`` file with Python requirements is compiled to a ``*.txt`` file with all packages, also
indirect ones, and their hashes. Each image in ``versions.yaml`` gets the digest of its tag.
"""

import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from commands.errors import UNCHECKED, CommandError
from commands.registry import published_digest
from commands.supply_chain.python_tool import TOOLS, python_tool
from local import files
from settings.stack_file import PROJECT_FOLDER

VERSIONS = PROJECT_FOLDER / "versions.yaml"
OLDEST_PYTHON = "3.11"
CONSTRAINTS = {
    "requirements": (),
    "local/requirements": ("requirements",),
    "policy/requirements": (),
    "requirements-dev": ("requirements", "local/requirements"),
    **{str(file.relative_to(PROJECT_FOLDER).with_suffix("")): () for file in TOOLS.glob("*.in")},
}
"""Requirements by name without suffix. Packages of the constraints have the same versions."""


def bump(environment: Mapping[str, str]) -> str:
    """Write the files; return a message."""
    for name, constraints in CONSTRAINTS.items():
        _lock(name, constraints)
    print(f"Python: locked {len(CONSTRAINTS)} files with hashes", flush=True)

    def digest_of(image: str, tag: str) -> str:
        digest = published_digest(image, tag, environment)
        if digest is None:
            raise CommandError(f"{image}:{tag} is not published: correct {VERSIONS.name}")
        return digest

    text, failures = pin_images(VERSIONS.read_text(), digest_of)
    files.write(VERSIONS, text)
    if failures:
        raise CommandError("\n  ".join(["images: not looked up:", *failures]), UNCHECKED)
    return f"images: pinned by digest in {VERSIONS.name}; review the changes with git diff"


def pin_images(text: str, digest_of: Callable[[str, str], str]) -> tuple[str, list[str]]:
    """Set the digest behind each image's tag in ``text``; return it with the lookups that failed.

    An image whose registry cannot be read keeps its digest.
    """
    failures: list[str] = []

    def pinned(found: "re.Match[str]") -> str:
        try:
            return f"{found[1]}:{found[2]}@{digest_of(found[1], found[2])}"
        except CommandError as error:
            failures.append(str(error))
            return found[0]

    head, key, images = text.partition("images:")
    image = r"([\w.-]+(?::\d+)?(?:/[\w.-]+)+):([\w.-]+)(?:@sha256:[0-9a-f]{64})?"
    return head + key + re.sub(image, pinned, images), failures


def _lock(name: str, constraints: tuple[str, ...]) -> None:
    done = subprocess.run(
        [
            *(
                str(python_tool("uv")),
                "pip",
                "compile",
                f"{name}.in",
                "--output-file",
                f"{name}.txt",
            ),
            *("--generate-hashes", "--upgrade", "--universal", "--python-version", OLDEST_PYTHON),
            *("--quiet", "--custom-compile-command", "make bump"),
            *(argument for one in constraints for argument in ("--constraint", f"{one}.txt")),
        ],
        cwd=PROJECT_FOLDER,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise CommandError(
            f"{Path(name).name}.in cannot be locked: {done.stderr.strip()}", UNCHECKED
        )
