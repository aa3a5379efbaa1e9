"""Pinned dependencies."""

import re

import pytest

from commands.errors import FAILED, CommandError
from commands.supply_chain.bump import CONSTRAINTS, pin_images
from settings.stack_file import PROJECT_FOLDER

NEW, OLD = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
VERSIONS = f"""\
# Versions: each once.
kubernetes: "1.35" # of registry.example.com/kubernetes/kubernetes:v1
images: # Servers
  prometheus: quay.io/prometheus/prometheus:v3.15.0
  loki: docker.io/grafana/loki:3.7.8@{OLD} # has a digest
  own: localhost:5000/slipway/own:1.0.0
"""


def pinned(text: str, name: str) -> set[str]:
    """Packages that a file pins to a version: `name==version`."""
    found = re.findall(r"(?m)^([\w.-]+)(?:\[.*?\])?==(\S+)", text)
    assert found, name
    return {f"{re.sub('[-_.]+', '-', name.lower())}=={version}" for name, version in found}


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_every_python_package_is_locked_with_its_hashes(name: str) -> None:
    required = (PROJECT_FOLDER / f"{name}.in").read_text()
    locked = (PROJECT_FOLDER / f"{name}.txt").read_text()
    assert pinned(required, name) <= pinned(locked, name), "run `make bump`"
    entries = re.findall(r"(?m)^\w.*(?:\n    --hash=sha256:[0-9a-f]{64}(?: \\)?)*", locked)
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []
    assert "://" not in locked


def test_files_that_are_installed_together_have_the_same_versions() -> None:
    versions: dict[str, str] = {}
    for name in ("requirements", "local/requirements", "requirements-dev"):
        for package in pinned((PROJECT_FOLDER / f"{name}.txt").read_text(), name):
            key, _, version = package.partition("==")
            assert versions.setdefault(key, version) == version, key


def test_every_installation_of_requirements_checks_hashes() -> None:
    files = (PROJECT_FOLDER / "Makefile", PROJECT_FOLDER / "commands/supply_chain/python_tool.py")
    text = "".join(file.read_text() for file in files)
    installed = re.findall(r"[^\n]*-r\"?,? [\w/-]*requirements[^\n]*", text)
    assert len(installed) == 4
    assert [line for line in installed if "--require-hashes" not in line] == []


def test_each_image_gets_the_digest_of_its_tag() -> None:
    asked: list[str] = []

    def digest_of(image: str, tag: str) -> str:
        asked.append(f"{image}:{tag}")
        return NEW

    text, failures = pin_images(VERSIONS, digest_of)
    images = [
        "quay.io/prometheus/prometheus:v3.15.0",
        "docker.io/grafana/loki:3.7.8",
        "localhost:5000/slipway/own:1.0.0",
    ]
    assert (asked, failures) == (images, [])
    for image in images:
        assert f" {image}@{NEW}" in text
    assert text.replace(f"@{NEW}", "") == VERSIONS.replace(f"@{OLD}", "")


def test_an_image_whose_registry_cannot_be_read_keeps_its_digest() -> None:
    def digest_of(image: str, _: str) -> str:
        raise CommandError(f"cannot look up {image}", FAILED)

    text, failures = pin_images(VERSIONS, digest_of)
    assert text == VERSIONS
    assert len(failures) == 3
