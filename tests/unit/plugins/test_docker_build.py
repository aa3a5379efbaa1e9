"""The `Image` resource: what it keeps, what it asks of buildx, and when it builds again."""

import json
import os
import re
import stat
import sys
import threading
from pathlib import Path
from unittest.mock import Mock

import pytest
from pulumi.runtime.proto import provider_pb2

from plugins.docker_build import buildx
from plugins.docker_build.inputs import complete, with_digest
from plugins.docker_build.provider import DockerBuildProvider
from plugins.server import PluginError
from plugins.values import UNKNOWN, Secret, from_struct, reveal, to_struct

IMAGE = "docker-build:index:Image"
DIGEST = "sha256:" + "5" * 64
TAG = "localhost:5000/app:1.0"

# Stands for buildx: keeps what it was given, and says and does what the test has prepared.
BUILDX = """#!{python}
import json, os, pathlib, sys
here = pathlib.Path(__file__).parent
config = pathlib.Path(os.environ.get("DOCKER_CONFIG", ""), "config.json")
(here / "seen.json").write_text(json.dumps({{
    "arguments": sys.argv[1:],
    "environment": dict(os.environ),
    "config": json.loads(config.read_text()) if config.is_file() else None,
    "config_mode": config.parent.stat().st_mode if config.is_file() else None,
}}))
output = (here / "output").read_text() if (here / "output").exists() else "#1 building"
print(output, file=sys.stderr)
for argument in sys.argv:
    if argument.startswith("--metadata-file="):
        pathlib.Path(argument.partition("=")[2]).write_text(
            json.dumps({{"containerimage.digest": "{digest}"}}))
sys.exit(int((here / "code").read_text()) if (here / "code").exists() else 0)
"""


class Builder:
    """The stand-in for buildx."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        script = folder / "buildx"
        script.write_text(BUILDX.format(python=sys.executable, digest=DIGEST))
        script.chmod(0o755)

    def will_fail(self, output: str) -> None:
        (self._folder / "output").write_text(output)
        (self._folder / "code").write_text("1")

    def seen(self, what: str):
        return json.loads((self._folder / "seen.json").read_text())[what]

    @property
    def ran(self) -> bool:
        return (self._folder / "seen.json").exists()


@pytest.fixture
def builder(tmp_path, monkeypatch) -> Builder:
    tools = tmp_path / "tools"
    (tmp_path / "project/app").mkdir(parents=True)
    tools.mkdir()
    (tmp_path / "project/app/Dockerfile").write_text("FROM scratch\n")
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    monkeypatch.delenv("BUILDX_CONFIG", raising=False)
    return Builder(tools)


@pytest.fixture
def provider() -> DockerBuildProvider:
    provider = DockerBuildProvider("0.0.22")
    provider.engine = Mock()
    return provider


def image(**inputs):
    return {"context": {"location": "./app"}, "push": True, "tags": [TAG], **inputs}


def check(provider, inputs):
    request = provider_pb2.CheckRequest(type=IMAGE, news=to_struct(inputs))
    response = provider.Check(request, Mock())
    return from_struct(response.inputs), [failure.reason for failure in response.failures]


def create(provider, inputs, *, preview=False):
    request = provider_pb2.CreateRequest(
        urn="urn", name="image", properties=to_struct(inputs), preview=preview
    )
    response = provider.Create(request, Mock())
    return response.id, from_struct(response.properties)


def diff(provider, olds, news):
    request = provider_pb2.DiffRequest(olds=to_struct(olds), news=to_struct(complete(news)))
    return sorted(provider.Diff(request, Mock()).detailedDiff)


def test_checked_inputs_are_kept_with_the_defaults_of_pulumis_own_provider(builder, provider):
    inputs, failures = check(
        provider, image(cacheTo=[{"registry": {"ref": "localhost:5000/cache", "mode": "max"}}])
    )
    assert failures == []
    assert inputs == {
        "buildOnPreview": True,
        "cacheTo": [
            {
                "disabled": False,
                "raw": "",
                "registry": {
                    "compression": "gzip",
                    "compressionLevel": 0,
                    "forceCompression": False,
                    "ignoreError": False,
                    "imageManifest": False,
                    "mode": "max",
                    "ociMediaTypes": True,
                    "ref": "localhost:5000/cache",
                },
            }
        ],
        "context": {"location": "./app"},
        "dockerfile": {"inline": "", "location": "app/Dockerfile"},
        "exec": False,
        "load": False,
        "network": "default",
        "noCache": False,
        "pull": False,
        "push": True,
        "tags": [TAG],
        "target": "",
    }


def test_secrets_and_passwords_are_kept_secret_even_if_given_bare(builder, provider):
    registry = {"address": "localhost:5000", "username": "u", "password": "hunter2"}
    inputs, _ = check(provider, image(secrets={"token": "s"}, registries=[registry]))
    assert inputs["secrets"] == Secret({"token": "s"})
    assert inputs["registries"] == [registry | {"password": Secret("hunter2")}]


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        (image(tag="x"), "tag is not an input; those are addHosts"),
        ({"context": {"location": "./app"}}, "push is required"),
        (image(tags="x"), "tags must be a list, got a text"),
        (image(push="yes"), "push must be true or false, got a text"),
        (image(buildArgs={"VERSION": 1}), r"buildArgs\[VERSION\] must be a text, got a number"),
        (image(tags=[]), "at least one tag is needed to push"),
        (image(tags=["localhost:5000/App:1"]), '"localhost:5000/App:1" is not an image name'),
        (image(context={"location": "./nope"}), '"./nope" is not a directory or a URL'),
        (image(context={"path": "./app"}), "context.path is not an input; those are location"),
        (image(dockerfile={"location": "nope"}), '"nope" is not a file'),
        (
            image(dockerfile={"location": "app/Dockerfile", "inline": "FROM scratch"}),
            "dockerfile.location or dockerfile.inline, not both",
        ),
        (image(network="bridge"), 'network is "bridge", not one of default, host, none'),
        (image(platforms=["amd64"]), '"amd64" is not a platform such as linux/amd64'),
        (image(registries=[{"username": "u"}]), r"registries\[0\].address is required"),
        (image(cacheTo=[{"registry": {}}]), r"cacheTo\[0\].registry.ref is required"),
        (image(cacheTo=[{}]), r"cacheTo\[0\] must have one of inline, local, registry, gha, raw"),
        (image(cacheFrom=[{"disk": {}}]), r"cacheFrom\[0\].disk is not an input"),
        (
            image(exports=[{"image": {"oci": True}}]),
            r"exports\[0\].image.oci is not an input; those are push, ociMediaTypes",
        ),
    ],
)
def test_a_bad_input_is_refused_by_name(builder, provider, inputs, reason):
    _, failures = check(provider, inputs)
    assert len(failures) == 1
    assert re.search(reason, failures[0]), failures


def test_an_input_that_is_not_known_yet_is_not_judged(builder, provider):
    inputs = image(tags=[UNKNOWN], buildArgs={"V": UNKNOWN}, platforms=UNKNOWN)
    assert check(provider, inputs | {"context": {"location": UNKNOWN}})[1] == []
    assert check(provider, inputs | {"context": UNKNOWN, "registries": [UNKNOWN]})[1] == []


def test_a_build_gives_the_digest_and_a_reference_to_deploy(builder, provider):
    identity, state = create(provider, image())
    assert identity == state["digest"] == DIGEST
    assert state["ref"] == f"{TAG}@{DIGEST}"
    assert len(state["contextHash"]) == 64


def test_an_image_that_goes_nowhere_is_known_by_its_name(builder, provider, monkeypatch):
    monkeypatch.setattr(buildx.Buildx, "build", lambda *_, **__: "")
    identity, state = create(provider, image(push=False))
    assert (identity, state["digest"], state["ref"]) == ("image", "", TAG)
    assert "stays in the builder" in provider.engine.warning.call_args[0][0]


def test_every_input_reaches_buildx(builder, provider):
    create(
        provider,
        image(
            addHosts=["a:127.0.0.2"],
            buildArgs={"VERSION": "1"},
            builder={"name": "slipway"},
            cacheFrom=[{"registry": {"ref": "localhost:5000/cache"}}],
            cacheTo=[{"registry": {"ref": "localhost:5000/cache", "mode": "max"}}],
            context={"location": "./app", "named": {"lib": {"location": "../lib"}}},
            labels={"l": "v"},
            network="host",
            noCache=True,
            platforms=["linux/amd64", "linux/arm64"],
            pull=True,
            ssh=[{"id": "default"}, {"id": "git", "paths": ["/key"]}],
            target="final",
        ),
    )
    arguments = builder.seen("arguments")
    assert arguments[0] == "build"
    assert arguments[-1] == "./app"
    expected = {
        "--add-host=a:127.0.0.2",
        "--build-arg=VERSION=1",
        "--build-context=lib=../lib",
        "--builder=slipway",
        "--cache-from=type=registry,ref=localhost:5000/cache",
        "--file=app/Dockerfile",
        "--label=l=v",
        "--network=host",
        "--no-cache",
        "--output=type=registry",
        "--platform=linux/amd64",
        "--platform=linux/arm64",
        "--provenance=false",
        "--pull",
        "--ssh=default",
        "--ssh=git=/key",
        f"--tag={TAG}",
        "--target=final",
    }
    assert expected <= set(arguments)
    (cache,) = [item for item in arguments if item.startswith("--cache-to=")]
    assert set(cache.removeprefix("--cache-to=").split(",")) == {
        "type=registry",
        "ref=localhost:5000/cache",
        "mode=max",
        "ignore-error=false",
        "oci-mediatypes=true",
        "image-manifest=false",
    }


def test_exports_are_written_as_buildx_takes_them():
    entry = {
        "image": {
            "push": True,
            "ociMediaTypes": True,
            "compression": "zstd",
            "compressionLevel": 30,
            "names": ["a", "b"],
            "annotations": {"k": "v,w"},
        }
    }
    text = buildx.entry_text("exports", entry)
    assert text == (
        "type=image,push=true,oci-mediatypes=true,compression=zstd,compression-level=30,"
        'name=a,name=b,"annotation.k=v,w"'
    )
    assert buildx.entry_text("exports", {"raw": "type=oci,dest=x"}) == "type=oci,dest=x"
    assert buildx.entry_text("exports", entry | {"disabled": True}) == ""


def test_an_inline_dockerfile_is_passed_as_a_file(builder, provider):
    seen = {}

    def build(self, inputs, **_):
        folder = Path(os.environ["DOCKER_CONFIG"])
        folder.mkdir()
        arguments = buildx.build_arguments(inputs, folder, push=True)
        (file,) = [item for item in arguments if item.startswith("--file=")]
        seen["text"] = Path(file.removeprefix("--file=")).read_text()
        return DIGEST

    provider._buildx.build = build.__get__(provider._buildx)
    create(provider, image(dockerfile={"inline": "FROM scratch\n"}))
    assert seen["text"] == "FROM scratch\n"


def test_no_secret_and_no_password_is_an_argument(builder, provider):
    registry = {"address": "localhost:5000", "username": "u", "password": "hunter2"}
    create(provider, image(secrets={"token": "s3cret"}, registries=[registry]))
    arguments = " ".join(builder.seen("arguments"))
    assert "s3cret" not in arguments
    assert "hunter2" not in arguments
    assert "--secret=id=token,env=BUILD_SECRET_0" in arguments
    assert builder.seen("environment")["BUILD_SECRET_0"] == "s3cret"


def test_credentials_are_in_a_private_folder_that_ends_with_the_build(builder, provider):
    docker = Path(os.environ["DOCKER_CONFIG"])
    docker.mkdir()
    (docker / "config.json").write_text(
        json.dumps({"auths": {"other:1": {}}, "credsStore": "desktop", "proxies": {"x": 1}})
    )
    registries = [
        {"address": "https://localhost:5000/v2/", "username": "u", "password": "p"},
        {"address": "docker.io", "username": "h", "password": "p"},
    ]
    create(provider, image(registries=registries))
    config = builder.seen("config")
    assert config["auths"]["localhost:5000"] == {"auth": "dTpw"}
    assert config["auths"]["https://index.docker.io/v1/"] == {"auth": "aDpw"}
    assert config["credHelpers"] == {"other:1": "desktop"}
    assert config["proxies"] == {"x": 1}
    assert "credsStore" not in config
    assert stat.S_IMODE(builder.seen("config_mode")) == 0o700
    assert not Path(builder.seen("environment")["DOCKER_CONFIG"]).exists()
    assert builder.seen("environment")["BUILDX_CONFIG"] == str(docker / "buildx")


def test_the_providers_registries_are_logged_in_to_as_well(builder, provider):
    registries = [
        {"address": "ghcr.io", "username": "a", "password": "b"},
        {"address": "localhost:5000", "username": "a", "password": "b"},
    ]
    for given in (registries, json.dumps(registries)):
        news = to_struct({"registries": given})
        checked = provider.CheckConfig(provider_pb2.CheckRequest(news=news), Mock()).inputs
        assert all(
            isinstance(item["password"], Secret) for item in from_struct(checked)["registries"]
        )
        provider.Configure(provider_pb2.ConfigureRequest(args=checked), Mock())
        login = {"address": "localhost:5000", "username": "u", "password": "p"}
        _, state = create(provider, image(registries=[login]))
        auths = builder.seen("config")["auths"]
        assert auths == {"ghcr.io": {"auth": "YTpi"}, "localhost:5000": {"auth": "dTpw"}}
        assert state["registries"] == [login]


def test_without_credentials_dockers_own_config_is_used(builder, provider):
    create(provider, image())
    assert builder.seen("environment")["DOCKER_CONFIG"] == os.environ["DOCKER_CONFIG"]


def test_output_is_shown_as_it_comes_without_secrets(builder, provider):
    (Path(builder._folder) / "output").write_text("#5 token is s3cret\n")
    create(provider, image(secrets={"token": "s3cret"}))
    shown = [call.args[0] for call in provider.engine.status.call_args_list]
    assert shown == ["#5 token is [secret]", ""]


COMPILE_ERROR = """\
#7 [build 3/4] COPY . .
#7 DONE 0.1s

#8 [build 4/4] RUN go build
#8 17.07 ./main.go:3:17: undefined: thing
#8 17.08 s3cret
#8 ERROR: process "/bin/sh -c go build" did not complete successfully: exit code: 1
------
 > [build 4/4] RUN go build:
17.08 s3cret
------
WARNING: current commit information was not captured by the build
Dockerfile:5
--------------------
   4 |     COPY . .
   5 | >>> RUN go build
--------------------
ERROR: failed to build: failed to solve: process "go build" failed: exit code: 1
"""


def test_a_compiler_error_is_shown_with_the_compilers_lines(builder, provider):
    builder.will_fail(COMPILE_ERROR)
    with pytest.raises(PluginError) as raised:
        create(provider, image(secrets={"token": "s3cret"}))
    assert str(raised.value).splitlines() == [
        'failed to build: failed to solve: process "go build" failed: exit code: 1',
        "[build 4/4] RUN go build",
        "./main.go:3:17: undefined: thing",
        "[secret]",
        "Dockerfile:5",
        "   4 |     COPY . .",
        "   5 | >>> RUN go build",
    ]


def test_each_line_of_a_secret_is_masked_but_not_what_is_too_short(builder, provider):
    key = "-----BEGIN KEY-----\n  c2VjcmV0\n{\n-----END KEY-----\n"
    builder.will_fail(
        "#8 [build 4/4] RUN cat /key\n#8 0.1 -----BEGIN KEY-----\n#8 0.1 c2VjcmV0\n#8 0.1 {\n"
        "#8 ERROR: exit code: 1\nERROR: exit code: 1\n"
    )
    with pytest.raises(PluginError) as raised:
        create(provider, image(secrets={"key": key, "other": "s3cret"}))
    assert str(raised.value).splitlines()[-3:] == ["[secret]", "[secret]", "{"]


def test_a_wrong_value_is_not_shown_since_it_may_be_a_secret(builder, provider):
    for wrong in (
        {"secrets": "hunter2"},
        {"secrets": {"token": ["hunter2"]}},
        {"registries": ["hunter2"]},
        {"registries": "hunter2"},
    ):
        _, failures = check(provider, image(**wrong))
        assert failures
        assert "hunter2" not in " ".join(failures)


def test_another_host_than_the_environments_is_refused(provider, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "tcp://here")

    def failures(host):
        request = provider_pb2.CheckRequest(news=to_struct({"host": host}))
        return [failure.property for failure in provider.CheckConfig(request, Mock()).failures]

    assert failures("tcp://elsewhere") == ["host"]
    assert failures("tcp://here") == failures("") == []


def test_a_missing_builder_is_named(builder, provider):
    builder.will_fail('ERROR: no builder "nosuch" found\n')
    with pytest.raises(PluginError, match=r'^no builder "nosuch" found$'):
        create(provider, image(builder={"name": "nosuch"}))


def test_a_full_disk_says_what_frees_it(builder, provider):
    builder.will_fail("ERROR: failed to solve: write /x: no space left on device\n")
    with pytest.raises(PluginError, match="buildx prune"):
        create(provider, image())


def test_a_machine_without_buildx_is_told_so(builder, provider, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(PluginError, match="neither buildx nor docker is on PATH"):
        create(provider, image())


def test_a_cancelled_build_ends_its_buildx(builder, provider):
    script = Path(builder._folder) / "buildx"
    script.write_text("#!/bin/sh\necho started\nexec sleep 60\n")
    started = threading.Event()
    provider.engine.status.side_effect = lambda line, _: line == "started" and started.set()
    threading.Thread(target=lambda: started.wait(30) and provider.cancel()).start()
    with pytest.raises(PluginError, match="the build was cancelled"):
        create(provider, image())


def test_a_preview_knows_no_digest_and_pushes_nothing(builder, provider):
    identity, state = create(provider, image(), preview=True)
    assert identity == "image"
    assert state["digest"] is state["ref"] is state["contextHash"] is UNKNOWN
    assert "--output=type=image,push=false" in builder.seen("arguments")


def test_a_preview_builds_nothing_if_told_so(builder, provider):
    create(provider, image(buildOnPreview=False), preview=True)
    assert not builder.ran


def test_a_preview_with_unknown_inputs_builds_nothing_and_says_why(builder, provider):
    create(provider, image(buildArgs={"V": UNKNOWN}), preview=True)
    assert not builder.ran
    assert "not known yet" in provider.engine.warning.call_args[0][0]


def test_an_unchanged_image_is_not_built_again(builder, provider):
    _, state = create(provider, image())
    assert diff(provider, state, image()) == []


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"tags": ["localhost:5000/app:2.0"]}, "tags"),
        ({"buildArgs": {"VERSION": "2"}}, "buildArgs"),
        ({"platforms": ["linux/arm64"]}, "platforms"),
        ({"secrets": {"token": "other"}}, "secrets"),
        ({"builder": {"name": "other"}}, "builder"),
        ({"context": {"location": "app"}}, "context.location"),
        ({"pull": True}, "pull"),
    ],
)
def test_a_changed_input_builds_again(builder, provider, change, key):
    _, state = create(provider, image())
    assert key in diff(provider, state, image(**change))


@pytest.mark.parametrize("key", ["secrets", "registries", "tags", "buildArgs", "context"])
def test_an_input_that_is_not_known_yet_may_build_again(builder, provider, key):
    registry = {"address": "localhost:5000", "username": "u", "password": "p"}
    _, state = create(provider, image(secrets={"t": "1"}, registries=[registry]))
    changed = diff(
        provider, state, image(secrets={"t": "1"}, registries=[registry]) | {key: UNKNOWN}
    )
    assert {name.partition(".")[0] for name in changed} >= {key}


def test_a_changed_source_builds_again(builder, provider):
    _, state = create(provider, image())
    Path("app/main.go").write_text("package main\n")
    assert diff(provider, state, image()) == ["contextHash"]


def test_with_pull_every_update_builds(builder, provider):
    _, state = create(provider, image(pull=True))
    assert diff(provider, state, image(pull=True)) == ["contextHash"]


def test_a_renewed_password_builds_nothing(builder, provider):
    def with_password(password):
        registry = {"address": "localhost:5000", "username": "u", "password": password}
        return image(registries=[registry])

    _, state = create(provider, with_password("one"))
    assert diff(provider, state, with_password("two")) == []


def test_an_ignored_secret_builds_nothing(builder, provider):
    def with_token(token):
        return image(secrets={"t": token}, ignoreSecretsInDiffCalculation=["t"])

    _, state = create(provider, with_token("one"))
    assert diff(provider, state, with_token("two")) == []


def test_no_change_ever_replaces_an_image(builder, provider):
    _, state = create(provider, image())
    news = to_struct(complete(image(tags=["localhost:5000/app:2.0"])))
    request = provider_pb2.DiffRequest(olds=to_struct(state), news=news)
    assert list(provider.Diff(request, Mock()).replaces) == []


def read(provider, state):
    request = provider_pb2.ReadRequest(
        urn="urn", id=DIGEST, properties=to_struct(state), inputs=to_struct(image())
    )
    response = provider.Read(request, Mock())
    return response.id, from_struct(response.properties)


def test_a_refresh_keeps_an_image_its_registry_has(builder, provider, monkeypatch):
    _, state = create(provider, image())
    monkeypatch.setattr(buildx, "manifest", lambda *_: {})
    assert read(provider, state) == (DIGEST, state)


def test_a_refresh_forgets_an_image_its_registry_has_lost(builder, provider, monkeypatch):
    _, state = create(provider, image())
    monkeypatch.setattr(buildx, "manifest", lambda *_: None)
    assert read(provider, state)[0] == ""
    assert "no longer in its registry" in provider.engine.warning.call_args[0][0]


def test_a_refresh_keeps_the_state_if_the_registry_does_not_answer(builder, provider):
    _, state = create(provider, image())
    builder.will_fail("ERROR: connection refused\n")
    assert read(provider, state) == (DIGEST, state)
    assert "connection refused" in provider.engine.warning.call_args[0][0]


def test_an_image_is_lost_only_if_the_registry_does_not_have_it(builder, provider):
    _, state = create(provider, image())
    for reason in (
        'error getting credentials - err: exec: "docker-credential-x": executable file not found'
        " in $PATH",
        'unable to resolve docker endpoint: context "x": context not found',
    ):
        builder.will_fail(f"ERROR: {reason}\n")
        assert read(provider, state) == (DIGEST, state)
    builder.will_fail(f"ERROR: {TAG}@{DIGEST}: not found\n")
    assert read(provider, state)[0] == ""


def test_a_lost_tag_is_missing_from_the_state(builder, provider, monkeypatch):
    both = image(tags=[TAG, "localhost:5000/app:latest"])
    _, state = create(provider, both)
    monkeypatch.setattr(buildx, "manifest", lambda ref, _: None if ":latest" in ref else {})
    assert read(provider, state)[1]["tags"] == [TAG]
    assert diff(provider, state | {"tags": [TAG]}, both) == ["tags"]


@pytest.mark.parametrize(
    ("tag", "reference"),
    [
        ("localhost:5000/app:1.0", f"localhost:5000/app:1.0@{DIGEST}"),
        ("ghcr.io/team/app", f"ghcr.io/team/app:latest@{DIGEST}"),
        ("localhost/app:x", f"localhost/app:x@{DIGEST}"),
        ("app:1.0", ""),
        ("team/app:1.0", ""),
    ],
)
def test_only_a_name_with_a_registry_gets_a_digest(tag, reference):
    assert with_digest(tag, DIGEST) == reference


def test_an_unknown_type_is_refused(provider):
    request = provider_pb2.CheckRequest(type="docker-build:index:Index")
    with pytest.raises(PluginError, match="docker-build:index:Index is not a resource"):
        provider.Check(request, Mock())


def test_a_state_never_shows_a_secret(builder, provider):
    inputs, _ = check(provider, image(secrets={"token": "s3cret"}))
    assert "s3cret" not in repr(inputs)
    assert reveal(inputs)["secrets"] == {"token": "s3cret"}
