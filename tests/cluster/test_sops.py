"""Secrets in a file that the real sops encrypts, with the key at hand and without it."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cluster.project import Project
from tests.cluster.sops_file import AgeKey

VALUE = "hunter2hunter2"
OTHER = "swordfish-swordfish"


@pytest.fixture(scope="module")
def key(project: Project, tmp_path_factory: pytest.TempPathFactory) -> AgeKey:
    return AgeKey.generate(tmp_path_factory.mktemp("key"), project.environment)


@pytest.fixture(scope="module")
def file(project: Project, key: AgeKey) -> Path:
    """The file with the secret of the stack's service."""
    file = project.folder / "secrets.test.yaml"
    key.encrypt(file, {"database": {"password": VALUE}, "other": OTHER})
    with project.service() as service:
        service["secrets"]["password"] = {"sops": {"file": file.name, "key": "database.password"}}
    return file


@pytest.fixture(scope="module")
def with_key(project: Project, key: AgeKey, file: Path) -> Project:
    """The project on a machine with the key."""
    return replace(project, environment={**project.environment, **key.variables})


@pytest.fixture
def restored(file: Path) -> Iterator[Path]:
    """The file, which is restored at the end of the test."""
    content = file.read_text()
    yield file
    file.write_text(content)


def message(project: Project, target: str) -> str:
    """The error of a make target, which must have exit code 2 in its program and no value."""
    result = project.make_fails(target)
    shown = result.stdout + result.stderr
    assert "Error 2" in shown, shown
    assert shown.count("error: ") == 1, shown
    assert VALUE not in shown
    assert OTHER not in shown
    return shown


def test_without_the_key_nothing_is_changed_and_the_error_names_file_and_key(
    project: Project, file: Path, key: AgeKey
) -> None:
    shown = message(project, "up")
    assert "secrets.password.sops.file" in shown
    assert file.name in shown
    assert key.recipient in shown
    stacks = project.run("pulumi", "stack", "ls", "--project", "slipway").stdout
    assert f"{project.stack} " not in stacks


def test_rendering_needs_no_key_and_shows_no_value(project: Project, file: Path) -> None:
    result = project.make("render", "OUT=out/rendered")
    files = [one.read_text() for one in (project.folder / "out/rendered").glob("*.yaml")]
    shown = "".join((result.stdout, result.stderr, *files))
    assert "beacon-password" in shown
    assert VALUE not in shown
    assert OTHER not in shown


def other_plain_value(file: Path) -> None:
    file.write_text(re.sub(r"other: ENC\[.*\]", f"other: {OTHER}", file.read_text()))


def edited(file: Path) -> None:
    file.write_text(re.sub(r"other: ENC\[.*\]", "other: ", file.read_text()))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (edited, "its MAC does not match"),
        (other_plain_value, "one of its values is plain text"),
    ],
)
def test_a_file_that_sops_refuses_is_one_error(
    change: Callable[[Path], object], text: str, with_key: Project, restored: Path
) -> None:
    change(restored)
    assert text in message(with_key, "preview")


def test_with_the_key_the_value_reaches_the_secret_and_nothing_else(
    with_key: Project, key: AgeKey, file: Path
) -> None:
    shown = with_key.make("preview").stdout
    shown += with_key.make("up").stdout
    value = (
        "get",
        "secret",
        "beacon-password",
        "--output=go-template={{.data.password|base64decode}}",
    )
    assert with_key.kubectl(*value) == VALUE
    with_key.assert_unchanged()
    pods = with_key.kubectl("get", "pods", "--output=name")
    key.encrypt(file, {"database": {"password": OTHER}})
    shown += with_key.make("up").stdout
    assert with_key.kubectl(*value) == OTHER
    assert set(with_key.kubectl("get", "pods", "--output=name").split()) != set(pods.split())
    shown += with_key.run("pulumi", "stack", "export", "--stack", with_key.stack).stdout
    assert VALUE not in shown
    assert OTHER not in shown
