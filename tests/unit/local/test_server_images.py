"""Upstream's images, made here."""

import json
import urllib.error
from email.message import Message

import pytest

from components.versions import IMAGES
from local import images, server_images
from local.layout import Layout
from local.recipes import RECIPES
from local.server_images import SERVERS, Reference, can_be_pulled

BY_KEY = {server.key: server for server in SERVERS}
NOT_BUILT = {"grafana"}


@pytest.mark.parametrize("key", sorted(set(IMAGES) - NOT_BUILT))
def test_what_is_built_is_the_version_that_the_manifests_name(key):
    server = BY_KEY[key]
    for program in server.programs:
        built = server.recipe.version(program)
        assert server.reference.tag.removeprefix("v") == built.removeprefix("v")


@pytest.mark.parametrize(
    ("program", "module", "rule"),
    [
        ("prometheus", "github.com/prometheus/prometheus", "v0.{}.{}"),
        ("jaeger", "github.com/jaegertracing/jaeger", "v1.{}.{}"),
    ],
)
def test_a_release_is_the_one_that_its_module_makes_by_upstreams_rule(program, module, rule):
    recipe = RECIPES[program]
    major, minor, patch = map(int, recipe.version(program).removeprefix("v").split("."))
    # Prometheus 3.15 is 0.315; Jaeger 2.7 was released with 1.70.
    number = {"prometheus": 100 * major + minor, "jaeger": 63 + minor}[program]
    assert recipe.version_of(module) == rule.format(number, patch)


def test_an_image_is_named_as_upstreams_and_runs_as_its_user(tmp_path):
    image = BY_KEY["loki"].image(Layout(tmp_path), "1.26.8")
    name = Reference.parse(IMAGES["loki"])
    assert (image.repository, image.tag) == (name.repository, name.tag)
    assert image.entrypoint == ["/usr/bin/loki"]
    assert image.user == "10001:10001"
    assert image.content["/usr/bin/loki"] == tmp_path / "bin" / "loki"


@pytest.mark.parametrize("server", SERVERS, ids=lambda server: server.key)
def test_every_image_has_roots_to_trust_and_programs_that_are_built(server, tmp_path):
    image = server.image(Layout(tmp_path), "1.26.8")
    assert str(server_images.base_image.ROOTS) in image.content
    assert {RECIPES[program].name for program in server.programs} == {server.recipe.name}


def test_a_name_is_taken_apart_and_put_together():
    text = "registry.k8s.io/kube-state-metrics/kube-state-metrics:v2.15.0"
    name = Reference.parse(text)
    assert name == Reference("registry.k8s.io", "kube-state-metrics/kube-state-metrics", "v2.15.0")
    assert str(name) == text


class Web:
    """Registries of the test's own: what they answer, by address."""

    def __init__(self, answers):
        self.answers = answers
        self.asked = []

    def __call__(self, request, timeout):
        url = request if isinstance(request, str) else request.full_url
        token = None if isinstance(request, str) else request.get_header("Authorization")
        self.asked.append((url, token))
        answer = self.answers(url, token)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def web(monkeypatch):
    def use(answers):
        made = Web(answers)
        monkeypatch.setattr(server_images.urllib.request, "urlopen", made)
        return made

    return use


class Answer:
    def __init__(self, content=b""):
        self.content = content

    def read(self):
        return self.content

    def close(self):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def refusal(code, challenge=""):
    headers = Message()
    headers["WWW-Authenticate"] = challenge
    return urllib.error.HTTPError("", code, "", headers, None)


GRAFANA = Reference("docker.io", "grafana/grafana", "13.2.3")
CHALLENGE = 'Bearer realm="https://auth.example/token",service="hub",scope="repository:x:pull"'


def test_docker_hub_is_asked_with_the_token_that_it_gives_to_anyone(web):
    def answers(url, token):
        if "auth.example" in url:
            return Answer(json.dumps({"token": "t"}).encode())
        return Answer() if token == "Bearer t" else refusal(401, CHALLENGE)

    made = web(answers)
    assert can_be_pulled(GRAFANA)
    manifest = "https://registry-1.docker.io/v2/grafana/grafana/manifests/13.2.3"
    token = "https://auth.example/token?service=hub&scope=repository%3Ax%3Apull"
    assert made.asked == [(manifest, None), (token, None), (manifest, "Bearer t")]


@pytest.mark.parametrize(
    "answer",
    [
        urllib.error.URLError("no such host"),
        TimeoutError(),
        refusal(404),
        refusal(401, "Basic realm=x"),
        refusal(401, 'Bearer realm="http://auth.example/"'),
    ],
    ids=["unreachable", "slow", "unknown", "private", "in the clear"],
)
def test_an_image_that_cannot_be_had_is_no_error(answer, web):
    web(lambda *_: answer)
    assert not can_be_pulled(GRAFANA)


def store(at: Layout, repository: str, tag: str, digest: str):
    link = images._tags(at, repository) / tag / "current" / "link"
    link.parent.mkdir(parents=True)
    link.write_text(digest)


def test_an_image_is_stored_when_its_tag_has_its_content(tmp_path):
    at = Layout(tmp_path)
    image = BY_KEY["loki"].image(at, "1.26.8")
    assert not images.is_stored(at, image)
    store(at, image.repository, image.tag, "sha256:new")
    assert images.has_tag(at, image.repository, image.tag)
    assert not images.is_stored(at, image)
    store(at, image.repository, image.content_tag, "sha256:new")
    assert images.is_stored(at, image)


def test_a_tag_with_the_content_of_another_build_is_not_it(tmp_path):
    at = Layout(tmp_path)
    image = BY_KEY["loki"].image(at, "1.26.8")
    store(at, image.repository, image.tag, "sha256:old")
    store(at, image.repository, image.content_tag, "sha256:new")
    assert not images.is_stored(at, image)
