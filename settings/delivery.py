"""``slipway:delivery``."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from settings.errors import MISSING, FieldError
from settings.section import Section
from settings.string_formats import DnsLabel, GitRevision, ManifestRepository, RelativePath

Engine = Literal["argocd", "flux"]
ENGINE_NAMES: dict[Engine, str] = {"argocd": "Argo CD", "flux": "Flux"}


class ArgoCdSettings(Section):
    """Application of Argo CD."""

    namespace: DnsLabel = "argocd"
    """Namespace of the Application: that of Argo CD, or another one that it watches."""
    project: DnsLabel = "default"
    """AppProject. It must allow the repository, the cluster, the namespaces of the stack and its
    cluster-scoped objects."""
    cluster: Annotated[str, Field(min_length=1, max_length=253)] = "in-cluster"
    """Name of the destination cluster in Argo CD. `in-cluster` is that of Argo CD itself."""


class FluxSettings(Section):
    """GitRepository or OCIRepository of Flux, and its Kustomization."""

    namespace: DnsLabel = "flux-system"
    """Namespace of both objects."""
    secret_name: DnsLabel | None = None
    """Secret with the credentials of the repository. Default: none, for a public repository."""
    service_account_name: DnsLabel | None = None
    """ServiceAccount that applies the manifests. Default: that of the kustomize-controller."""
    interval_seconds: Annotated[int, Field(ge=10, le=86_400)] = 60
    """Seconds between two reads of the repository, and between two comparisons."""


class DeliverySettings(Section):
    """Owner of the stack's objects: Pulumi, or an engine that syncs manifests from a repository."""

    mode: Literal["pulumi", "gitops"] = "pulumi"
    """`pulumi`: `make up` applies the stack. `gitops`: `make gitops` writes its manifests, and
    `make up` is refused."""
    engine: Engine = "argocd"
    """Program that applies the manifests, with `gitops`."""
    repository: ManifestRepository | None = None
    """Git repository, or OCI repository, of the manifests. Required with `gitops`."""
    revision: GitRevision = "main"
    """Branch, or tag of an OCI repository. Argo CD also accepts a tag or a commit, Flux a reference
    like refs/tags/v1."""
    path: RelativePath | None = None
    """Folder in the repository that `make gitops` writes. Required with `gitops`."""
    prune: bool = True
    """Deletes objects that the manifests do not have any more, except namespaces, volumes and
    CustomResourceDefinitions."""
    self_heal: bool = True
    """Reverts manual changes in the cluster. Flux always does."""
    retries: Annotated[int, Field(ge=0, le=100)] = 5
    """Attempts after a failed sync, with Argo CD. Flux has no limit."""
    argocd: ArgoCdSettings = ArgoCdSettings.model_construct()
    flux: FluxSettings = FluxSettings.model_construct()

    @property
    def is_gitops(self) -> bool:
        """True if another program than Pulumi owns the objects."""
        return self.mode == "gitops"

    @property
    def engine_name(self) -> str:
        """Name of the engine in messages."""
        return ENGINE_NAMES[self.engine]

    def cross_field_errors(self) -> Iterator[FieldError]:
        if not self.is_gitops:
            return
        if self.repository is None:
            yield FieldError("repository", MISSING, "the URL of the manifests' repository")
        if self.path is None:
            yield FieldError("path", MISSING, "a folder in the repository, like environments/prod")
