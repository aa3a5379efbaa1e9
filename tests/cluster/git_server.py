"""A Git server on this machine, and a working copy of its repository."""

import os
import subprocess
from pathlib import Path
from typing import Self

from tests.cluster.server import Server, free_port, start

_BUSYBOX = "/bin/busybox"
_BRANCH = "main"
_AUTHOR = {
    f"GIT_{role}_{key}": value
    for role in ("AUTHOR", "COMMITTER")
    for key, value in (("NAME", "Test"), ("EMAIL", "test@example.com"))
}


class GitServer(Server):
    """One repository, read over HTTP at :attr:`url`, and written in :attr:`checkout`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._address = f"127.0.0.1:{free_port('127.0.0.1')}"
        self.url = f"http://{self._address}/cgi-bin/git/environments.git"
        self.checkout = folder / "checkout"
        """Working copy of the branch `main`."""

    def __enter__(self) -> Self:
        repositories, script = self._folder / "repositories", self._folder / "www/cgi-bin/git"
        script.parent.mkdir(parents=True)
        script.write_text(
            "#!/bin/sh\n"
            f"export GIT_PROJECT_ROOT={repositories} GIT_HTTP_EXPORT_ALL=1\n"
            "exec git http-backend\n"
        )
        script.chmod(0o755)
        bare = repositories / "environments.git"
        self._git("init", "--quiet", "--bare", f"--initial-branch={_BRANCH}", str(bare))
        self._git("clone", "--quiet", str(bare), str(self.checkout))
        www = script.parents[1]
        self._process = start(_BUSYBOX, "httpd", "-f", "-p", self._address, "-h", www)
        return self

    def commit(self, message: str) -> str:
        """Commit and push the working copy, changed or not; return the commit."""
        self._in_checkout("add", "--all")
        self._in_checkout("commit", "--quiet", "--allow-empty", "--message", message)
        return self._push()

    def revert(self, commits: int) -> str:
        """Revert the last commits and push that; return the last new commit."""
        self._in_checkout("revert", "--no-edit", f"HEAD~{commits}..")
        return self._push()

    def _push(self) -> str:
        self._in_checkout("push", "--quiet", "origin", f"HEAD:{_BRANCH}")
        return self._in_checkout("rev-parse", "HEAD").strip()

    def _in_checkout(self, *arguments: str) -> str:
        return self._git("-C", str(self.checkout), *arguments)

    def _git(self, *arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments],
            env={**os.environ, **_AUTHOR},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
