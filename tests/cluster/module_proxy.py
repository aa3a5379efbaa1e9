"""A server of Go modules with the GOPROXY protocol."""

import base64
import hashlib
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Self


class ModuleProxy:
    """Serves the modules in ``folder`` on the loopback interface, and keeps the paths requested."""

    def __init__(self, folder: Path) -> None:
        self.requests: list[str] = []
        self.checksums = ""
        """Content of a ``go.sum`` with all modules."""
        self._folder = folder
        handler = partial(_Handler, requests=self.requests, directory=str(folder))
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def add(self, module: str, version: str, source: str) -> None:
        """Publish a module with one file."""
        versions = self._folder / module / "@v"
        versions.mkdir(parents=True)
        go_mod = f"module {module}\n\ngo 1.26\n"
        (versions / f"{version}.info").write_text(f'{{"Version": "{version}"}}')
        (versions / f"{version}.mod").write_text(go_mod)
        files = {"go.mod": go_mod, "lib.go": source}
        content = {f"{module}@{version}/{name}": text for name, text in files.items()}
        with zipfile.ZipFile(versions / f"{version}.zip", "w") as archive:
            for name, text in content.items():
                archive.writestr(name, text)
        self.checksums += f"{module} {version} {_hash(content)}\n"
        self.checksums += f"{module} {version}/go.mod {_hash({'go.mod': go_mod})}\n"

    def __enter__(self) -> Self:
        Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, *arguments: Any, requests: list[str], directory: str) -> None:
        self._requests = requests
        super().__init__(*arguments, directory=directory)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        self._requests.append(self.path)


def _hash(content: dict[str, str]) -> str:
    """Return the hash ``h1`` of files, as in ``go.sum``."""
    lines = [
        f"{hashlib.sha256(text.encode()).hexdigest()}  {name}\n"
        for name, text in sorted(content.items())
    ]
    return f"h1:{base64.b64encode(hashlib.sha256(''.join(lines).encode()).digest()).decode()}"
