"""Rules for TLS and certificates."""

import re
from collections.abc import Iterator

from policy.objects import Object, get, get_list, get_mapping
from policy.rule import Stack, rule

ALERT_DAYS = 14
"""The alert CertificateExpiring fires so many days before the end of a certificate."""
_CANARY = "nginx.ingress.kubernetes.io/canary"
_GATEWAY_ROUTES = ("HTTPRoute", "GRPCRoute")
_LOCAL = (".localhost", ".local", ".internal", ".svc")
_HOURS = re.compile(r"(\d+)h(?:0m)?(?:0s)?")


@rule("tls", environment="production", needs_stack=True)
def tls(obj: Object, stack: Stack) -> Iterator[str]:
    """Public hosts are served with TLS."""
    if obj.kind == "Ingress":
        if get_mapping(obj.manifest, "metadata", "annotations").get(_CANARY) == "true":
            return
        hosts = {one.get("host") for one in get_list(obj.spec, "rules")}
        hosts -= {host for one in get_list(obj.spec, "tls") for host in get_list(one, "hosts")}
    elif obj.kind in _GATEWAY_ROUTES and not _has_tls(obj, stack):
        hosts = {*get_list(obj.spec, "hostnames")}
    else:
        return
    if public := sorted(host for host in hosts if _is_public(str(host or ""))):
        yield f"{', '.join(public)} is served without TLS: set routing.tls.mode of the service"


def _has_tls(route: Object, stack: Stack) -> bool:
    """True if the route is attached to listeners of the stack's own, or only redirects."""
    redirects = (
        filter_.get("type") == "RequestRedirect"
        for one in get_list(route.spec, "rules")
        for filter_ in get_list(one, "filters")
    )
    own = {
        (one.kind, one.name) for kind in ("Gateway", "ListenerSet") for one in stack.of_kind(kind)
    }
    parents = [(get(one, "kind"), get(one, "name")) for one in get_list(route.spec, "parentRefs")]
    return any(redirects) or any(parent in own for parent in parents)


def _is_public(host: str) -> bool:
    return "." in host and not host.endswith(_LOCAL)


@rule("certificate-renewal")
def certificate_renewal(obj: Object, _: Stack) -> Iterator[str]:
    """Certificates are renewed before the alert on their end fires."""
    if obj.kind != "Certificate":
        return
    duration, before = _hours(obj, "duration"), _hours(obj, "renewBefore")
    if before is None and duration is not None:
        before = duration // 3  # cert-manager's default
    if before is not None and before <= ALERT_DAYS * 24:
        yield (
            f"it is renewed {before / 24:g} days before its end, and the alert fires "
            f"{ALERT_DAYS} days before: set routing.tls.renewBeforeDays to {ALERT_DAYS + 1} or more"
        )


def _hours(obj: Object, field: str) -> int | None:
    found = _HOURS.fullmatch(str(obj.spec.get(field)))
    return int(found[1]) if found else None
