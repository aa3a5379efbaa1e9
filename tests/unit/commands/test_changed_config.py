"""Pods that read a changed ConfigMap at once."""

from typing import Any

import pytest

from commands import changed_config
from commands.changed_config import ANNOTATION, ChangedConfig
from commands.errors import CommandError
from tests.unit.stacks import settings


class Cluster:
    """ConfigMaps, and the labels and annotations of the pods that were annotated."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **data: str) -> None:
        self.data = data
        self.is_reachable = True
        self.annotated: list[tuple[str, str]] = []
        monkeypatch.setattr(changed_config.kubectl, "get", self.get)
        monkeypatch.setattr(changed_config.kubectl, "annotate_pods", self.annotate_pods)

    def get(self, *_: str, **__: Any) -> dict[str, Any]:
        if not self.is_reachable:
            raise CommandError("cannot read the cluster")
        return {"items": self.objects}

    @property
    def objects(self) -> list[dict[str, Any]]:
        """The ConfigMaps, and Deployments of the same names."""
        return [
            {"kind": kind, "metadata": {"name": f"beacon-{name}"}, "data": {"config.yaml": text}}
            for name, text in self.data.items()
            for kind in ("ConfigMap", "Deployment")
        ]

    def annotate_pods(
        self, namespace: str, selector: dict[str, str], annotations: dict[str, str], **_: Any
    ) -> None:
        self.annotated.append((selector["track"], annotations[ANNOTATION]))


def test_pods_of_a_changed_config_map_are_annotated(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = Cluster(monkeypatch, stable="a", canary="a", other="a")
    config = ChangedConfig(settings(), {})
    cluster.data = {"stable": "b", "canary": "a", "other": "b"}
    config.sync(cluster.objects)
    ((track, value),) = cluster.annotated
    assert track == "stable"
    assert "the pods of beacon-stable read the changed" in capsys.readouterr().out
    config = ChangedConfig(settings(), {})
    cluster.data["stable"] = "c"
    config.sync(cluster.objects)
    assert cluster.annotated[1] != (track, value)


def test_new_and_unchanged_config_maps_annotate_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(monkeypatch, stable="a")
    config = ChangedConfig(settings(), {})
    cluster.data["canary"] = "b"
    config.sync(cluster.objects)
    assert cluster.annotated == []


def test_an_unreachable_cluster_is_left_to_pulumi(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(monkeypatch, stable="a")
    cluster.is_reachable = False
    config = ChangedConfig(settings(), {})
    config.sync(cluster.objects)
    assert cluster.annotated == []
