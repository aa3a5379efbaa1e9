"""A git repository with a copy of the working tree, for tests that change it."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.unit.stacks import SERVICE_KEYS

CHECKOUT = Path(__file__).resolve().parents[3]


class Repository:
    """One commit of the project and a working tree that a test edits."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
            cwd=CHECKOUT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for name in filter(None, listed.split("\0")):
            if (CHECKOUT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(CHECKOUT / name, folder / name)
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("config", "user.name", "test")
        self.git("config", "user.email", "test@example.com")
        self.git("config", "gc.auto", "0")
        self.commit()

    def git(self, *arguments: str) -> str:
        """Run git; return what it prints."""
        return subprocess.run(
            ["git", *arguments], cwd=self.folder, check=True, capture_output=True, text=True
        ).stdout

    def commit(self) -> str:
        """Commit everything; return the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "A state")
        return self.git("rev-parse", "HEAD").strip()

    def reset(self, commit: str) -> None:
        """Go back to a commit, whatever was edited or made."""
        self.git("reset", "--quiet", "--hard", commit)
        self.git("clean", "-fdq")

    def replace(self, file: str, old: str, new: str) -> None:
        """Edit a file; ``old`` has to be in it."""
        text = (self.folder / file).read_text()
        assert old in text, f"{file} has no {old!r}"
        (self.folder / file).write_text(text.replace(old, new))

    def append(self, file: str, text: str) -> None:
        """Add lines to the end of a file."""
        with (self.folder / file).open("a") as out:
            out.write(text)

    def configure(self, stack: str, section: str, **values: Any) -> None:
        """Set keys of one section of a stack file, or of a section of the service beacon."""
        with self._config(stack) as config:
            if section in SERVICE_KEYS:
                config["slipway:services"]["beacon"].setdefault(section, {}).update(values)
            else:
                config.setdefault(f"slipway:{section}", {}).update(values)

    def drop(self, stack: str, section: str) -> None:
        """Leave out one section of the service beacon in a stack file."""
        with self._config(stack) as config:
            config["slipway:services"]["beacon"].pop(section, None)

    @contextmanager
    def _config(self, stack: str) -> Iterator[dict[str, Any]]:
        file, yaml = self.folder / f"Pulumi.{stack}.yaml", YAML()
        document = yaml.load(file.read_text())
        yield document["config"]
        with file.open("w") as out:
            yaml.dump(document, out)
