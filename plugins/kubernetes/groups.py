"""The API groups of Kubernetes itself, as opposed to those that a CustomResourceDefinition adds."""

# Not by the suffix .k8s.io, which Gateway API and volume snapshots have as well.
_OWN = {
    "",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "apps",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "events.k8s.io",
    "flowcontrol.apiserver.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "resource.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
}


def is_own(api_version: str) -> bool:
    """Whether objects of an API version are Kubernetes' own."""
    return api_version.rpartition("/")[0] in _OWN
