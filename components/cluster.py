"""The Kubernetes cluster of the stack."""

from pulumi_kubernetes import Provider

from settings import Cluster


def cluster_provider(name: str, cluster: Cluster) -> Provider:
    """Provider of the objects in the cluster."""
    return Provider(
        name,
        # Empty: the provider reads KUBECONFIG itself and writes no copy to a temporary file.
        kubeconfig="",
        context=cluster.context,
        enable_server_side_apply=True,
        enable_config_map_mutable=True,
        enable_secret_mutable=True,
        # After an interrupted update, the next one adopts the objects that already exist.
        upsert_existing_objects=True,
    )
