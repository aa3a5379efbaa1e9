"""``tls`` of a service's routing."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from settings.env import ObjectName
from settings.errors import MISSING, FieldError
from settings.one_of import one_of_errors
from settings.section import Section

TlsMode = Literal["off", "selfSigned", "acme", "existing"]


class ExistingTls(Section):
    """Existing certificate, or existing issuer: one of the keys."""

    secret_name: ObjectName | None = None
    """Secret of type `kubernetes.io/tls` in the stack's namespace. Slipway does not renew it."""
    cluster_issuer: ObjectName | None = None
    """ClusterIssuer of cert-manager."""

    def cross_field_errors(self) -> Iterator[FieldError]:
        yield from one_of_errors(self, ("secret_name", "cluster_issuer"))


class TlsSettings(Section):
    """TLS for the hosts of a service: certificate, redirect and HSTS."""

    mode: TlsMode = "off"
    """`selfSigned`: a certificate by a CA of the stack's own, which clients have to trust.
    `acme`: one by the server of `slipway:certManager.acme`. `existing`: a Secret or a ClusterIssuer
    of the cluster."""
    existing: ExistingTls | None = None
    """Required with the mode `existing`, and refused with another one."""
    redirect: bool = True
    """Redirects HTTP to HTTPS. `false`: requests are served with and without TLS."""
    hsts_seconds: Annotated[int, Field(ge=0, le=63_072_000)] = 0
    """`max-age` of the response header Strict-Transport-Security, in seconds. 0: no header. Needs
    the back end `gateway`."""
    duration_days: Annotated[int, Field(ge=1, le=398)] = 90
    """Lifetime of the certificate, in days."""
    renew_before_days: Annotated[int, Field(ge=1, le=397)] = 30
    """Days before its end at which the certificate is renewed. The alert on a missing renewal
    fires 14 days before the end."""

    def cross_field_errors(self) -> Iterator[FieldError]:
        if self.mode == "existing" and self.existing is None:
            yield FieldError("existing", MISSING, "a mapping with secretName or clusterIssuer")
        elif self.mode != "existing" and self.existing is not None:
            given = self.existing.model_dump(by_alias=True, exclude_none=True)
            yield FieldError("existing", given, 'null, or the mode "existing"')
        if self.renew_before_days >= self.duration_days:
            allowed = f"less than durationDays, which is {self.duration_days}"
            yield FieldError("renewBeforeDays", self.renew_before_days, allowed)

    @property
    def is_enabled(self) -> bool:
        """True if the hosts are served with TLS."""
        return self.mode != "off"

    @property
    def secret_name(self) -> str | None:
        """Existing Secret with the certificate. ``None``: cert-manager issues one."""
        return self.existing.secret_name if self.existing else None

    @property
    def cluster_issuer(self) -> str | None:
        """ClusterIssuer of the certificate. ``None``: an Issuer of the stack, or none."""
        return self.existing.cluster_issuer if self.existing else None

    @property
    def has_own_issuer(self) -> bool:
        """True if an Issuer of the stack issues the certificate."""
        return self.mode not in ("off", "existing")
