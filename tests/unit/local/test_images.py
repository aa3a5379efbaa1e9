"""Images of local files, pushed to a fake registry."""

import hashlib
import io
import json
import tarfile
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from local import images, layout, registry
from local.errors import LocalError
from local.images import Image
from local.layout import Layout


class FakeRegistry(BaseHTTPRequestHandler):
    """The calls of the distribution API that a push makes; stores tags in files as the real one."""

    blobs: dict[str, bytes]
    manifests: dict[str, bytes]
    pushes: list[str]
    paths: Layout
    refuses = False

    def do_POST(self):
        self.reply(202, location=f"http://{layout.REGISTRY}{self.path}1?_state=x")

    def do_PUT(self):
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self.pushes.append(self.path)
        if self.refuses:
            self.reply(507, b"disk full")
        elif "/manifests/" in self.path:
            self.manifests[self.path] = content
            repository, _, tag = self.path.removeprefix("/v2/").rpartition("/")
            link = registry._digest_file(self.paths, repository.removesuffix("/manifests"), tag)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.write_text(hashlib.sha256(content).hexdigest())
            self.reply(201)
        else:
            digest = self.path.rpartition("digest=")[2]
            assert digest == f"sha256:{hashlib.sha256(content).hexdigest()}"
            self.blobs[digest] = content
            self.reply(201)

    def reply(self, code, content=b"", location=None):
        self.send_response(code)
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format, *args):
        pass


@pytest.fixture
def paths(tmp_path):
    return Layout(tmp_path)


@pytest.fixture
def server(paths, monkeypatch):
    state = {"blobs": {}, "manifests": {}, "pushes": [], "paths": paths}
    handler = type("Handler", (FakeRegistry,), state)
    listener = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=listener.serve_forever, args=(0.01,), daemon=True).start()
    monkeypatch.setattr(images.layout, "REGISTRY", f"127.0.0.1:{listener.server_port}")
    yield handler
    listener.shutdown()
    listener.server_close()


@pytest.fixture
def image(tmp_path):
    program = tmp_path / "program"
    program.write_bytes(b"\x7fELF")
    program.chmod(0o755)
    return Image("slipway/program", "v1", {"/program": program, "/etc/x": b"x"}, ["/program"])


def stored(server, image, tag):
    manifest = json.loads(server.manifests[f"/v2/{image.repository}/manifests/{tag}"])
    config = json.loads(server.blobs[manifest["config"]["digest"]])
    layer = server.blobs[manifest["layers"][0]["digest"]]
    return manifest, config, tarfile.open(fileobj=io.BytesIO(layer))


def test_a_pushed_image_has_the_configured_manifest(server, paths, image):
    images.push(paths, image)
    manifest, config, layer = stored(server, image, image.content_tag)
    assert config["rootfs"]["diff_ids"] == [manifest["layers"][0]["digest"]]
    assert config["config"]["Entrypoint"] == ["/program"]
    assert config["config"]["User"] == "65532:65532"
    assert layer.getmember("program").mode & 0o111
    assert layer.getmember("tmp").mode == 0o1777


def test_layers_have_no_owners_and_timestamps(server, paths, image):
    images.push(paths, image)
    _, _, layer = stored(server, image, image.content_tag)
    for entry in layer:
        assert (entry.uid, entry.gid, entry.mtime, entry.uname) == (0, 0, 0, "")


def test_a_stored_image_is_not_pushed_again(server, paths, image):
    images.push(paths, image)
    server.pushes.clear()
    images.push(paths, image)
    assert server.pushes == []


def test_a_fixed_tag_points_to_the_latest_content(server, paths, image):
    images.push(paths, replace(image, tag="1"))
    images.push(paths, replace(image, tag="1", key="v2", environment={"A": "b"}))
    _, config, _ = stored(server, image, "1")
    assert config["config"]["Env"] == ["A=b"]


def test_an_error_of_the_registry_is_quoted(server, paths, image):
    server.refuses = True
    with pytest.raises(LocalError, match="507 disk full"):
        images.push(paths, image)


def test_a_stopped_registry_is_named(monkeypatch, paths, image):
    monkeypatch.setattr(images.layout, "REGISTRY", "127.0.0.1:1")
    with pytest.raises(LocalError, match=r"registry at 127\.0\.0\.1:1 does not respond"):
        images.push(paths, image)
