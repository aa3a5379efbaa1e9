"""Container images made of local files, and pushed without an engine."""

import hashlib
import io
import json
import platform
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path
from typing import IO

from local import files, layout
from local.errors import LocalError
from local.layout import Layout

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
# Not compressed: the registry is on this machine, so speed counts and size does not.
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_TIMEOUT = 120.0
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class Image:
    """An image of one layer.

    `content` maps paths in the image to files, folders (taken whole) or bytes. `key` is a text
    that changes whenever the content does; it becomes the tag unless `tag` is given.
    """

    repository: str
    key: str
    content: Mapping[str, Path | bytes]
    entrypoint: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    user: str = "65532:65532"
    work_folder: str = "/"
    tag: str = ""

    @property
    def content_tag(self) -> str:
        """The tag that only this content has."""
        return hashlib.sha256(f"{self!r}".encode()).hexdigest()[:16]

    @property
    def reference(self) -> str:
        """What a pod or a Dockerfile names."""
        return f"{layout.REGISTRY}/{self.repository}:{self.tag or self.content_tag}"


def is_stored(at: Layout, image: Image) -> bool:
    """Whether the local registry has just this content under the image's tag, run or not."""
    tags = _tags(at, image.repository)
    content = tags / image.content_tag / "current" / "link"
    return files.same_content(content, tags / (image.tag or image.content_tag) / "current" / "link")


def has_tag(at: Layout, repository: str, tag: str) -> bool:
    """Whether the local registry has anything under this name, whether it runs or not."""
    return (_tags(at, repository) / tag).is_dir()


def _tags(at: Layout, repository: str) -> Path:
    """Where docker-registry keeps them: one folder each."""
    return at.registry / "docker/registry/v2/repositories" / repository / "_manifests" / "tags"


def push(image: Image) -> None:
    """Makes and pushes `image`, unless the registry has it."""
    manifests = f"/v2/{image.repository}/manifests"
    known = _get(f"{manifests}/{image.content_tag}")
    if known is None:
        with tempfile.TemporaryFile() as layer:
            _write_layer(image, layer)
            digest, size = _digest(layer)
            _put_blob(image.repository, layer, digest, size)
        config = json.dumps(_config(image, digest)).encode()
        config_digest, config_size = _digest(io.BytesIO(config))
        _put_blob(image.repository, io.BytesIO(config), config_digest, config_size)
        known = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": _MANIFEST,
                "config": _descriptor(_CONFIG, config_digest, config_size),
                "layers": [_descriptor(_LAYER, digest, size)],
            }
        ).encode()
        _put(f"{manifests}/{image.content_tag}", known)
    if image.tag and _get(f"{manifests}/{image.tag}") != known:
        _put(f"{manifests}/{image.tag}", known)


def _config(image: Image, diff_id: str) -> dict[str, object]:
    return {
        "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": {
            "User": image.user,
            "Entrypoint": list(image.entrypoint) or None,
            "Env": [f"{key}={value}" for key, value in image.environment.items()],
            "WorkingDir": image.work_folder,
        },
        "rootfs": {"type": "layers", "diff_ids": [diff_id]},
    }


def _descriptor(media_type: str, digest: str, size: int) -> dict[str, object]:
    return {"mediaType": media_type, "digest": digest, "size": size}


def _write_layer(image: Image, file: IO[bytes]) -> None:
    """One tar archive, the same for the same content: no times, no owners."""

    def plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = entry.mtime = 0
        entry.uname = entry.gname = ""
        return entry

    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
        temporary = tarfile.TarInfo("tmp")
        temporary.type, temporary.mode = tarfile.DIRTYPE, 0o1777
        archive.addfile(temporary)
        for name, source in image.content.items():
            if isinstance(source, bytes):
                entry = tarfile.TarInfo(name.lstrip("/"))
                entry.size, entry.mode = len(source), 0o644
                archive.addfile(entry, io.BytesIO(source))
            else:
                archive.add(source.resolve(), name, filter=plain)
        for name, target in image.links.items():
            entry = tarfile.TarInfo(name.lstrip("/"))
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            archive.addfile(entry)


def _digest(file: IO[bytes]) -> tuple[str, int]:
    file.seek(0)
    digest, size = hashlib.sha256(), 0
    while block := file.read(1 << 20):
        digest.update(block)
        size += len(block)
    return f"sha256:{digest.hexdigest()}", size


def _put_blob(repository: str, file: IO[bytes], digest: str, size: int) -> None:
    with _request("HEAD", f"/v2/{repository}/blobs/{digest}") as found:
        if found.status == 200:  # noqa: PLR2004
            return
    with _request("POST", f"/v2/{repository}/blobs/uploads/") as started:
        target = started.headers["Location"]
    file.seek(0)
    target = f"{target}{'&' if '?' in target else '?'}digest={digest}"
    headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
    with _request("PUT", target, file, headers) as done:
        _expect_created(done, f"layer of {repository}")


def _put(path: str, body: bytes) -> None:
    with _request("PUT", path, body, {"Content-Type": _MANIFEST}) as done:
        _expect_created(done, path)


def _get(path: str) -> bytes | None:
    with _request("GET", path, headers={"Accept": _MANIFEST}) as found:
        return found.read() if found.status == 200 else None  # noqa: PLR2004


def _expect_created(response: HTTPResponse, what: str) -> None:
    if response.status != 201:  # noqa: PLR2004
        reason = response.read(2048).decode(errors="replace")
        raise LocalError(f"The registry refused the {what}: {response.status} {reason}")


@contextmanager
def _request(
    method: str,
    target: str,
    body: bytes | IO[bytes] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Iterator[HTTPResponse]:
    path = target.removeprefix(f"http://{layout.REGISTRY}")
    connection = HTTPConnection(layout.REGISTRY, timeout=_TIMEOUT)
    try:
        connection.request(method, path, body=body, headers=dict(headers or {}))
        yield connection.getresponse()
    except (OSError, HTTPException) as error:
        raise LocalError(f"The registry at {layout.REGISTRY} does not answer: {error}") from error
    finally:
        connection.close()
