"""Container images of local files, pushed to the local registry without a builder."""

import hashlib
import io
import json
import os
import platform
import tarfile
import tempfile
import urllib.error
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import IO
from urllib.request import ProxyHandler, Request, build_opener

from local import layout, registry
from local.errors import LocalError
from local.layout import Layout

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
# Not compressed: the registry is on this machine, so speed counts and size does not.
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_TIMEOUT = 120.0
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_WITHOUT_PROXY = build_opener(ProxyHandler({}))


@dataclass(frozen=True)
class Image:
    """An image of one layer.

    `content` maps paths in the image to files, folders (with everything below) or bytes. `key` is
    any text that changes with the content. `tag` defaults to a hash of the other fields.
    """

    repository: str
    key: str
    content: Mapping[str, Path | bytes]
    entrypoint: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    user: str = "65532:65532"
    working_dir: str = "/"
    tag: str = ""

    @property
    def content_tag(self) -> str:
        """Tag that identifies the content: a hash of every field."""
        return hashlib.sha256(f"{self!r}".encode()).hexdigest()[:16]

    @property
    def reference(self) -> str:
        """Name of the image in a pod or a Dockerfile."""
        return f"{layout.REGISTRY}/{self.repository}:{self.tag or self.content_tag}"


def is_stored(paths: Layout, image: Image) -> bool:
    """True if the tag of `image` points to its content. The registry need not run."""
    expected = registry.digest(paths, image.repository, image.content_tag)
    tag = image.tag or image.content_tag
    return expected is not None and registry.digest(paths, image.repository, tag) == expected


def push(paths: Layout, image: Image) -> None:
    """Create `image` and push it, unless the registry stores it."""
    if is_stored(paths, image):
        return
    with tempfile.TemporaryFile() as file:
        _write_layer(image, file)
        layer = _push_blob(paths, image.repository, file, _LAYER)
    config = io.BytesIO(json.dumps(_config(image, layer)).encode())
    manifest = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": _push_blob(paths, image.repository, config, _CONFIG),
        "layers": [layer],
    }
    for tag in filter(None, (image.content_tag, image.tag)):
        path = f"/v2/{image.repository}/manifests/{tag}"
        _request(paths, "PUT", path, json.dumps(manifest).encode(), {"Content-Type": _MANIFEST})


def _config(image: Image, layer: Mapping[str, object]) -> dict[str, object]:
    return {
        "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": {
            "User": image.user,
            "Entrypoint": list(image.entrypoint) or None,
            "Env": [f"{key}={value}" for key, value in image.environment.items()],
            "WorkingDir": image.working_dir,
        },
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
    }


def _write_layer(image: Image, file: IO[bytes]) -> None:
    """Write a reproducible tar archive: no timestamps, no owners."""

    def without_owner(entry: tarfile.TarInfo) -> tarfile.TarInfo:
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
                archive.add(source.resolve(), name, filter=without_owner)
        for name, target in image.links.items():
            entry = tarfile.TarInfo(name.lstrip("/"))
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            archive.addfile(entry)


def _push_blob(
    paths: Layout, repository: str, file: io.BytesIO | io.BufferedRandom, media_type: str
) -> dict[str, object]:
    """Upload a blob and return its OCI descriptor."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    digest = f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
    file.seek(0)
    upload = _request(paths, "POST", f"/v2/{repository}/blobs/uploads/")["Location"]
    upload = upload.removeprefix(f"http://{layout.REGISTRY}")
    headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
    _request(paths, "PUT", f"{upload}{'&' if '?' in upload else '?'}digest={digest}", file, headers)
    return {"mediaType": media_type, "digest": digest, "size": size}


def _request(
    paths: Layout,
    method: str,
    path: str,
    body: bytes | IO[bytes] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Message:
    """Send a request to the registry and return the headers of the response."""
    url = f"http://{layout.REGISTRY}{path}"
    authorization = {"Authorization": registry.authorization(paths)}
    request = Request(url, body, {**(headers or {}), **authorization}, method=method)
    try:
        with _WITHOUT_PROXY.open(request, timeout=_TIMEOUT) as response:
            return response.headers
    except urllib.error.HTTPError as error:
        reason = error.read(2048).decode(errors="replace")
        raise LocalError(f"The registry refused {method} {path}: {error.code} {reason}") from error
    except OSError as error:
        raise LocalError(f"The registry at {layout.REGISTRY} does not respond: {error}") from error
