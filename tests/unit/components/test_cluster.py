from components.cluster import cluster_provider
from settings import Cluster
from tests.unit.harness import run


def test_the_provider_uses_the_context_of_the_stack_and_no_copy_of_the_kubeconfig() -> None:
    registry = run(lambda: cluster_provider("cluster", Cluster(context="staging")))
    (provider,) = registry.resources.values()
    assert (provider.type, provider.name) == ("pulumi:providers:kubernetes", "cluster")
    assert provider.inputs["context"] == "staging"
    assert provider.inputs["kubeconfig"] == ""
    assert provider.inputs["enableServerSideApply"] == "true"
