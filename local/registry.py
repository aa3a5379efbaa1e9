"""The local image registry: Debian's docker-registry, and what it stores."""

import base64
import hashlib
import secrets
from pathlib import Path
from typing import Any

import bcrypt
import yaml

from local import files
from local.daemon import Daemon
from local.layout import Layout

_USER = "slipway"


def daemon(paths: Layout, *, authenticates: bool = True) -> Daemon:
    """docker-registry on the loopback interface.

    `authenticates`: it accepts requests only with `authorization`. Otherwise any user of this
    machine could replace a published version.
    """
    config = paths.config / "registry.yaml"
    password_file = paths.config / "registry.htpasswd"
    content: dict[str, Any] = {
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {
            "filesystem": {"rootdirectory": str(paths.registry)},
            "delete": {"enabled": True},
        },
        "http": {"addr": "127.0.0.1:5000", "headers": {"X-Content-Type-Options": ["nosniff"]}},
    }
    texts = {}
    if authenticates:
        content["auth"] = {"htpasswd": {"realm": "slipway", "path": str(password_file)}}
        texts[password_file] = _htpasswd(_password(paths))
    return Daemon(
        "registry",
        ["docker-registry", "serve", str(config)],
        # Needs no password.
        "http://127.0.0.1:5000/",
        {config: yaml.safe_dump(content), **texts},
        # Without a secret, docker-registry logs a warning at every start.
        {"REGISTRY_HTTP_SECRET": "one-node-only", "OTEL_TRACES_EXPORTER": "none"},
    )


def authorization(paths: Layout) -> str:
    """`Authorization` header of a request. The first call creates the password."""
    credentials = f"{_USER}:{_password(paths)}"
    return f"Basic {base64.b64encode(credentials.encode()).decode()}"


def _password(paths: Layout) -> str:
    if not paths.registry_password.exists():
        files.write(paths.registry_password, secrets.token_urlsafe(32), files.PRIVATE)
    return paths.registry_password.read_text()


def _htpasswd(password: str) -> str:
    """Line for the user. It is always the same, because a changed file restarts the registry."""
    # 21 characters and one that encodes the last 2 of 128 bits.
    salt = f"{hashlib.sha256(password.encode()).hexdigest()[:21]}."
    # The minimum cost: a random password needs no slow hash.
    digest = bcrypt.hashpw(password.encode(), f"$2b$04${salt}".encode())
    return f"{_USER}:{digest.decode()}\n"


def has_tag(paths: Layout, repository: str, tag: str) -> bool:
    """True if the registry stores this tag. Reads its files, so it need not run."""
    return _digest_file(paths, repository, tag).is_file()


def digest(paths: Layout, repository: str, tag: str) -> str | None:
    """Digest that the tag points to, or None. Reads the registry's files, so it need not run."""
    file = _digest_file(paths, repository, tag)
    return file.read_text() if file.is_file() else None


def _digest_file(paths: Layout, repository: str, tag: str) -> Path:
    tags = paths.registry / "docker/registry/v2/repositories" / repository / "_manifests/tags"
    return tags / tag / "current" / "link"
