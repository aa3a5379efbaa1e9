"""Files of one host: units or containers, configuration and environment of its instances."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Address
from typing import Any

from commands.host import compose, oci_bundle, supervisor, systemd
from commands.host.deployed_track import PROGRAMS, DeployedTrack, Instance
from commands.host.environment import Environment
from commands.host.nginx import server_files
from commands.host.probes import start_commands, start_seconds
from settings.yaml_writer import to_yaml

RELEASE = "release.json"
"""File with the runtime, the instances and the installed files, which the Ansible role reads."""
_INSTALLED = {"systemd": "/etc/systemd/system", "supervisor": "/etc/supervisor/conf.d"}
"""Folders of a host for the files of a runtime."""


def host_files(host: str, tracks: Sequence[DeployedTrack]) -> Mapping[str, str]:
    """Return the files of a host by their path."""
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
            files["compose/compose.yaml"] = compose.compose_file(host, tracks)
        case "supervisor":
            for one in instances:
                files[f"supervisor/{one.name}.conf"] = supervisor.program_file(one)
                config = json.dumps(oci_bundle.oci_config(one), indent=2)
                files[f"etc/instances/{one.name}/config.json"] = f"{config}\n"
    if runtime != "compose":
        files |= {f"etc/instances/{one.name}.nft": _network_rules(one) for one in instances}
    release = {
        "runtime": runtime,
        "instances": [_listed(one, files) for one in instances],
        "files": sorted({_installed(tracks[0].folder, name) for name in files}),
    }
    return {**files, RELEASE: json.dumps(release, indent=2) + "\n"}


def _installed(folder: str, name: str) -> str:
    """Path on a host of a file of the release, or of its folder below the folder of the stack."""
    kind, *rest = name.split("/")
    return "/".join([_INSTALLED.get(kind, folder), *rest[:2]])


def _listed(instance: Instance, files: Mapping[str, str]) -> dict[str, Any]:
    """Variables of an instance for the role, which restarts it when the checksum changes."""
    track = instance.track
    text = "\0".join(_started_with(instance, files))
    workload = track.service.workload
    return {
        "name": instance.name,
        "unit": instance.unit,
        "user": track.service.security_context.run_as_user,
        "group": track.service.security_context.run_as_group,
        # Marks the ports on the host as used by the instance.
        "record": f"{instance.first_port}.{track.host.runtime}.{instance.name}",
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
            yield files[f"etc/instances/{name}.nft"]
        case "compose":
            yield to_yaml(compose.service(instance))
        case "supervisor":
            yield files[f"supervisor/{name}.conf"]
            yield files[f"etc/instances/{name}/config.json"]
            yield files[f"etc/instances/{name}.nft"]


def _network_rules(instance: Instance) -> str:
    """Table of nftables of an instance: its connections, and its published ports of the host."""
    host = instance.track.host.hosts[instance.host]
    table = f"table ip slipway.{instance.name}"
    chains = {
        "postrouting": (
            "srcnat",
            [f'ip saddr {instance.address} oifname != "slipway0" masquerade'],
        )
    }
    if not IPv4Address(host).is_loopback:
        rules = [
            f"ip daddr {host} tcp dport {port} dnat to "
            f"{instance.address}:{instance.track.service.ports[name]}"
            for name, port in instance.published.items()
        ]
        # The instance accepts connections from the bridge only.
        chains["postrouting"][1].append(f"ip daddr {instance.address} ct status dnat masquerade")
        chains |= {"prerouting": ("dstnat", rules), "output": ("-100", rules)}
    lines = [table, f"delete {table}", f"{table} {{"]
    for hook, (priority, rules) in chains.items():
        lines += [f"    chain {hook} {{", f"        type nat hook {hook} priority {priority};"]
        lines += [*(f"        {rule}" for rule in rules), "    }"]
    return "\n".join([*lines, "}"]) + "\n"
