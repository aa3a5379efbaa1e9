"""Arguments that the workloads of all tracks have in common, for tests."""

from components.istio_sidecar import IstioSidecar
from components.service.credentials import CredentialNames
from components.service.workload import WorkloadTemplate
from settings import Settings

NAMESPACE = "home"


def template(stack: Settings) -> WorkloadTemplate:
    """Workload arguments from the settings of a stack, as the program passes them."""
    return {
        "namespace": NAMESPACE,
        "service": stack.services["beacon"],
        "network": stack.network,
        "credentials": CredentialNames(
            secrets={"token": "beacon-token"}, environment="beacon-env", pull=("beacon-registry",)
        ),
        "stack_ports": {name: one.served_ports for name, one in stack.services.items()},
        "sidecar": IstioSidecar(stack.mesh.istio) if stack.mesh.istio else None,
    }
