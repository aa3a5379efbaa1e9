"""Files for Ansible: the role ``slipway``, its playbooks, and the inventory of a stack."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from commands.host.deployed_track import DeployedTrack
from commands.host.environment import secret_variables
from commands.host.nginx import server_names
from settings import BALANCER, HostSettings
from settings.yaml_writer import to_yaml

ANSIBLE = Path(__file__).parent / "ansible"
"""The role and the playbooks, which are copied as they are."""
INVENTORY = "inventory.yaml"


def ansible_files() -> Mapping[str, str]:
    """Return the files of the role and the playbooks by their path."""
    files = sorted(ANSIBLE.rglob("*.yaml"))
    return {path.relative_to(ANSIBLE).as_posix(): path.read_text() for path in files}


def inventory(
    project: str, owner: str, host: HostSettings, tracks: Sequence[DeployedTrack], release: str
) -> str:
    """Return the inventory; ``release`` identifies the files of this release.

    ``project`` is the prefix of all names on a host, which several stacks can have in common;
    ``owner`` is the stack, such as ``slipway/prod``.
    """
    hosts = {name: {"ansible_host": address} for name, address in sorted(host.hosts.items())}
    balancer = next(
        (name for name, address in host.hosts.items() if address == host.balancer_address),
        BALANCER,
    )
    variables = {
        "slipway_project": project,
        "slipway_owner": owner,
        "slipway_release": release,
        "slipway_runtime": host.runtime,
        "slipway_secrets": [*dict.fromkeys(_secrets(tracks))],
        "slipway_server_names": server_names(tracks),
    }
    groups: dict[str, Any] = {
        "hosts": {"hosts": hosts},
        "balancer": {"hosts": {balancer: {"ansible_host": host.balancer_address}}},
        # The role adds hosts that the stack file does not have any more.
        "removed": {"hosts": {}},
    }
    return to_yaml({"all": {"vars": variables, "children": groups}}, sort_keys=False)


def _secrets(tracks: Iterable[DeployedTrack]) -> Iterable[str]:
    """Files that the operator supplies, relative to the folder of the secrets."""
    for track in tracks:
        yield from (f"{track.service.name}/{name}" for name in track.secret_files)
        if secret_variables(track):
            yield f"{track.service.name}.env"
