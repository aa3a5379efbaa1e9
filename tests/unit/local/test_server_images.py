"""Images of the observability servers."""

import io
import json
import urllib.error
from email.message import Message

import pytest

from components.versions import IMAGE_NAMES, server_image
from local import images, registry, server_images
from local.layout import Layout
from local.recipes import RECIPES
from local.server_images import (
    CERT_MANAGER,
    EXTERNAL_SECRETS,
    FLAGGER,
    LOAD_TESTER,
    SERVERS,
    Reference,
    can_be_pulled,
)

BY_KEY = {
    server.key: server
    for server in (*SERVERS, EXTERNAL_SECRETS, FLAGGER, LOAD_TESTER, *CERT_MANAGER)
}
NOT_BUILT = {"grafana"}


@pytest.mark.parametrize("key", sorted(set(IMAGE_NAMES) - NOT_BUILT))
def test_the_built_version_is_the_one_in_versions_yaml(key):
    server = BY_KEY[key]
    built = server.recipe.version(server.program)
    assert server.reference.tag.removeprefix("v") == built.removeprefix("v")


@pytest.mark.parametrize(
    ("program", "module", "rule"),
    [
        ("prometheus", "github.com/prometheus/prometheus", "v0.{}.{}"),
        ("jaeger", "github.com/jaegertracing/jaeger", "v1.{}.{}"),
    ],
)
def test_a_release_has_the_module_version_that_upstream_derives_from_it(program, module, rule):
    recipe = RECIPES[program]
    major, minor, patch = map(int, recipe.version(program).removeprefix("v").split("."))
    # Prometheus 3.15 is 0.315; Jaeger 2.7 was released with 1.70.
    number = {"prometheus": 100 * major + minor, "jaeger": 63 + minor}[program]
    assert recipe.version_of(module) == rule.format(number, patch)


def test_a_digest_beside_the_tag_is_ignored():
    text = "quay.io/prometheus/prometheus:v3.15.0"
    assert Reference.parse(f"{text}@sha256:{'a' * 64}") == Reference.parse(text)


def test_an_image_has_the_name_and_the_user_of_upstreams(tmp_path):
    image = BY_KEY["loki"].image(Layout(tmp_path), "1.26.8")
    name = Reference.parse(server_image("loki"))
    assert (image.repository, image.tag) == (name.repository, name.tag)
    assert image.entrypoint == ["/usr/bin/loki"]
    assert image.user == "10001:10001"
    assert image.content["/usr/bin/loki"] == tmp_path / "bin" / "loki"


class Web:
    """Fake registries: responses by URL."""

    def __init__(self, responses):
        self.responses = responses
        self.requests = []

    def __call__(self, request, timeout):
        url = request if isinstance(request, str) else request.full_url
        token = None if isinstance(request, str) else request.get_header("Authorization")
        self.requests.append((url, token))
        response = self.responses(url, token)
        if isinstance(response, Exception):
            raise response
        return response


@pytest.fixture
def web(monkeypatch):
    def use(responses):
        made = Web(responses)
        monkeypatch.setattr(server_images.urllib.request, "urlopen", made)
        return made

    return use


def refusal(code, challenge=""):
    headers = Message()
    headers["WWW-Authenticate"] = challenge
    return urllib.error.HTTPError("", code, "", headers, None)


GRAFANA = Reference("docker.io", "grafana/grafana", "13.2.3")
CHALLENGE = 'Bearer realm="https://auth.example/token",service="hub",scope="repository:x:pull"'


def test_docker_hub_is_queried_with_an_anonymous_token(web):
    def responses(url, token):
        if "auth.example" in url:
            return io.BytesIO(json.dumps({"token": "t"}).encode())
        return io.BytesIO() if token == "Bearer t" else refusal(401, CHALLENGE)

    made = web(responses)
    assert can_be_pulled(GRAFANA)
    manifest = "https://registry-1.docker.io/v2/grafana/grafana/manifests/13.2.3"
    token = "https://auth.example/token?service=hub&scope=repository%3Ax%3Apull"
    assert made.requests == [(manifest, None), (token, None), (manifest, "Bearer t")]


@pytest.mark.parametrize(
    "response",
    [
        urllib.error.URLError("no such host"),
        TimeoutError(),
        refusal(404),
        refusal(401, "Basic realm=x"),
        refusal(401, 'Bearer realm="http://auth.example/"'),
    ],
    ids=["unreachable", "slow", "unknown", "private", "in the clear"],
)
def test_an_image_that_cannot_be_pulled_is_no_error(response, web):
    web(lambda *_: response)
    assert not can_be_pulled(GRAFANA)


def test_no_registry_is_queried_if_none_can_be_reached(monkeypatch, web):
    monkeypatch.setenv("SLIPWAY_PULL", "off")
    made = web(lambda *_: io.BytesIO())
    assert not can_be_pulled(GRAFANA)
    assert made.requests == []


def store(paths: Layout, repository: str, tag: str, digest: str):
    link = registry._digest_file(paths, repository, tag)
    link.parent.mkdir(parents=True)
    link.write_text(digest)


def test_an_image_is_stored_if_its_tag_points_to_its_content(tmp_path):
    paths = Layout(tmp_path)
    image = BY_KEY["loki"].image(paths, "1.26.8")
    assert not images.is_stored(paths, image)
    store(paths, image.repository, image.tag, "sha256:new")
    assert registry.has_tag(paths, image.repository, image.tag)
    assert not images.is_stored(paths, image)
    store(paths, image.repository, image.content_tag, "sha256:new")
    assert images.is_stored(paths, image)


def test_an_image_is_not_stored_if_its_tag_points_to_another_build(tmp_path):
    paths = Layout(tmp_path)
    image = BY_KEY["loki"].image(paths, "1.26.8")
    store(paths, image.repository, image.tag, "sha256:old")
    store(paths, image.repository, image.content_tag, "sha256:new")
    assert not images.is_stored(paths, image)
