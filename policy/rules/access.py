"""Who reaches what: load balancers, roles, secrets."""

import re
from collections.abc import Iterator
from typing import Any

from policy.objects import UNKNOWN, Object, at, items, mapping
from policy.rule import Stack, rule

_INTERNAL = {
    "cloud.google.com/load-balancer-type": "Internal",
    "networking.gke.io/load-balancer-type": "Internal",
    "service.beta.kubernetes.io/aws-load-balancer-internal": "true",
    "service.beta.kubernetes.io/aws-load-balancer-scheme": "internal",
    "service.beta.kubernetes.io/azure-load-balancer-internal": "true",
}
_ROLES = ("Role", "ClusterRole")
_BINDINGS = ("RoleBinding", "ClusterRoleBinding")

_SECRET_WORD = r"(?:password|passwd|secret|token|api[_-]?key|private[_-]?key|credentials?)"  # noqa: S105
_SECRET_NAME = re.compile(rf"(?i).*{_SECRET_WORD}")
_ASSIGNED = re.compile(
    rf"""(?imx) ^[\s\-"']* ([\w.-]*{_SECRET_WORD}) ["']? \s* [:=] [ \t]*
    # What is named elsewhere, or is empty, is no secret: a path, a reference, a variable.
    (?! ["']? (?: /|\$|\{{|<|true\b|false\b|null\b ) )
    ["']? [^\s"'\#]"""
)
_SHAPES = {
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "a password in a URL": re.compile(r"\w://[^/\s:@]+:[^/\s:@$]+@"),
    "an AWS access key": re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    "a Slack webhook": re.compile(r"hooks\.slack\.com/(?:services|workflows)/\w"),
    "a bearer token": re.compile(r"(?i)\bbearer\s+[\w.~+/-]{16,}"),
}


@rule("no-public-load-balancer", only="development")
def no_public_load_balancer(one: Object, _: Stack) -> Iterator[str]:
    """What is being developed is not reached from the internet."""
    if one.kind != "Service":
        return
    annotations = mapping(one.manifest, "metadata", "annotations")
    internal = any(annotations.get(key) == value for key, value in _INTERNAL.items())
    if one.spec.get("type") == "LoadBalancer" and not internal:
        yield "use type ClusterIP and let the proxy route to it, or annotate it as internal"
    if one.spec.get("externalIPs"):
        yield "remove externalIPs"


@rule("no-wildcard-rbac")
def no_wildcard(one: Object, _: Stack) -> Iterator[str]:
    """A role lists what it allows; nobody is made administrator of the cluster."""
    if one.kind in _ROLES:
        for number, granted in enumerate(items(one.manifest, "rules")):
            for field in ("verbs", "resources", "apiGroups", "nonResourceURLs"):
                if any("*" in str(value) for value in items(granted, field)):
                    yield f"rules[{number}].{field} holds a *: list what is needed"
    elif one.kind in _BINDINGS and at(one.manifest, "roleRef", "name") == "cluster-admin":
        yield "it binds cluster-admin: bind a role that lists what is needed"


@rule("no-secret-in-env")
def no_secret_in_env(one: Object, _: Stack) -> Iterator[str]:
    """Secrets are files: every process of a pod inherits its environment, and crashes print it."""
    for container in one.pod.containers if one.pod else ():
        where = f"container {container.name}"
        for variable in items(container.spec, "env"):
            name, value = str(variable.get("name")), variable.get("value")
            if at(variable, "valueFrom", "secretKeyRef"):
                yield f"{where}: mount the secret of {name} as a file"
            elif value and (_is_secret_name(name, value) or _shape(value)):
                yield f"{where}: move {name} to a Secret, mounted as a file"
        for source in items(container.spec, "envFrom"):
            if "secretRef" in source:
                secret = at(source, "secretRef", "name")
                yield f"{where}: mount Secret/{secret} as files in place of envFrom"


@rule("no-secret-in-configmap")
def no_secret_in_config_map(one: Object, _: Stack) -> Iterator[str]:
    """Secrets are in Secrets: whoever may read a ConfigMap reads all of it."""
    if one.kind != "ConfigMap":
        return
    for key, text in mapping(one.manifest, "data").items():
        if _is_secret_name(key, text) and "\n" not in str(text).strip():
            yield f"move {key} to a Secret"
        elif found := _ASSIGNED.search(str(text)):
            yield f"{key} sets {found[1]}: move it to a Secret, and name the file here"
        elif shape := _shape(text):
            yield f"{key} holds {shape}: move it to a Secret, and name the file here"


def _is_secret_name(name: str, value: Any) -> bool:  # noqa: ANN401
    return bool(
        _SECRET_NAME.fullmatch(name) and value != UNKNOWN and not str(value).startswith(("/", "$"))
    )


def _shape(value: Any) -> str | None:  # noqa: ANN401
    return next((what for what, shape in _SHAPES.items() if shape.search(str(value))), None)
