"""``slipway:defaults``: merging and errors."""

from typing import Any

import pytest

from settings import Settings, SettingsError
from settings.loader import validate
from tests.unit.stacks import BEACON, DIGEST, SMALLEST, changed

OTHER = changed(BEACON, {"routing": {"hosts": ["other.localhost"]}})
PUBLISHED = {"stable": {"version": "1.0.0", "digest": DIGEST}}


def stack(defaults: Any, **services: Any) -> dict[str, Any]:
    """Return a stack of the service beacon and of others with ``defaults``."""
    return {**SMALLEST, "defaults": defaults, "services": {"beacon": BEACON, **services}}


def load(defaults: Any, **services: Any) -> Settings:
    return validate("Pulumi.test.yaml", stack(defaults, **services))


def errors_of(defaults: Any, **services: Any) -> list[str]:
    with pytest.raises(SettingsError) as error:
        load(defaults, **services)
    return list(error.value.errors)


def test_a_service_has_the_values_of_the_defaults_that_it_omits() -> None:
    settings = load(
        {"autoscaling": {"minReplicas": 2, "maxReplicas": 5}, "routing": {"paths": ["/a", "/b"]}},
        other=changed(OTHER, {"autoscaling": {"maxReplicas": 4}, "routing": {"paths": ["/c"]}}),
    )
    beacon, other = settings.services.values()
    assert (beacon.autoscaling.min_replicas, beacon.autoscaling.max_replicas) == (2, 5)
    assert (other.autoscaling.min_replicas, other.autoscaling.max_replicas) == (2, 4)
    assert beacon.routing
    assert other.routing
    assert (beacon.routing.paths, other.routing.paths) == (("/a", "/b"), ("/c",))


def test_required_keys_can_be_in_the_defaults() -> None:
    settings = load({"release": PUBLISHED}, other={"routing": {"hosts": ["other.localhost"]}})
    assert settings.services["other"].release.stable.digest == DIGEST


def test_null_removes_a_default() -> None:
    other = changed(OTHER, {"autoscaling": {"maxReplicas": None}, "workload": None})
    defaults = {"autoscaling": {"minReplicas": 2, "maxReplicas": 4}, "workload": {"replicas": 9}}
    service = load(defaults, other=other).services["other"]
    assert (service.autoscaling.min_replicas, service.autoscaling.max_replicas) == (2, 10)
    assert service.workload.replicas == 3


def test_a_key_that_may_be_null_is_null() -> None:
    defaults = {"slo": {"latency": {"objective": 95}}}
    other = changed(OTHER, {"slo": {"latency": None}})
    settings = validate(
        "Pulumi.test.yaml",
        {**stack(defaults, other=other), "observability": {"mode": "bundled"}},
    )
    slo, of_defaults = settings.services["other"].slo, settings.services["beacon"].slo
    assert slo
    assert slo.latency is None
    assert of_defaults
    latency = of_defaults.latency
    assert latency
    assert latency.objective == 95


def test_null_is_an_error_where_there_is_no_default() -> None:
    (error,) = errors_of({}, other=changed(OTHER, {"autoscaling": {"maxReplicas": None}}))
    assert error == (
        "slipway:services.other.autoscaling.maxReplicas is null: use an integer from 1 to 1000"
    )


@pytest.mark.parametrize(
    ("defaults", "message"),
    [
        (1, "slipway:defaults is 1: use a mapping with the keys source, image"),
        ({"rooting": {}}, "slipway:defaults.rooting is not a key: did you mean routing?"),
        ({"autoscaling": 1}, "slipway:defaults.autoscaling is 1: use a mapping with the keys"),
        (
            {"autoscaling": {"minReplicas": 0}},
            "slipway:defaults.autoscaling.minReplicas is 0: use an integer from 1 to 1000",
        ),
        (
            {"autoscaling": {"minReplicas": 50}},
            "slipway:defaults.autoscaling.minReplicas is 50: use at most maxReplicas, which is 10",
        ),
        (
            {"podDisruptionBudget": {"maxUnavailable": 3}},
            "slipway:defaults.podDisruptionBudget.maxUnavailable is 3: use less than the minimum",
        ),
        (
            {"workload": {"resources": {"limits": {"cpu": "1", "memory": "3Gi"}}}},
            'slipway:defaults.workload.resources.limits.memory is "3Gi": use at most namespace.',
        ),
    ],
)
def test_an_error_of_the_defaults_is_reported_once(defaults: Any, message: str) -> None:
    errors = errors_of(defaults, other=OTHER)
    assert errors[0].startswith(message), errors
    assert not [error for error in errors if error.startswith("slipway:services")]


def test_an_invalid_default_is_an_error_if_every_service_replaces_it() -> None:
    replaced = {"autoscaling": {"minReplicas": 4}}
    services = {"beacon": changed(BEACON, replaced), "other": changed(OTHER, replaced)}
    (error,) = errors_of({"autoscaling": {"minReplicas": 0}}, **services)
    assert error.startswith("slipway:defaults.autoscaling.minReplicas is 0")


def test_defaults_may_be_valid_only_with_the_keys_of_the_services() -> None:
    more = {"autoscaling": {"maxReplicas": 20}}
    services = {"beacon": changed(BEACON, more)}
    assert load({"autoscaling": {"minReplicas": 15}}, **services)


def test_a_default_that_is_invalid_in_one_service_is_reported_there() -> None:
    less = {"autoscaling": {"maxReplicas": 4}}
    (error,) = errors_of({"autoscaling": {"minReplicas": 5}}, other=changed(OTHER, less))
    assert error == (
        "slipway:services.other.autoscaling.minReplicas is 5: use at most maxReplicas, which is 4"
    )


def test_errors_of_defaults_and_services_are_reported_together() -> None:
    errors = errors_of(
        {"autoscaling": {"minReplicas": 0}}, other=changed(OTHER, {"routing": {"hosts": ["?"]}})
    )
    assert [error.partition(" is ")[0] for error in errors] == [
        "slipway:defaults.autoscaling.minReplicas",
        "slipway:services.other.routing.hosts[0]",
    ]
