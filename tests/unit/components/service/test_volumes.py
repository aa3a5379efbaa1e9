"""Volumes of a service's pods and their mounts."""

from typing import Any

import pytest

from components.prune import prune_none
from components.service.config_file import ConfigFile
from components.service.volumes import pod_volumes, storage_bytes, volume_mounts
from tests.unit.stacks import service

FILES = {"token": "beacon-token", "licence": "beacon-licence"}


def volume(source: dict[str, Any]) -> dict[str, Any]:
    volumes = service(volumes={"data": {"mountPath": "/data", **source}}).volumes
    tmp, one = pod_volumes(volumes, None, {}, "64Mi")
    assert tmp["name"] == "tmp"
    return {key: value for key, value in prune_none(one).items() if key != "name"}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"emptyDir": {}}, {"empty_dir": {"size_limit": "64Mi"}}),
        (
            {"emptyDir": {"sizeLimit": "1Gi", "medium": "Memory"}},
            {"empty_dir": {"size_limit": "1Gi", "medium": "Memory"}},
        ),
        (
            {"persistentVolumeClaim": {"claimName": "uploads"}},
            {"persistent_volume_claim": {"claim_name": "uploads"}},
        ),
        (
            {"secret": {"secretName": "certificates"}},
            {"secret": {"secret_name": "certificates", "default_mode": 0o440}},
        ),
        ({"configMap": {"name": "templates"}}, {"config_map": {"name": "templates"}}),
    ],
)
def test_a_volume_has_the_source_of_the_settings(
    source: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert volume(source) == expected


def test_each_secret_file_is_one_key_of_its_secret_in_one_volume() -> None:
    secrets, _ = pod_volumes({}, None, FILES, "64Mi")
    assert secrets == {
        "name": "secrets",
        "projected": {
            "default_mode": 0o440,
            "sources": [
                {"secret": {"name": "beacon-token", "items": [{"key": "token", "path": "token"}]}},
                {
                    "secret": {
                        "name": "beacon-licence",
                        "items": [{"key": "licence", "path": "licence"}],
                    }
                },
            ],
        },
    }


def test_the_container_mounts_its_files_read_only() -> None:
    one = service(
        config={"a": 1},
        configFile={"path": "/etc/shop/shop.yaml"},
        volumes={"data": {"mountPath": "/data", "subPath": "a", "emptyDir": {}}},
    )
    mounts = prune_none(volume_mounts("beacon", one.volumes, ConfigFile.of(one), FILES))
    assert mounts == [
        {"name": "config", "mount_path": "/etc/shop", "read_only": True},
        {"name": "secrets", "mount_path": "/run/secrets/beacon", "read_only": True},
        {"name": "tmp", "mount_path": "/tmp"},  # noqa: S108
        {"name": "data", "mount_path": "/data", "sub_path": "a"},
    ]


def test_without_config_and_secrets_there_is_only_a_temporary_directory() -> None:
    assert [one["name"] for one in volume_mounts("beacon", {}, None, {})] == ["tmp"]
    assert [one["name"] for one in pod_volumes({}, None, {}, "64Mi")] == ["tmp"]


def test_directories_on_the_nodes_disk_count_as_ephemeral_storage() -> None:
    volumes = service(
        volumes={
            "disk": {"mountPath": "/disk", "emptyDir": {"sizeLimit": "1Gi"}},
            "memory": {
                "mountPath": "/memory",
                "emptyDir": {"sizeLimit": "1Gi", "medium": "Memory"},
            },
            "claim": {"mountPath": "/claim", "persistentVolumeClaim": {"claimName": "a"}},
        }
    ).volumes
    assert storage_bytes(volumes, "64Mi") == 2**30 + 64 * 2**20
