"""The service's configuration file."""

from typing import Any

import pytest
import yaml

from components.service.config_file import TOKEN_FILE, ConfigFile
from settings import Service
from tests.unit.stacks import settings


def config_file(service: Service | None = None, **config: Any) -> ConfigFile:
    return ConfigFile(settings(config=config).config, service or Service())


def test_the_file_holds_what_the_stack_says() -> None:
    values = yaml.safe_load(config_file(debug=True, timeouts={"idle": "3m"}).text)
    assert values["debug"] is True
    assert values["timeouts"]["idle"] == "3m"
    assert values["limits"]["notes"] == 1000


def test_the_workload_decides_ports_and_where_the_token_is() -> None:
    values = yaml.safe_load(config_file(Service(port=8081, admin_port=9091)).text)
    assert values["listen"] == ":8081"
    assert values["adminListen"] == ":9091"
    assert values["faults"]["tokenFile"] == str(TOKEN_FILE)


def test_traces_go_where_the_stack_says_or_nowhere() -> None:
    everywhere = settings(config={"tracing": {"sampleRatio": 1}}).config
    sent = yaml.safe_load(ConfigFile(everywhere, Service(), "http://collector:4318").text)
    assert sent["tracing"] == {"sampleRatio": 1.0, "endpoint": "http://collector:4318"}
    assert yaml.safe_load(config_file().text)["tracing"]["endpoint"] == ""


def test_another_place_for_traces_restarts_the_service() -> None:
    config = settings().config
    traced = ConfigFile(config, Service(), "http://collector:4318")
    assert traced.restart_checksum != ConfigFile(config, Service()).restart_checksum


def test_a_relay_without_an_upstream_asks_the_service_itself() -> None:
    assert yaml.safe_load(config_file().text)["upstream"] == ""
    assert yaml.safe_load(config_file(upstream="http://a/b").text)["upstream"] == "http://a/b"


@pytest.mark.parametrize(
    "reloaded",
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
def test_a_value_that_the_service_reloads_restarts_nothing(reloaded: dict[str, Any]) -> None:
    assert config_file(**reloaded).text != config_file().text
    assert config_file(**reloaded).restart_checksum == config_file().restart_checksum


@pytest.mark.parametrize(
    "at_start",
    [
        {"startupCheck": "strict"},
        {"timeouts": {"readHeader": "1s"}},
        {"timeouts": {"read": "20s"}},
        {"timeouts": {"write": "2m"}},
        {"timeouts": {"idle": "3m"}},
        {"profiling": True},
    ],
)
def test_a_value_that_the_service_reads_at_its_start_restarts_it(at_start: dict[str, Any]) -> None:
    assert config_file(**at_start).restart_checksum != config_file().restart_checksum


def test_another_port_restarts_the_service() -> None:
    assert config_file(Service(port=8081)).restart_checksum != config_file().restart_checksum
