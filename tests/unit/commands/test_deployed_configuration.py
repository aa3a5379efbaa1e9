"""Configuration of the last update, with the release of one service from the stack file."""

from pathlib import Path
from typing import Any

import pytest

from commands.deployed_configuration import DeployedConfiguration
from settings import SettingsError, load
from settings.yaml_writer import to_yaml
from tests.unit.stacks import BEACON, OTHER_DIGEST, changed, sections

SHOP = changed(BEACON, {"routing": {"hosts": ["shop.localhost"]}, "image": {"repository": "shop"}})
RELEASED = {"stable": {"version": "0.9.0", "digest": OTHER_DIGEST}}


def write(folder: Path, **changes: Any) -> Path:
    """Write a stack file with the services beacon and shop."""
    folder.mkdir(exist_ok=True)
    stack = changed(sections(services={"shop": SHOP}), changes)
    file = folder / "Pulumi.dev.yaml"
    file.write_text(to_yaml({"config": {f"slipway:{name}": one for name, one in stack.items()}}))
    return file


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of the project."""
    monkeypatch.setattr("settings.stack_file.PROJECT_FOLDER", tmp_path / "project")
    return tmp_path / "project"


def beacon(**changes: Any) -> dict[str, Any]:
    return {"services": {"beacon": changes}}


def test_only_the_release_of_the_service_and_its_settings_are_those_of_the_stack_file(
    project: Path, tmp_path: Path
) -> None:
    released = beacon(release=RELEASED, config={"message": "of 0.9.0"}, owner="another")
    write(project, **released, network={"x": 1})
    file = write(tmp_path / "deployed", **beacon(config={"message": "of 1.0.0"}, args=["--fast"]))
    settings = DeployedConfiguration(file, "dev").set_release("beacon")
    assert settings == load(str(file))
    assert settings.services["beacon"].release.stable.digest == OTHER_DIGEST
    assert settings.services["beacon"].config == {"message": "of 0.9.0"}
    assert settings.services["beacon"].args == ()
    assert settings.services["beacon"].owner is None
    assert settings.services["shop"].release.stable.version == "1.0.0"


def test_other_changes_are_named(project: Path, tmp_path: Path) -> None:
    write(
        project,
        **beacon(release=RELEASED, config={"message": "new"}, routing={"paths": ["/a"]}),
        network={"proxyNamespace": "edge"},
    )
    file = write(
        tmp_path / "deployed",
        **beacon(config={"message": "old"}, workload={"replicas": 3}),
        builder={},
    )
    deployed = DeployedConfiguration(file, "dev")
    assert set(deployed.undelivered("beacon")) == {
        "slipway:network",
        "slipway:services.beacon.routing.paths",
    }
    others = {"slipway:services.beacon.release.stable.version"}
    assert others < set(deployed.undelivered("shop"))


def test_a_configuration_of_an_earlier_program_is_an_error(project: Path, tmp_path: Path) -> None:
    write(project, **beacon(release=RELEASED))
    file = write(tmp_path / "deployed", image={"registry": "localhost:5000"})
    with pytest.raises(SettingsError, match="slipway:image is not a key"):
        DeployedConfiguration(file, "dev").set_release("beacon")


def test_encrypted_values_stay_encrypted(project: Path, tmp_path: Path) -> None:
    secret = {"observability": {"alerts": {"heartbeat": {"secure": "v1:abc:def="}}}}
    write(project, **beacon(release=RELEASED))
    file = write(tmp_path / "deployed", **secret)
    DeployedConfiguration(file, "dev").set_release("beacon")
    assert "secure: v1:abc:def=" in file.read_text()
