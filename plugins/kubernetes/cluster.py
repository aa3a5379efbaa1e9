"""One Kubernetes API server: its requests, its errors, and the kinds it serves."""

import json
import re
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import urllib3
from urllib3.util import parse_url

from plugins.kubernetes.kubeconfig import Access
from plugins.server import PluginError

Object = dict[str, Any]
"""A Kubernetes object as JSON."""

# The API server answers within 60 s or cuts the request itself (--request-timeout).
_TIMEOUT = urllib3.Timeout(connect=5, read=65)
# Every request here may be sent twice: it reads, applies or deletes. With these factors an API
# server may be away for 20 s, which a restart is not; before the first answer, for 4 s.
_RETRY = urllib3.Retry(
    total=None,
    connect=8,
    read=3,
    other=0,
    redirect=0,
    status=8,
    status_forcelist={429, 502, 503, 504},
    allowed_methods=None,
    backoff_factor=0.25,
    backoff_max=4,
    raise_on_status=False,
)
_FIRST_RETRY = _RETRY.new(connect=4, read=1, status=4)
_CONNECTIONS = 16
"""Requests in flight; the API server's own fairness queues start further up."""
_REDISCOVERY = 1.0  # seconds between two looks at what the server serves
_DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_IMMUTABLE = re.compile(
    r"immutable|may not (be )?(change|update)|cannot (be )?change|updates to .* forbidden",
    re.IGNORECASE,
)


class ApiError(PluginError):
    """The API server said no."""

    def __init__(self, status: Mapping[str, Any], http_status: int) -> None:
        super().__init__(status.get("message") or f"HTTP status {http_status}")
        self.http_status = http_status
        self.reason: str = status.get("reason") or ""
        details = status.get("details") or {}
        self.about: str = details.get("kind") or ""
        self.causes: list[dict[str, str]] = details.get("causes") or []

    @property
    def namespace_missing(self) -> bool:
        """Whether it was the object's namespace that was not found."""
        return self.http_status == 404 and self.about == "namespaces"  # noqa: PLR2004

    @property
    def is_about_content(self) -> bool:
        """Whether the object itself is wrong, wherever it would be put."""
        # A field that is not in the schema, or has another type, comes as an internal error.
        return self.http_status in (400, 422) or "typed patch object" in str(self)

    def immutable_fields(self) -> list[str]:
        """The fields that can only be set on creation."""
        return [
            cause.get("field", "")
            for cause in self.causes
            if _IMMUTABLE.search(cause.get("message", ""))
        ]


class UnreachableError(PluginError):
    """No answer from the API server."""


class UnknownKindError(PluginError):
    """The API server does not serve this kind; perhaps its CRD is yet to be made."""

    def __init__(self, api_version: str, kind: str) -> None:
        super().__init__(
            f"no matches for kind {kind!r} in version {api_version!r}: the cluster does not serve"
            " it; a custom resource needs its CustomResourceDefinition first"
        )


@dataclass(frozen=True)
class Kind:
    """A kind of object, as the API server serves it."""

    api_version: str
    name: str
    plural: str
    namespaced: bool

    def path(self, namespace: str, name: str = "") -> str:
        """The URL path of one object, or without `name` of all of them."""
        root = (
            f"/apis/{self.api_version}" if "/" in self.api_version else f"/api/{self.api_version}"
        )
        scope = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        return f"{root}{scope}/{self.plural}" + (f"/{name}" if name else "")


class Cluster:
    """Requests to one API server; safe to use from many threads."""

    def __init__(self, access: Access, agent: str) -> None:
        self.namespace = access.namespace
        self._headers = {"User-Agent": agent, "Accept": "application/json", **access.headers}
        self._access = access
        self._prefix = (parse_url(access.server).path or "").rstrip("/")
        self._pool = self._new_pool(_CONNECTIONS)
        self._discovering = threading.Lock()
        self._discovered = 0.0
        self._kinds: dict[tuple[str, str], Kind] = {}

    def kind(self, api_version: str, name: str) -> Kind:
        """The kind by its names; asks the server again before it raises `UnknownKindError`."""
        asked = time.monotonic()
        with self._discovering:
            if (api_version, name) not in self._kinds and asked > self._discovered:
                self._kinds = self._discover()
                self._discovered = time.monotonic() + _REDISCOVERY
            try:
                return self._kinds[api_version, name]
            except KeyError:
                raise UnknownKindError(api_version, name) from None

    def kind_of(self, obj: Object) -> Kind:
        """The kind of an object."""
        return self.kind(obj.get("apiVersion", ""), obj.get("kind", ""))

    def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """The object; None if there is none."""
        return self._request_unless_gone("GET", kind.path(namespace, name))

    def list_objects(self, kind: Kind, namespace: str) -> Object:
        """All objects of a kind; in every namespace if `namespace` is empty.

        There are none of a kind that went with its CustomResourceDefinition.
        """
        nothing = {"items": [], "metadata": {"resourceVersion": ""}}
        return self._request_unless_gone("GET", kind.path(namespace)) or nothing

    def apply(
        self, kind: Kind, obj: Object, manager: str, *, force: bool, dry_run: bool = False
    ) -> Object:
        """Apply an object as `manager`, and return what became of it.

        An unknown field is an error; so is, unless `force`, a field that another manager owns.
        """
        metadata = obj["metadata"]
        query = {"fieldManager": manager, "force": str(force).lower(), "fieldValidation": "Strict"}
        if dry_run:
            query["dryRun"] = "All"
        return self._request(
            "PATCH",
            kind.path(metadata.get("namespace", ""), metadata["name"]),
            query,
            obj,
            "application/apply-patch+yaml",
        )

    def merge(self, kind: Kind, live: Object, patch: Object) -> Object:
        """Change a live object by a JSON merge patch."""
        metadata = live["metadata"]
        path = kind.path(metadata.get("namespace", ""), metadata["name"])
        return self._request("PATCH", path, {}, patch, "application/merge-patch+json")

    def delete(self, kind: Kind, namespace: str, name: str, propagation: str) -> Object | None:
        """Ask for an object's deletion; what remains of it while its finalizers run, if any."""
        options = {"propagationPolicy": propagation}
        answer = self._request_unless_gone("DELETE", kind.path(namespace, name), {}, options)
        return None if answer and answer.get("kind") == "Status" else answer

    def watch(self, kind: Kind, namespace: str, version: str, seconds: int) -> Iterator[Object]:
        """The changes since a resource version, for at most so many seconds."""
        query = {"watch": "1", "resourceVersion": version, "timeoutSeconds": str(seconds)}
        path = self._prefix + kind.path(namespace)
        # A pool of its own: watches last, and would take the connections of the requests.
        pool = self._new_pool(1)
        timeout = urllib3.Timeout(connect=5, read=seconds + 30)
        try:
            response = pool.request(
                "GET",
                path,
                fields=query,
                headers=self._headers,
                timeout=timeout,
                retries=False,
                preload_content=False,
            )
            if response.status >= 400:  # noqa: PLR2004
                raise _error(response)
            for line in _lines(response):
                yield json.loads(line)
        except urllib3.exceptions.HTTPError as problem:
            raise UnreachableError(self._unreachable(problem)) from problem
        finally:
            pool.close()

    def _new_pool(self, connections: int) -> urllib3.HTTPConnectionPool:
        url = parse_url(self._access.server)
        options: dict[str, Any] = {"timeout": _TIMEOUT, "maxsize": connections, "block": True}
        if self._access.tls is None:
            return urllib3.HTTPConnectionPool(url.host or "", url.port, **options)
        return urllib3.HTTPSConnectionPool(
            url.host or "",
            url.port,
            ssl_context=self._access.tls,
            server_hostname=self._access.tls_server_name,
            assert_hostname=self._access.tls_server_name,
            **options,
        )

    def _discover(self) -> dict[tuple[str, str], Kind]:
        kinds: dict[tuple[str, str], Kind] = {}
        retry = _RETRY if self._kinds else _FIRST_RETRY
        for root in ("/api", "/apis"):
            answer = self._request("GET", root, accept=_DISCOVERY, retry=retry)
            if answer.get("kind") != "APIGroupDiscoveryList":
                raise PluginError("the cluster's Kubernetes is too old: at least 1.30 is needed")
            for group in answer["items"]:
                for version in group.get("versions", []):
                    prefix = group["metadata"].get("name", "")
                    api_version = f"{prefix}/{version['version']}" if prefix else version["version"]
                    for resource in version.get("resources", []):
                        name = resource["responseKind"]["kind"]
                        kinds.setdefault(
                            (api_version, name),
                            Kind(
                                api_version,
                                name,
                                resource["resource"],
                                resource["scope"] == "Namespaced",
                            ),
                        )
        return kinds

    def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
        content_type: str = "application/json",
        *,
        accept: str = "application/json",
        retry: urllib3.Retry = _RETRY,
    ) -> Object:
        headers = {**self._headers, "Accept": accept, "Content-Type": content_type}
        url = self._prefix + path + (f"?{urlencode(query)}" if query else "")
        try:
            response = self._pool.urlopen(
                method,
                url,
                body=None if body is None else json.dumps(body).encode(),
                headers=headers,
                retries=retry,
            )
        except urllib3.exceptions.HTTPError as problem:
            raise UnreachableError(self._unreachable(problem)) from problem
        if response.status >= 400:  # noqa: PLR2004
            raise _error(response)
        return json.loads(response.data)

    def _request_unless_gone(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
    ) -> Object | None:
        try:
            return self._request(method, path, query, body)
        except ApiError as problem:
            if problem.http_status == 404:  # noqa: PLR2004
                return None
            raise

    def _unreachable(self, problem: Exception) -> str:
        cause: BaseException = problem
        while isinstance(getattr(cause, "reason", None), BaseException):
            cause = cause.reason  # type: ignore[attr-defined]
        cause = cause.__cause__ or cause
        return f"no answer from {self._pool.scheme}://{self._pool.host}:{self._pool.port}: {cause}"


def _error(response: urllib3.BaseHTTPResponse) -> ApiError:
    try:
        status = json.loads(response.data)
    except ValueError:
        status = None
    return ApiError(status if isinstance(status, dict) else {}, response.status)


def _lines(response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    rest = b""
    for chunk in response.stream(amt=None):
        *complete, rest = (rest + chunk).split(b"\n")
        yield from filter(None, complete)
