"""``kubectl`` commands in a stack's cluster."""

import json
import subprocess
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from commands.errors import FAILED, CommandError

Objects = Sequence[Mapping[str, Any]]
"""Objects of a cluster, of any kinds."""

TIMEOUT_SECONDS = 20


class Identity(NamedTuple):
    """API version, kind, name and namespace of an object."""

    api_version: str
    kind: str
    name: str
    namespace: str | None

    @property
    def manifest(self) -> dict[str, Any]:
        """Manifest with nothing else."""
        metadata = {"name": self.name} | ({"namespace": self.namespace} if self.namespace else {})
        return {"apiVersion": self.api_version, "kind": self.kind, "metadata": metadata}


def get(
    *arguments: str, environment: Mapping[str, str], context: str | None = None
) -> dict[str, Any]:
    """Return the output of ``kubectl get`` as JSON.

    ``context`` is by default the kubeconfig's current one. Raises :class:`CommandError` when
    kubectl is missing or fails.
    """
    output = _run("get", *arguments, "--output", "json", environment=environment, context=context)
    # With --ignore-not-found the output can be empty.
    return _parse(output)


def get_named(
    kind: str,
    names: Collection[str],
    *,
    environment: Mapping[str, str],
    context: str | None = None,
) -> list[dict[str, Any]]:
    """Return those objects of these names that exist, as :func:`get`."""
    return _items(get(kind, *names, "--ignore-not-found", environment=environment, context=context))


def workloads(
    namespace: str,
    *kinds: str,
    selector: str = "",
    environment: Mapping[str, str],
    context: str | None = None,
) -> Objects:
    """Return the Deployments, HorizontalPodAutoscalers and objects of ``kinds`` of a namespace.

    In one call: a start of kubectl takes longer than its requests. ``selector`` is one of labels;
    by default, all are returned. Raises as :func:`get`.
    """
    names = ",".join(("deployments", "horizontalpodautoscalers", *kinds))
    options = ("--namespace", namespace, *(("--selector", selector) if selector else ()))
    return get(names, *options, environment=environment, context=context)["items"]


def _parse(output: str) -> dict[str, Any]:
    return json.loads(output.strip() or "{}")


def _items(found: dict[str, Any]) -> list[dict[str, Any]]:
    # kubectl returns one object for one name and a list for several.
    return found.get("items", [found] if found else [])


def get_all(
    identities: Iterable[Identity],
    *,
    environment: Mapping[str, str],
    context: str | None = None,
) -> list[dict[str, Any]]:
    """Return those of the objects that exist, with their managed fields.

    Raises :class:`CommandError` as :func:`get`.
    """
    options = ("--show-managed-fields", "--ignore-not-found", "--output", "json", "-f", "-")
    items = [one.manifest for one in identities]
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    output = _run("get", *options, environment=environment, context=context, stdin=text)
    return _items(_parse(output))


def set_managed_fields(
    live: Mapping[str, Any],
    fields: Sequence[Mapping[str, Any]],
    *,
    environment: Mapping[str, str],
    context: str | None = None,
) -> None:
    """Replace the managed fields of an object, if it has not changed since ``live`` was read.

    Raises :class:`CommandError` as :func:`get`.
    """
    metadata = live["metadata"]
    group, _, version = live["apiVersion"].rpartition("/")
    kind = f"{live['kind']}.{version}.{group}" if group else live["kind"]
    version_path = "/metadata/resourceVersion"
    patch = json.dumps(
        [
            {"op": "test", "path": version_path, "value": metadata["resourceVersion"]},
            {"op": "replace", "path": "/metadata/managedFields", "value": fields},
        ]
    )
    in_namespace = ["--namespace", metadata["namespace"]] if "namespace" in metadata else []
    target = (kind, metadata["name"], *in_namespace, "--type", "json", "--patch", patch)
    _run("patch", *target, environment=environment, context=context)


def apply(
    manifest: Mapping[str, Any],
    *,
    environment: Mapping[str, str],
    context: str | None = None,
    field_manager: str = "kubectl",
) -> None:
    """Set the fields of ``manifest`` by server-side apply, and take their ownership.

    Pulumi takes over the fields of the field manager ``kubectl`` with its next update of the
    object. Raises :class:`CommandError` as :func:`get`.
    """
    options = ("--server-side", "--force-conflicts", "--field-manager", field_manager)
    text = json.dumps(manifest)
    _run("apply", *options, "-f", "-", environment=environment, context=context, stdin=text)


def scale(
    deployment: str,
    namespace: str,
    replicas: int,
    *,
    environment: Mapping[str, str],
    context: str | None = None,
) -> None:
    """Set the replicas of a Deployment. Raises :class:`CommandError` as :func:`get`."""
    target = (f"deployment/{deployment}", "--namespace", namespace, f"--replicas={replicas}")
    _run("scale", *target, environment=environment, context=context)


def delete(
    kind: str,
    name: str,
    namespace: str,
    *,
    environment: Mapping[str, str],
    context: str | None = None,
) -> None:
    """Delete an object, if it exists. Raises :class:`CommandError` as :func:`get`."""
    target = (kind, name, "--namespace", namespace, "--ignore-not-found")
    _run("delete", *target, environment=environment, context=context)


def annotate_pods(
    namespace: str,
    selector: Mapping[str, str],
    annotations: Mapping[str, str],
    *,
    environment: Mapping[str, str],
    context: str | None = None,
) -> None:
    """Annotate the pods with these labels. Raises :class:`CommandError` as :func:`get`.

    A pod that is deleted meanwhile is left out.
    """
    labels = label_selector(selector)
    values = (f"{key}={value}" for key, value in annotations.items())
    target = ("pods", "--namespace", namespace, "--selector", labels, "--overwrite", *values)
    try:
        _run("annotate", *target, environment=environment, context=context)
    except CommandError as error:
        if not all("(NotFound)" in line for line in str(error).splitlines()):
            raise


def logs(
    pod: str,
    namespace: str,
    container: str,
    *,
    lines: int,
    is_previous: bool,
    environment: Mapping[str, str],
    context: str | None = None,
) -> str:
    """Return the last log lines of a container, or of its previous start, which has ended.

    Raises :class:`CommandError` as :func:`get`.
    """
    target = (pod, "--namespace", namespace, "--container", container, f"--tail={lines}")
    previous = ("--previous",) if is_previous else ()
    return _run("logs", *target, *previous, environment=environment, context=context)


def label_selector(labels: Mapping[str, str]) -> str:
    """Value of ``--selector`` for objects that have all of these labels."""
    return ",".join(f"{key}={value}" for key, value in labels.items())


def kubectl_command(context: str | None) -> list[str]:
    """``kubectl`` with the option for ``context``; ``None`` is the kubeconfig's current one."""
    return ["kubectl", *(["--context", context] if context else [])]


def _run(
    *arguments: str, environment: Mapping[str, str], context: str | None, stdin: str | None = None
) -> str:
    try:
        result = subprocess.run(
            [*kubectl_command(context), *arguments, f"--request-timeout={TIMEOUT_SECONDS}s"],
            env=dict(environment),
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        raise CommandError("kubectl is not in PATH: install it, or run `make local-up`") from None
    if result.returncode != 0:
        verb = "read" if arguments[0] in ("get", "logs") else "change"
        raise CommandError(f"cannot {verb} the cluster: {result.stderr.strip()}", FAILED)
    return result.stdout


def image_digests(
    namespace: str, service: str, *, environment: Mapping[str, str], context: str | None = None
) -> dict[str, str]:
    """Return the digest of each version of a service that the cluster has run, newest last.

    They are in the ReplicaSets, of which a Deployment keeps the last ones. Empty if the cluster
    cannot be read.
    """
    selector = f"app.kubernetes.io/name={service}"
    try:
        found = get(
            *("replicasets", "--namespace", namespace, "--selector", selector),
            *("--sort-by", ".metadata.creationTimestamp"),
            environment=environment,
            context=context,
        )
    except CommandError:
        return {}
    references = (
        container["image"]
        for replica_set in found.get("items", ())
        for container in replica_set["spec"]["template"]["spec"]["containers"]
        if container["name"] == service
    )
    images = (reference.partition("@") for reference in references)
    return {name.rpartition(":")[2]: digest for name, _, digest in images if digest}


def namespace_uids(
    names: Collection[str], *, environment: Mapping[str, str], context: str | None = None
) -> dict[str, str]:
    """Return the UID of each of these namespaces that exists in the cluster.

    A namespace that was recreated, or that is in another cluster, has another UID. Raises
    :class:`CommandError` as :func:`get`.
    """
    return uids(get_named("namespaces", names, environment=environment, context=context))


def uids(objects: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the UID of each object by its name."""
    return {one["metadata"]["name"]: one["metadata"]["uid"] for one in objects}


def api_server_addresses(
    *, environment: Mapping[str, str], context: str | None = None
) -> list[str]:
    """Return the IP addresses of the API server that pods connect to.

    Raises :class:`CommandError` as :func:`get`.
    """
    found = get(
        *("endpointslices", "--namespace=default"),
        "--selector=kubernetes.io/service-name=kubernetes",
        environment=environment,
        context=context,
    )
    return [
        address
        for item in found.get("items", [])
        for endpoint in item.get("endpoints") or []
        for address in endpoint["addresses"]
    ]
