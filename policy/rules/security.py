"""Rules for security: network access, RBAC and secrets."""

import re
from collections.abc import Iterator
from typing import Any

from policy.objects import UNKNOWN, Object, get, get_list, get_mapping, selector_matches
from policy.rule import Stack, rule

_INTERNAL_LOAD_BALANCER = {
    ("cloud.google.com/load-balancer-type", "Internal"),
    ("networking.gke.io/load-balancer-type", "Internal"),
    ("service.beta.kubernetes.io/aws-load-balancer-internal", "true"),
    ("service.beta.kubernetes.io/aws-load-balancer-scheme", "internal"),
    ("service.beta.kubernetes.io/azure-load-balancer-internal", "true"),
}
_SECRET_WORD = r"(?:password|passwd|secret|token|api[_-]?key|private[_-]?key|credentials?)"  # noqa: S105
_SECRET_NAME = re.compile(rf"(?i).*{_SECRET_WORD}")
_SECRET_ASSIGNMENT = re.compile(
    rf"""(?imx) ^[\s\-"']* ([\w.-]*{_SECRET_WORD}) ["']? \s* [:=] [ \t]*
    # A path, a variable, a placeholder and a boolean are not secrets.
    (?! ["']? (?: /|\$|\{{|<|true\b|false\b|null\b ) )
    ["']? [^\s"'\#]"""
)
_SECRET_PATTERNS = {
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "a password in a URL": re.compile(r"\w://[^/\s:@]+:[^/\s:@$]+@"),
    "an AWS access key": re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    "a Slack webhook": re.compile(r"hooks\.slack\.com/(?:services|workflows)/\w"),
    "a bearer token": re.compile(r"(?i)\bbearer\s+[\w.~+/-]{16,}"),
}


@rule("network-policy", needs_stack=True)
def network_policy(obj: Object, stack: Stack) -> Iterator[str]:
    """NetworkPolicies restrict the ingress and the egress of every pod."""
    if obj.pod is None:
        return
    restricted = {
        policy_type
        for policy in stack.of_kind("NetworkPolicy")
        if policy.namespace == obj.namespace
        and selector_matches(get(policy.spec, "podSelector"), obj.pod.labels)
        for policy_type in _policy_types(policy)
    }
    if missing := [one for one in ("Ingress", "Egress") if one not in restricted]:
        yield f"add a NetworkPolicy that selects its pods, with policyTypes {', '.join(missing)}"


def _policy_types(policy: Object) -> list[str]:
    default = ["Ingress", "Egress"] if "egress" in policy.spec else ["Ingress"]
    return [*get_list(policy.spec, "policyTypes")] or default


@rule("no-public-load-balancer", environment="development")
def no_public_load_balancer(obj: Object, _: Stack) -> Iterator[str]:
    """Services of a development stack are not exposed to the internet."""
    if obj.kind != "Service":
        return
    annotations = get_mapping(obj.manifest, "metadata", "annotations").items()
    if obj.spec.get("type") == "LoadBalancer" and not _INTERNAL_LOAD_BALANCER & set(annotations):
        yield "use type ClusterIP behind the proxy, or annotate the load balancer as internal"
    if obj.spec.get("externalIPs"):
        yield "remove externalIPs"


@rule("no-wildcard-rbac")
def no_wildcard_rbac(obj: Object, _: Stack) -> Iterator[str]:
    """Roles list what they allow, and no binding grants cluster-admin."""
    if obj.kind in ("Role", "ClusterRole"):
        for number, rbac_rule in enumerate(get_list(obj.manifest, "rules")):
            for field in ("verbs", "resources", "apiGroups", "nonResourceURLs"):
                if any("*" in str(value) for value in get_list(rbac_rule, field)):
                    yield f"rules[{number}].{field} has a wildcard: list what is needed"
    elif get(obj.manifest, "roleRef", "name") == "cluster-admin":
        yield "roleRef is cluster-admin: bind a role that lists what is needed"


@rule("no-secret-in-env")
def no_secret_in_env(obj: Object, _: Stack) -> Iterator[str]:
    """Environment variables contain no secrets in plain text."""
    for container in obj.containers:
        for variable in get_list(container.spec, "env"):
            name, value = str(variable.get("name")), variable.get("value")
            if value and (_is_secret(name, value) or _secret_pattern(value)):
                yield f"container {container.name}: move {name} to a Secret"


@rule("secret-as-file")
def secret_as_file(obj: Object, _: Stack) -> Iterator[str]:
    """Secrets are mounted as files: child processes and crash reports expose the environment.

    An annotation `exceptions/env.<variable>` of the pods has the reason for a variable.
    """
    reasons = obj.pod.annotations if obj.pod else {}
    for container in obj.containers:
        where = f"container {container.name}"
        for variable in get_list(container.spec, "env"):
            name = variable.get("name")
            if (
                get(variable, "valueFrom", "secretKeyRef")
                and f"exceptions/env.{name}" not in reasons
            ):
                yield f"{where}: mount the Secret of {name} as a file, or give the reason"
        for source in get_list(container.spec, "envFrom"):
            if "secretRef" in source:
                name = get(source, "secretRef", "name")
                yield f"{where}: mount Secret/{name} as files instead of using envFrom"


@rule("no-secret-in-configmap")
def no_secret_in_configmap(obj: Object, _: Stack) -> Iterator[str]:
    """Secrets are stored in Secrets, not in ConfigMaps."""
    if obj.kind != "ConfigMap":
        return
    for key, text in get_mapping(obj.manifest, "data").items():
        if _is_secret(key, text) and "\n" not in str(text).strip():
            yield f"move {key} to a Secret"
        elif assignment := _SECRET_ASSIGNMENT.search(str(text)):
            yield f"{key} sets {assignment[1]}: move it to a Secret, and refer to its file here"
        elif pattern := _secret_pattern(text):
            yield f"{key} contains {pattern}: move it to a Secret, and refer to its file here"


def _is_secret(name: str, value: Any) -> bool:  # noqa: ANN401
    is_reference = str(value).startswith(("/", "$"))
    return bool(_SECRET_NAME.fullmatch(name)) and value != UNKNOWN and not is_reference


def _secret_pattern(value: Any) -> str | None:  # noqa: ANN401
    matches = (name for name, regex in _SECRET_PATTERNS.items() if regex.search(str(value)))
    return next(matches, None)
