"""Whose dashboards they are: everything that their queries select by."""

from dataclasses import dataclass

from components.observability.slo import Slo
from settings import Track


@dataclass(frozen=True)
class Scope:
    """One stack: its service, and what watches it."""

    slo: Slo
    """What is expected of the service; it knows the service too."""
    monitoring: str
    """The namespace of the servers that watch it."""

    @property
    def service(self) -> str:
        """The service's name."""
        return self.slo.service

    @property
    def namespace(self) -> str:
        """Where the service runs."""
        return self.slo.namespace

    @property
    def requests(self) -> str:
        """Label matchers of the service's own metrics."""
        return f'namespace="{self.namespace}",service="{self.service}"'

    def track(self, track: Track) -> str:
        """The same for one track."""
        return f'{self.requests},track="{track}"'

    @property
    def logs(self) -> str:
        """Stream selector of the service's log lines."""
        return f'{{k8s_namespace_name="{self.namespace}",service_name="{self.service}"}}'
