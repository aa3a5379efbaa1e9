"""``routing.istio`` of a service."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from settings.errors import FieldError
from settings.section import Section
from settings.string_formats import DnsLabel

RetryCondition = Literal[
    "connect-failure",
    "refused-stream",
    "reset-before-request",
    "reset",
    "gateway-error",
    "5xx",
    "retriable-4xx",
    "cancelled",
    "deadline-exceeded",
    "internal",
    "resource-exhausted",
    "unavailable",
]


class IstioGateway(Section):
    """Existing Gateway of Istio that serves the hosts."""

    name: DnsLabel = "public"
    """Gateway name."""
    namespace: DnsLabel = "istio-ingress"
    """Gateway namespace. The Gateway must allow hosts of the service's namespace."""


class IstioRetries(Section):
    """Retries of a request that the proxy could not deliver to a pod."""

    attempts: Annotated[int, Field(ge=0, le=10)] = 2
    """Maximum number of retries of a request. 0: none."""
    per_try_timeout_seconds: Annotated[int, Field(ge=1, le=86_400)] | None = None
    """Timeout of each attempt, in seconds. Default: `routing.requestTimeoutSeconds`."""
    retry_on: Annotated[
        tuple[RetryCondition, ...], Field(strict=False, min_length=1, max_length=12)
    ] = ("connect-failure", "refused-stream", "reset-before-request")
    """Conditions of a retry, as Envoy names them. With the default, no request reaches the service
    twice. The others repeat requests that the service may have processed."""


class OutlierDetection(Section):
    """Ejection of a pod that fails from the load balancing."""

    consecutive_gateway_errors: Annotated[int, Field(ge=1, le=1000)] = 5
    """Failed connections, timeouts, and responses 502, 503 and 504, one after the other, that eject
    a pod. Other errors of the service eject none."""
    interval_seconds: Annotated[int, Field(ge=1, le=3600)] = 10
    """Seconds between two evaluations."""
    base_ejection_seconds: Annotated[int, Field(ge=1, le=3600)] = 30
    """Shortest time that a pod is ejected for, in seconds. It is multiplied by the number of
    ejections of the pod."""
    max_ejection_percent: Annotated[int, Field(ge=1, le=100)] = 50
    """Largest percentage of a track's pods that are ejected at once."""
    min_health_percent: Annotated[int, Field(ge=0, le=100)] = 50
    """Percentage of pods that are not ejected, below which all of a track's pods get requests."""


class IstioRouting(Section):
    """VirtualService and DestinationRules of Istio."""

    gateway: IstioGateway = IstioGateway.model_construct()
    retries: IstioRetries = IstioRetries.model_construct()
    outlier_detection: OutlierDetection | None = OutlierDetection.model_construct()
    """`null`: none."""

    def cross_field_errors(self) -> Iterator[FieldError]:
        conditions = self.retries.retry_on
        if len(set(conditions)) < len(conditions):
            yield FieldError("retries.retryOn", conditions, "each condition once")
