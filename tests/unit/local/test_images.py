"""Images made without an engine, pushed to a registry of the test's own."""

import hashlib
import io
import json
import tarfile
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from local import images, layout
from local.errors import LocalError
from local.images import Image, push


class Registry(BaseHTTPRequestHandler):
    """The few calls of the distribution API that a push makes."""

    blobs: dict[str, bytes]
    manifests: dict[str, bytes]
    pushes: list[str]
    refuses = False

    def do_HEAD(self):
        self.reply(200 if self.path.rpartition("/")[2] in self.blobs else 404)

    def do_GET(self):
        content = self.manifests.get(self.path)
        self.reply(404 if content is None else 200, content or b"")

    def do_POST(self):
        self.reply(202, location=f"http://{layout.REGISTRY}{self.path}1?_state=x")

    def do_PUT(self):
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self.pushes.append(self.path)
        if self.refuses:
            self.reply(507, b"disk full")
        elif "/manifests/" in self.path:
            self.manifests[self.path] = content
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
def registry(monkeypatch):
    handler = type("Fresh", (Registry,), {"blobs": {}, "manifests": {}, "pushes": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    monkeypatch.setattr(images.layout, "REGISTRY", f"127.0.0.1:{server.server_port}")
    yield handler
    server.shutdown()
    server.server_close()


@pytest.fixture
def image(tmp_path):
    program = tmp_path / "program"
    program.write_bytes(b"\x7fELF")
    program.chmod(0o755)
    return Image("slipway/program", "v1", {"/program": program, "/etc/x": b"x"}, ["/program"])


def stored(registry, image, tag):
    manifest = json.loads(registry.manifests[f"/v2/{image.repository}/manifests/{tag}"])
    config = json.loads(registry.blobs[manifest["config"]["digest"]])
    layer = registry.blobs[manifest["layers"][0]["digest"]]
    return manifest, config, tarfile.open(fileobj=io.BytesIO(layer))


def test_a_pushed_image_is_what_its_manifest_says(registry, image):
    push(image)
    manifest, config, layer = stored(registry, image, image.content_tag)
    assert config["rootfs"]["diff_ids"] == [manifest["layers"][0]["digest"]]
    assert config["config"]["Entrypoint"] == ["/program"]
    assert config["config"]["User"] == "65532:65532"
    assert layer.getmember("program").mode & 0o111
    assert layer.getmember("tmp").mode == 0o1777


def test_the_same_content_gives_the_same_layer_whoever_owns_it(registry, image):
    push(image)
    _, _, layer = stored(registry, image, image.content_tag)
    for entry in layer:
        assert (entry.uid, entry.gid, entry.mtime, entry.uname) == (0, 0, 0, "")


def test_an_image_that_is_there_is_not_pushed_again(registry, image):
    push(image)
    registry.pushes.clear()
    push(image)
    assert registry.pushes == []


def test_a_fixed_tag_follows_the_newest_content(registry, image):

    push(replace(image, tag="1"))
    push(replace(image, tag="1", key="v2", environment={"A": "b"}))
    _, config, _ = stored(registry, image, "1")
    assert config["config"]["Env"] == ["A=b"]


def test_other_content_has_another_reference(image):

    assert replace(image, key="v2").reference != image.reference


def test_a_registry_that_refuses_is_quoted(registry, image):
    registry.refuses = True
    with pytest.raises(LocalError, match="507 disk full"):
        push(image)


def test_a_registry_that_is_not_there_is_named(monkeypatch, image):
    monkeypatch.setattr(images.layout, "REGISTRY", "127.0.0.1:1")
    with pytest.raises(LocalError, match=r"registry at 127\.0\.0\.1:1 does not answer"):
        push(image)
