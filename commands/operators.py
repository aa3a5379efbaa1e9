"""Operators that stacks share with others: cert-manager, External Secrets and Flagger."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from commands import kubectl
from commands.errors import CommandError
from components.labels import CERT_MANAGER, COMMON_LABELS, FLAGGER, NAME_LABEL, PART_OF_LABEL
from components.platform.definitions import definitions
from settings import EXTERNAL_SECRETS, PROJECT, Settings

_NAMESPACE_OPTION = "--namespace="
"""Option that restricts an operator to one namespace."""
_OWNER_KEYS = (
    "meta.helm.sh/release-name",
    PART_OF_LABEL,
    "app.kubernetes.io/managed-by",
    "app.kubernetes.io/instance",
)
"""Annotations and labels that name who has created an object."""


@dataclass(frozen=True)
class Operator:
    """An operator that a stack may bring."""

    name: str
    """Value of :data:`NAME_LABEL`, and name of the file with its definitions."""
    title: str
    component: str
    """Noun of the component's type."""
    section: str
    """Key of its settings."""
    is_brought: Callable[[Settings], bool]
    serves_cluster: Callable[[Settings], bool] = lambda _: False
    """True if it also serves the namespaces of other stacks."""
    kind: str = ""
    """Kind of the objects that it serves, if it can serve other stacks."""
    replacement: str = ""
    """Settings of another stack that bring another one."""


OPERATORS = (
    Operator(
        CERT_MANAGER,
        "cert-manager",
        "CertManager",
        "certManager",
        is_brought=lambda settings: settings.has_cert_manager,
        serves_cluster=lambda settings: settings.has_cert_manager,
        kind="certificates.cert-manager.io",
        replacement=f"{PROJECT}:certManager.enabled true and another certManager.namespace",
    ),
    Operator(
        EXTERNAL_SECRETS,
        "External Secrets",
        "ExternalSecrets",
        "externalSecrets",
        is_brought=lambda settings: settings.has_external_secrets,
        serves_cluster=lambda settings: (
            settings.has_external_secrets and settings.external_secrets.scope == "cluster"
        ),
        kind="externalsecrets.external-secrets.io",
        replacement=f"{PROJECT}:externalSecrets.enabled true",
    ),
    Operator(
        FLAGGER, "Flagger", "Flagger", "flagger", is_brought=lambda settings: settings.has_flagger
    ),
)


def definition_conflicts(
    settings: Settings, environment: Mapping[str, str], context: str | None
) -> Iterator[str]:
    """Yield a message for each operator whose CustomResourceDefinitions others have created.

    An update would replace them by those of another version. Nothing is yielded if the cluster
    cannot be read.
    """
    for operator in OPERATORS:
        if not operator.is_brought(settings):
            continue
        names = [one["metadata"]["name"] for one in definitions(operator.name)]
        try:
            found = kubectl.get_named(
                "customresourcedefinitions", names, environment=environment, context=context
            )
        except CommandError:
            return  # Pulumi's own message is better
        foreign = {
            one["metadata"]["name"]: _owner(one["metadata"])
            for one in found
            if one["metadata"].get("labels", {}).get(PART_OF_LABEL) != COMMON_LABELS[PART_OF_LABEL]
        }
        if foreign:
            name, owner = next(iter(foreign.items()))
            label = f"{PART_OF_LABEL}={COMMON_LABELS[PART_OF_LABEL]}"
            yield (
                f"{PROJECT}:{operator.section}.enabled is true: the cluster has {operator.title} "
                f"already, as its CustomResourceDefinition {name} {owner}. Use false. If there are "
                f"only definitions, `make up` replaces them after `kubectl label --overwrite crd "
                f"{' '.join(foreign)} {label}`"
            )


def removal_conflicts(
    deployed: Collection[str],
    settings: Settings | None,
    own: Collection[str],
    environment: Mapping[str, str],
    context: str | None,
) -> Iterator[str]:
    """Yield a message for each operator that the stack would delete while others use it.

    ``deployed`` has the components of the operators with access to the whole cluster in its state,
    and ``own`` the stack's namespaces. ``settings`` is None if the stack is deleted. Nothing is
    yielded if the cluster cannot be read.
    """
    for operator in OPERATORS:
        is_kept = settings is not None and operator.serves_cluster(settings)
        if operator.component not in deployed or is_kept:
            continue
        try:
            served = _served(operator, own, environment, context)
        except CommandError:
            continue
        if served:
            yield (
                f"{operator.title} of this stack serves {', '.join(served)}: without it, their "
                f"{operator.kind.partition('.')[0]} would neither be updated nor deleted "
                f"completely. First deploy another one there, with {operator.replacement}, or "
                f"delete their stacks"
            )


def _served(
    operator: Operator,
    own: Collection[str],
    environment: Mapping[str, str],
    context: str | None,
) -> list[str]:
    """Return the namespaces of other stacks that no other operator of this kind serves."""

    def items(kind: str, *options: str) -> list[Mapping[str, Any]]:
        found = kubectl.get(
            *(kind, "--all-namespaces", *options), environment=environment, context=context
        )
        return [one for one in found["items"] if one["metadata"]["namespace"] not in own]

    namespaces = {one["metadata"]["namespace"] for one in items(operator.kind)}
    if not namespaces:
        return []
    label = kubectl.label_selector({NAME_LABEL: operator.name})
    for deployment in items("deployments", "--selector", label):
        restricted = _watched_namespace(deployment)
        namespaces = namespaces - {restricted} if restricted else set()
    return sorted(namespaces)


def _watched_namespace(deployment: Mapping[str, Any]) -> str | None:
    """The only namespace that an operator watches. ``None``: all of them."""
    for container in deployment["spec"]["template"]["spec"]["containers"]:
        for argument in container.get("args", ()):
            if argument.startswith(_NAMESPACE_OPTION):
                return argument.removeprefix(_NAMESPACE_OPTION)
    return None


def _owner(metadata: Mapping[str, Any]) -> str:
    for field in ("annotations", "labels"):
        values = metadata.get(field, {})
        if key := next(filter(values.__contains__, _OWNER_KEYS), None):
            return f"has the {field.removesuffix('s')} {key}: {values[key]}"
    return f"has no label {PART_OF_LABEL}"
