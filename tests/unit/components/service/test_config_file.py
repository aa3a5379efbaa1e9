"""Configuration file of a service."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.service.config_file import ConfigFile
from tests.unit.stacks import service

SCHEMA = {
    "properties": {
        "listen": {"type": "string", "x-restart-required": True},
        "timeouts": {
            "properties": {"read": {"type": "string", "x-restart-required": True}},
        },
    }
}
CONFIG = {"message": "Grüß Gott", "timeouts": {"read": "1s", "shutdown": "2s"}}


@pytest.fixture(autouse=True)
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of the source, which ships a JSON Schema."""
    monkeypatch.setattr("settings.stack_file.PROJECT_FOLDER", tmp_path)
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "config.schema.json").write_text(json.dumps(SCHEMA))
    return folder


def config_file(config: dict[str, Any], **config_file: Any) -> ConfigFile:
    file = ConfigFile.of(service(config=config, configFile=config_file))
    assert file
    return file


def test_a_service_without_config_has_no_file() -> None:
    assert ConfigFile.of(service()) is None


@pytest.mark.parametrize(
    ("settings", "path", "parse"),
    [
        ({}, "/etc/beacon/config.yaml", yaml.safe_load),
        ({"format": "json"}, "/etc/beacon/config.json", json.loads),
        ({"path": "/etc/shop/shop.conf"}, "/etc/shop/shop.conf", yaml.safe_load),
    ],
)
def test_the_file_contains_the_config_in_its_format(
    settings: dict[str, Any], path: str, parse: Any
) -> None:
    file = config_file(CONFIG, **settings)
    assert str(file.path) == path
    assert parse(file.text) == CONFIG
    assert "Grüß" in file.text


@pytest.mark.parametrize(
    ("reload", "change", "restarts"),
    [
        ("hot", {"message": "Hello"}, False),
        ("hot", {"timeouts": {"read": "1s", "shutdown": "3s"}}, False),
        ("hot", {"timeouts": {"read": "2s", "shutdown": "2s"}}, True),
        ("hot", {"listen": ":8081"}, True),
        ("restart", {"message": "Hello"}, True),
    ],
)
def test_the_checksum_changes_with_the_values_that_require_a_restart(
    reload: str, change: dict[str, Any], restarts: bool
) -> None:
    before = config_file(CONFIG, reload=reload)
    after = config_file({**CONFIG, **change}, reload=reload)
    assert before.text != after.text
    assert (before.restart_checksum != after.restart_checksum) is restarts


def test_without_a_schema_a_hot_reloaded_file_never_restarts_the_pods(source: Path) -> None:
    (source / "config.schema.json").unlink()
    checksums = {config_file(one, reload="hot").restart_checksum for one in (CONFIG, {"a": 1})}
    assert len(checksums) == 1
