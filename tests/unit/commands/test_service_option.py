"""The make variable ``SERVICE``."""

import pytest

from commands.errors import BAD_INPUT, CommandError
from commands.service_option import selected_service, selected_services
from settings import Settings
from tests.unit.stacks import BEACON, changed, settings

OTHER = changed(BEACON, {"routing": {"hosts": ["other.localhost"]}})


def two() -> Settings:
    return settings(services={"other": OTHER})


def test_the_only_service_is_the_default() -> None:
    assert selected_service(settings(), "").name == "beacon"


def test_one_of_several_services_has_to_be_named() -> None:
    assert selected_service(two(), "other").name == "other"
    with pytest.raises(CommandError, match="use SERVICE=beacon or other") as error:
        selected_service(two(), "")
    assert error.value.exit_code == BAD_INPUT


def test_all_services_are_the_default_of_commands_for_several() -> None:
    assert [one.name for one in selected_services(two(), "")] == ["beacon", "other"]
    assert [one.name for one in selected_services(two(), "other")] == ["other"]


@pytest.mark.parametrize("select", [selected_service, selected_services])
def test_an_unknown_service_is_refused(select) -> None:
    with pytest.raises(CommandError, match=r"SERVICE=shop is not a service.*use beacon or other"):
        select(two(), "shop")
