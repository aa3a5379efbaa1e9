"""The provider's own configuration: `pulumi_kubernetes.Provider(...)`, or `kubernetes:` keys."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from plugins.kubernetes import kubeconfig
from plugins.kubernetes.kubeconfig import Access
from plugins.server import PluginError
from plugins.values import Unknown, reveal

_UNSUPPORTED = ("clusterIdentifier", "kubeClientSettings", "skipUpdateUnreachable", "strictMode")
_NOTHING = (None, "", False, "false", {}, "{}")
_TARGET = ("kubeconfig", "context", "cluster")


@dataclass(frozen=True)
class Settings:
    """What the program has configured; every key is optional."""

    kubeconfig: str = ""
    """Path or content; that of the environment if empty."""
    context: str = ""
    cluster: str = ""
    namespace: str = ""
    """For namespaced objects that name none; the context's if empty."""
    config_maps_are_mutable: bool = False
    """If not, a change of a ConfigMap's data replaces the ConfigMap."""
    secrets_are_mutable: bool = False
    delete_unreachable: bool = False
    """Whether objects of a cluster that does not answer are taken to be deleted."""
    force_conflicts: bool = False
    """Whether to take over fields that another manager owns."""
    adopt_existing: bool = False
    """Whether creating an object that exists already updates it, instead of being an error."""

    @classmethod
    def read(cls, variables: Mapping[str, str]) -> "Settings":
        """The settings in the engine's variables, or else in the environment."""

        def given(key: str) -> str:
            return variables.get(f"kubernetes:config:{key}", "")

        def flag(key: str, variable: str) -> bool:
            return (given(key) or os.environ.get(f"PULUMI_K8S_{variable}", "")) == "true"

        return cls(
            kubeconfig=given("kubeconfig"),
            context=given("context"),
            cluster=given("cluster"),
            namespace=given("namespace"),
            config_maps_are_mutable=flag("enableConfigMapMutable", "ENABLE_CONFIGMAP_MUTABLE"),
            secrets_are_mutable=flag("enableSecretMutable", "ENABLE_SECRET_MUTABLE"),
            delete_unreachable=flag("deleteUnreachable", "DELETE_UNREACHABLE"),
            force_conflicts=flag("enablePatchForce", "ENABLE_PATCH_FORCE"),
            adopt_existing=flag("upsertExistingObjects", "UPSERT_EXISTING_OBJECTS"),
        )

    def data_is_mutable(self, kind: Any) -> bool:
        """Whether ConfigMaps, or Secrets, may have their data changed in place."""
        return self.secrets_are_mutable if kind == "Secret" else self.config_maps_are_mutable

    def access(self) -> Access:
        """How to reach the cluster. Raises `PluginError` if the settings do not lead to one."""
        config = kubeconfig.load(self.kubeconfig)
        return kubeconfig.access(config, self.context, self.cluster, self.namespace)


def unsupported(inputs: Mapping[str, Any]) -> dict[str, str]:
    """The keys that ask for what this provider does not do, each with the reason."""
    found: dict[str, str] = {}
    if inputs.get("enableServerSideApply") in (False, "false"):
        found["enableServerSideApply"] = "must be true: objects are always applied by the server"
    if inputs.get("renderYamlToDirectory"):
        found["renderYamlToDirectory"] = "is not supported; `make render` writes manifests"
    for key in _UNSUPPORTED:
        if inputs.get(key) not in _NOTHING:
            found[key] = "is not supported by this plugin"
    if keys := _unsupported_in_kubeconfig(inputs):
        found["kubeconfig"] = f"has {', '.join(keys)}, which this plugin does not support"
    return found


def _unsupported_in_kubeconfig(inputs: Mapping[str, Any]) -> list[str]:
    target = [inputs.get(key) or "" for key in _TARGET]
    if not all(isinstance(value, str) for value in target):
        return []  # not known yet
    given, context, cluster = target
    try:
        return kubeconfig.unsupported(kubeconfig.load(given), context, cluster)
    except PluginError:
        return []  # there may be no cluster yet; the first object says what is wrong


def replacing(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """The changed keys by which the provider now leads to another cluster.

    Then every object must be made anew. A cluster is what the kubeconfig says of it: its server and
    its authority.
    """
    changed = [key for key in _TARGET if old.get(key) != new.get(key)]
    if unknown := [key for key in changed if isinstance(new.get(key), Unknown)]:
        return unknown
    before, after = _cluster(old), _cluster(new)
    return changed if before and after and before != after else []


def _cluster(inputs: Mapping[str, Any]) -> dict[str, Any] | None:
    given = {key: reveal(inputs.get(key)) for key in _TARGET}
    # Without a kubeconfig of its own the provider follows the environment, which may always change.
    if not isinstance(given["kubeconfig"], str) or not given["kubeconfig"]:
        return None
    try:
        config = kubeconfig.load(given["kubeconfig"])
    except PluginError:
        return None
    return kubeconfig.cluster_of(config, given["context"] or "", given["cluster"] or "")
