"""What every track of a service has in common, for tests of what is made from it."""

from components.service.credentials import CredentialNames
from components.service.workload import WorkloadTemplate
from settings import Settings

NAMESPACE = "home"


def template(stack: Settings) -> WorkloadTemplate:
    """As the program makes it; nothing is traced."""
    return {
        "namespace": NAMESPACE,
        "service": stack.service,
        "pods": stack.workload,
        "config": stack.config,
        "autoscaling": stack.autoscaling,
        "disruption": stack.disruption,
        "network": stack.network,
        "credentials": CredentialNames("beacon-token"),
    }
