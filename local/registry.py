"""The local image registry: Debian's docker-registry, and what it stores."""

from pathlib import Path

import yaml

from local.daemon import Daemon
from local.layout import Layout


def daemon(paths: Layout) -> Daemon:
    """docker-registry on the loopback interface."""
    config = paths.config / "registry.yaml"
    content = {
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {
            "filesystem": {"rootdirectory": str(paths.registry)},
            "delete": {"enabled": True},
        },
        "http": {"addr": "127.0.0.1:5000", "headers": {"X-Content-Type-Options": ["nosniff"]}},
    }
    return Daemon(
        "registry",
        ["docker-registry", "serve", str(config)],
        "http://127.0.0.1:5000/v2/",
        {config: yaml.safe_dump(content)},
        # Without a secret, docker-registry logs a warning at every start.
        {"REGISTRY_HTTP_SECRET": "one-node-only", "OTEL_TRACES_EXPORTER": "none"},
    )


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
