"""``tls`` of a service's routing."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from settings.errors import FieldError
from settings.section import Section

TlsMode = Literal["off", "selfSigned"]


class TlsSettings(Section):
    """TLS certificate for the hosts of a service, and what HTTPS needs besides."""

    mode: TlsMode = "off"
    """`selfSigned`: a certificate by a CA of the stack's own, which clients have to trust."""
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
        if self.renew_before_days >= self.duration_days:
            allowed = f"less than durationDays, which is {self.duration_days}"
            yield FieldError("renewBeforeDays", self.renew_before_days, allowed)

    @property
    def is_enabled(self) -> bool:
        """True if the hosts are served with TLS."""
        return self.mode != "off"
