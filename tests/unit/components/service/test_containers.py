"""Init containers and sidecars of a service's pods."""

from typing import Any

from components.prune import prune_none
from components.service.containers import encrypted_environment, init_containers, sidecars
from tests.unit.stacks import service

IMAGE = f"registry.example.com/tools/proxy:1.0@sha256:{'e' * 64}"
SECRET = {"secret": {"secure": "v1:nonce:ciphertext"}}


def sidecar(**fields: Any) -> dict[str, Any]:
    one = service(sidecars=[{"name": "proxy", "image": IMAGE, **fields}])
    (container,) = sidecars(one, "beacon-env")
    return dict(prune_none(container))


def test_a_sidecar_is_an_init_container_that_keeps_running() -> None:
    container = sidecar(ports={"postgres": 5432}, command=["/proxy"], args=["--quiet"])
    assert container["restart_policy"] == "Always"
    assert container["image"] == IMAGE
    assert (container["command"], container["args"]) == (["/proxy"], ["--quiet"])
    assert container["ports"] == [{"name": "postgres", "container_port": 5432, "protocol": "TCP"}]


def test_a_sidecar_with_ports_is_probed_on_its_own_port() -> None:
    container = sidecar(ports={"postgres": 5432})
    for probe in ("startup_probe", "liveness_probe", "readiness_probe"):
        assert container[probe]["tcp_socket"] == {"port": "postgres"}
    assert "readiness_probe" not in sidecar()


def test_an_init_container_ends_and_has_no_probes() -> None:
    one = service(initContainers=[{"name": "wait", "image": IMAGE}])
    (container,) = init_containers(one, "beacon-env")
    assert set(prune_none(container)) == {
        *("name", "image", "image_pull_policy", "resources", "security_context"),
    }


def test_containers_are_as_restricted_as_that_of_the_service() -> None:
    context = sidecar()["security_context"]
    assert context["read_only_root_filesystem"] is True
    assert context["allow_privilege_escalation"] is False
    assert context["capabilities"] == {"drop": ["ALL"]}


def test_resources_and_volume_mounts_come_from_the_settings() -> None:
    container = sidecar(
        resources={
            "requests": {"cpu": "1m", "memory": "1Mi"},
            "limits": {"cpu": "2m", "memory": "2Mi"},
        },
        volumeMounts=[{"name": "tmp", "mountPath": "/temporary", "subPath": "a", "readOnly": True}],
    )
    assert container["resources"]["limits"].items() >= {"cpu": "2m", "memory": "2Mi"}.items()
    assert container["volume_mounts"] == [
        {"name": "tmp", "mount_path": "/temporary", "sub_path": "a", "read_only": True}
    ]


def test_each_container_has_its_own_keys_in_the_secret_of_the_service() -> None:
    env = {"TOKEN": SECRET}
    one = service(
        env=env,
        initContainers=[{"name": "wait", "image": IMAGE, "env": env}],
        sidecars=[{"name": "proxy", "image": IMAGE, "env": env}],
    )
    assert list(encrypted_environment(one)) == ["TOKEN", "wait.TOKEN", "proxy.TOKEN"]
    (variable,) = sidecar(env=env)["env"]
    assert variable["value_from"]["secret_key_ref"] == {"name": "beacon-env", "key": "proxy.TOKEN"}
