"""Configuration file of the service."""

from typing import Any

import pytest
import yaml

from components.service.config_file import TOKEN_FILE, ConfigFile
from tests.unit.stacks import service

OTLP_ENDPOINT = "http://collector:4318"


def config_file(
    ports: dict[str, int] | None = None, otlp_endpoint: str | None = None, **config: Any
) -> ConfigFile:
    return ConfigFile(service(config=config, **(ports or {})), otlp_endpoint)


def values(file: ConfigFile) -> dict[str, Any]:
    return yaml.safe_load(file.text)


def test_the_file_contains_the_config_section_of_the_stack() -> None:
    file = values(config_file(debug=True, timeouts={"idle": "3m"}, upstream="http://a/b"))
    assert file["debug"] is True
    assert file["timeouts"]["idle"] == "3m"
    assert file["limits"]["notes"] == 1000
    assert file["upstream"] == "http://a/b"
    assert values(config_file())["upstream"] == ""


def test_the_file_contains_the_ports_and_the_path_of_the_token() -> None:
    file = values(config_file({"port": 8081, "adminPort": 9091}))
    assert file["listen"] == ":8081"
    assert file["adminListen"] == ":9091"
    assert file["faults"]["tokenFile"] == str(TOKEN_FILE)


def test_the_endpoint_for_traces_is_empty_without_a_receiver() -> None:
    traced = values(config_file(otlp_endpoint=OTLP_ENDPOINT, tracing={"sampleRatio": 1}))
    assert traced["tracing"] == {"sampleRatio": 1.0, "endpoint": OTLP_ENDPOINT}
    assert values(config_file())["tracing"]["endpoint"] == ""


@pytest.mark.parametrize(
    "config",
    [
        {"debug": True},
        {"logLevel": "debug"},
        {"message": "another"},
        {"drain": "1s"},
        {"timeouts": {"shutdown": "1s"}},
        {"limits": {"notes": 1}},
        {"faults": {"enabled": True}},
        {"tracing": {"sampleRatio": 0.5}},
        {"upstream": "http://other"},
    ],
)
def test_a_hot_reloaded_value_does_not_change_the_restart_checksum(config: dict[str, Any]) -> None:
    assert config_file(**config).text != config_file().text
    assert config_file(**config).restart_checksum == config_file().restart_checksum


@pytest.mark.parametrize(
    "changes",
    [
        {"startupCheck": "strict"},
        {"timeouts": {"readHeader": "1s"}},
        {"timeouts": {"read": "20s"}},
        {"timeouts": {"write": "2m"}},
        {"timeouts": {"idle": "3m"}},
        {"profiling": True},
        {"ports": {"port": 8081}},
        {"ports": {"adminPort": 9091}},
        {"otlp_endpoint": OTLP_ENDPOINT},
    ],
)
def test_a_value_read_at_startup_changes_the_restart_checksum(changes: dict[str, Any]) -> None:
    assert config_file(**changes).restart_checksum != config_file().restart_checksum
