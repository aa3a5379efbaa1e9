"""Files of one host: units or containers, configuration and environment of its instances."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import IPv4Address
from typing import Any

from commands.host import compose, oci_bundle, supervisor, systemd
from commands.host.deployed_track import PROGRAMS, DeployedTrack, Instance
from commands.host.environment import Environment
from commands.host.nginx import server_files
from commands.host.probes import start_commands, start_seconds
from settings import HostSettings
from settings.yaml_writer import to_yaml

INSTANCES = "instances.json"
"""File with the instances, which the Ansible role reads."""


def host_files(project: str, host: str, tracks: Sequence[DeployedTrack]) -> Mapping[str, str]:
    """Return the files of a host by their path. ``project`` is the name of its containers."""
    runtime = tracks[0].host.runtime
    instances = [one for track in tracks for one in track.instances(host)]
    files: dict[str, str] = {}
    for track in tracks:
        if config := track.config:
            files[f"etc/config/{track.name}/{config.path.name}"] = config.text
    match runtime:
        case "systemd":
            units = systemd.shared_units()
            for track in tracks:
                units = {**units, **systemd.track_units(track)}
            files |= {f"systemd/{name}": text for name, text in units.items()}
            for one in instances:
                text = systemd.environment_file(Environment.of(one))
                files[f"etc/instances/{one.name}.env"] = text
                files[f"etc/instances/{one.name}.network"] = f"ADDRESS={one.address}\n"
        case "compose":
            text = compose.compose_file(project, host, tracks)
            files["compose/compose.yaml"] = text
        case "supervisor":
            for one in instances:
                files[f"supervisor/{one.name}.conf"] = supervisor.program_file(one)
                config = json.dumps(oci_bundle.oci_config(one), indent=2)
                files[f"etc/instances/{one.name}/config.json"] = f"{config}\n"
    if runtime != "compose":
        files["etc/network.nft"] = _network_rules(tracks[0].host, host, instances)
    listed = [_listed(project, one, files) for one in instances]
    return {**files, INSTANCES: json.dumps(listed, indent=2) + "\n"}


def _listed(project: str, instance: Instance, files: Mapping[str, str]) -> dict[str, Any]:
    """Variables of an instance for the role, which restarts it when the checksum changes."""
    track = instance.track
    text = "\0".join(_started_with(instance, files))
    workload = track.service.workload
    return {
        "name": instance.name,
        "unit": instance.unit,
        "user": track.service.security_context.run_as_user,
        "group": track.service.security_context.run_as_group,
        "container": f"{project}-{instance.name}",
        "image": {"reference": track.image_by_digest, "folder": track.root.rpartition("/")[0]},
        "checksum": hashlib.sha256(text.encode()).hexdigest()[:16],
        # nginx uses its new configuration within a second.
        "drain_seconds": max(workload.pre_stop_sleep_seconds, 1),
        "start_seconds": start_seconds(track),
        "start_commands": [
            [f"{PROGRAMS}/probe", *command[1:]] for command in start_commands(track)
        ],
        "endpoints": [
            dict(zip(("host", "port"), instance.endpoint(port).rsplit(":", 1), strict=True))
            for port in track.service.routes
        ],
        "servers": [{"file": file, "line": line} for file, line in server_files(instance).items()],
    }


def _started_with(instance: Instance, files: Mapping[str, str]) -> Iterator[str]:
    """Texts that an instance is started with: a change restarts it."""
    track, name = instance.track, instance.name
    yield track.image
    if config := track.config:
        yield config.restart_checksum
    match track.host.runtime:
        case "systemd":
            yield from systemd.track_units(track).values()
            yield files[f"etc/instances/{name}.env"]
            yield files[f"etc/instances/{name}.network"]
        case "compose":
            yield to_yaml(compose.service(instance))
        case "supervisor":
            yield files[f"supervisor/{name}.conf"]
            yield files[f"etc/instances/{name}/config.json"]


def _network_rules(host: HostSettings, name: str, instances: Iterable[Instance]) -> str:
    """Rules of nftables: published ports of the host, and connections of the instances."""
    address = host.hosts[name]
    published = [
        f"        {port} : {one.address} . {one.track.service.ports[port_name]}"
        for one in instances
        for port_name, port in one.published.items()
    ]
    rule = f"ip daddr {address} dnat ip to tcp dport map @published"
    elements = ",\n".join(published)
    lines = [
        "table ip slipway",
        "delete table ip slipway",
        "table ip slipway {",
        "    chain postrouting {",
        "        type nat hook postrouting priority srcnat;",
        f'        ip saddr {systemd.BRIDGE_NETWORK} oifname != "slipway0" masquerade',
        "    }",
    ]
    if published and not IPv4Address(address).is_loopback:
        lines += [
            "    map published {",
            "        type inet_service : ipv4_addr . inet_service",
            "        elements = {",
            elements,
            "        }",
            "    }",
            "    chain prerouting {",
            "        type nat hook prerouting priority dstnat;",
            f"        {rule}",
            "    }",
            "    chain output {",
            "        type nat hook output priority -100;",
            f"        {rule}",
            "    }",
        ]
    return "\n".join([*lines, "}"]) + "\n"
