"""From a kubeconfig to what a connection needs: server, identity, default namespace."""

import base64
import json
import os
import ssl
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from plugins.server import PluginError

_UNSUPPORTED = {
    "cluster": ("proxy-url",),
    "user": ("as", "as-uid", "as-groups", "as-user-extra", "auth-provider"),
}
"""Keys that would make this another connection, or of another user."""
_EXEC_SECONDS = 60
"""How long a credential plugin may take; a browser log-in must be done before."""


@dataclass(frozen=True)
class Access:
    """How to reach one cluster as one user."""

    server: str
    """URL of the API server."""
    namespace: str = "default"
    """Where a namespaced object goes that names no namespace."""
    tls: ssl.SSLContext | None = None
    """None for a plain HTTP server."""
    tls_server_name: str | None = None
    """Name to expect in the server's certificate, if not the one in the URL."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The user's token or password, if that is how the user is known."""


def load(given: str = "") -> dict[str, Any]:
    """The kubeconfig `given` as a path or as its content, else that of the environment.

    As for kubectl: all files that `KUBECONFIG` lists, the first to set a key or to define a
    cluster, user or context wins; without that variable `~/.kube/config`. Raises `PluginError` if
    there is none or it is not a kubeconfig.
    """
    if given:
        is_path = "\n" not in given and not given.lstrip().startswith("{")
        return _read(Path(given).expanduser()) if is_path else _parse(given, "the kubeconfig given")
    listed = os.environ.get("KUBECONFIG") or "~/.kube/config"
    paths = [Path(item).expanduser() for item in listed.split(os.pathsep) if item]
    configs = [_read(path) for path in paths if path.is_file()]
    if not configs:
        raise PluginError(
            f"no kubeconfig: {listed} does not exist. Set KUBECONFIG, or `kubeconfig` of the"
            " Kubernetes provider, to a kubeconfig's path or content"
        )
    merged: dict[str, Any] = {}
    for config in configs:
        for key, value in config.items():
            if isinstance(value, list):
                known = {item["name"] for item in merged.get(key, [])}
                added = [item for item in value if item["name"] not in known]
                merged[key] = merged.get(key, []) + added
            elif value:
                merged.setdefault(key, value)
    return merged


def access(
    config: Mapping[str, Any], context: str = "", cluster: str = "", namespace: str = ""
) -> Access:
    """The access that a kubeconfig gives; a name that is not empty overrides the kubeconfig's.

    Raises `PluginError` if the context, its cluster or its user is not in the kubeconfig, or asks
    for what is not supported.
    """
    chosen, target, user = _sections(config, context, cluster)
    if keys := _unsupported(target, user):
        raise PluginError(f"the kubeconfig's {', '.join(keys)} is not supported")
    server = target.get("server", "")
    if "exec" in user:
        user = {**user, **_run_credential_plugin(user["exec"])}
    return Access(
        server=server,
        namespace=namespace or chosen.get("namespace") or "default",
        tls=_tls(target, user) if server.startswith("https") else None,
        tls_server_name=target.get("tls-server-name"),
        headers=_headers(user),
    )


def unsupported(config: Mapping[str, Any], context: str = "", cluster: str = "") -> list[str]:
    """The keys of a kubeconfig that `access` refuses; none if it leads nowhere."""
    try:
        return _unsupported(*_sections(config, context, cluster)[1:])
    except PluginError:
        return []


def cluster_of(
    config: Mapping[str, Any], context: str = "", cluster: str = ""
) -> dict[str, Any] | None:
    """The cluster a kubeconfig leads to; None if it does not say."""
    try:
        return _cluster(config, _context(config, context), cluster)
    except PluginError:
        return None


def _sections(
    config: Mapping[str, Any], context: str, cluster: str
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    chosen = _context(config, context)
    user = _named(config, "user", chosen["user"]) if chosen.get("user") else {}
    return chosen, _cluster(config, chosen, cluster), user


def _context(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    return _named(config, "context", name or config.get("current-context") or "")


def _cluster(config: Mapping[str, Any], context: Mapping[str, Any], name: str) -> dict[str, Any]:
    return _named(config, "cluster", name or context.get("cluster", ""))


def _unsupported(cluster: Mapping[str, Any], user: Mapping[str, Any]) -> list[str]:
    sections = {"cluster": cluster, "user": user}
    return [key for kind, keys in _UNSUPPORTED.items() for key in keys if sections[kind].get(key)]


def _read(path: Path) -> dict[str, Any]:
    try:
        config = _parse(path.read_text(), str(path))
    except OSError as problem:
        raise PluginError(f"cannot read the kubeconfig {path}: {problem.strerror}") from problem
    # A file named in a kubeconfig is relative to the kubeconfig's folder.
    for kind, keys in (
        ("cluster", ["certificate-authority"]),
        ("user", ["client-certificate", "client-key", "tokenFile"]),
    ):
        for item in config.get(f"{kind}s") or []:
            for key in keys:
                if (item.get(kind) or {}).get(key):
                    item[kind][key] = str(path.parent / item[kind][key])
    return config


def _parse(text: str, origin: str) -> dict[str, Any]:
    try:
        config = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    except yaml.YAMLError as problem:
        raise PluginError(f"{origin} is not a kubeconfig: it is not valid YAML") from problem
    if not isinstance(config, dict) or not config.get("clusters"):
        raise PluginError(f"{origin} is not a kubeconfig: it names no clusters")
    return config


def _named(config: Mapping[str, Any], kind: str, name: str) -> dict[str, Any]:
    items = {item["name"]: item.get(kind) or {} for item in config.get(f"{kind}s") or []}
    if name not in items:
        known = ", ".join(sorted(items)) or "none"
        raise PluginError(f"the kubeconfig has no {kind} {name!r}; it has {known}")
    return items[name]


def _tls(cluster: Mapping[str, Any], user: Mapping[str, Any]) -> ssl.SSLContext:
    authority = _content(cluster, "certificate-authority")
    context = ssl.create_default_context(cadata=authority.decode() if authority else None)
    if cluster.get("insecure-skip-tls-verify"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    certificate, key = _content(user, "client-certificate"), _content(user, "client-key")
    if certificate and key:
        # The ssl module takes a certificate from a file only; a temporary one is made 0600.
        with tempfile.NamedTemporaryFile() as file:
            file.write(certificate + b"\n" + key)
            file.flush()
            context.load_cert_chain(file.name)
    return context


def _headers(user: Mapping[str, Any]) -> dict[str, str]:
    token = user.get("token")
    if not token and user.get("tokenFile"):
        token = Path(user["tokenFile"]).read_text().strip()
    if token:
        return {"Authorization": f"Bearer {token}"}
    if user.get("username"):
        pair = f"{user['username']}:{user.get('password', '')}"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    return {}


def _content(section: Mapping[str, Any], key: str) -> bytes | None:
    if section.get(f"{key}-data"):
        return base64.b64decode(section[f"{key}-data"])
    return Path(section[key]).read_bytes() if section.get(key) else None


def _run_credential_plugin(spec: Mapping[str, Any]) -> dict[str, str]:
    """What an exec plugin (EKS, GKE, AKS) answers, named as in a kubeconfig's user."""
    command = [spec["command"], *(spec.get("args") or [])]
    request = {"apiVersion": spec["apiVersion"], "kind": "ExecCredential"}
    request["spec"] = {"interactive": False}
    given = {item["name"]: item["value"] for item in spec.get("env") or []}
    try:
        answer = subprocess.run(
            command,
            env={**os.environ, **given, "KUBERNETES_EXEC_INFO": json.dumps(request)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_EXEC_SECONDS,
            check=True,
        )
        status = json.loads(answer.stdout)["status"]
    except subprocess.CalledProcessError as problem:
        reason = problem.stderr.decode(errors="replace").strip()
        raise PluginError(f"credential plugin {command[0]} failed: {reason}") from problem
    except (OSError, subprocess.TimeoutExpired, ValueError, KeyError) as problem:
        raise PluginError(f"credential plugin {command[0]} failed: {problem}") from problem
    names = {"token": "token", "clientCertificateData": "client-certificate-data"}
    names["clientKeyData"] = "client-key-data"
    return {
        name: status[key] if key == "token" else base64.b64encode(status[key].encode()).decode()
        for key, name in names.items()
        if status.get(key)
    }
