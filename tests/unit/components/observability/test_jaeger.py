"""How long traces are kept, and where they come in."""

from components.observability.jaeger import Jaeger
from tests.unit.components.observability.made import config, made


def test_spans_are_kept_on_the_volume_as_long_as_the_settings_say() -> None:
    registry = made(Jaeger, traces={"retentionDays": 2, "volumeSize": "7Gi"})
    configured = config(registry, "jaeger.yaml")
    (backend,) = configured["extensions"]["jaeger_storage"]["backends"].values()
    assert backend["badger"]["ttl"] == {"spans": "48h"}
    assert backend["badger"]["ephemeral"] is False
    assert backend["badger"]["directories"]["keys"].startswith("/data/")
    claim = registry.one("PersistentVolumeClaim")
    assert claim["spec"]["resources"]["requests"]["storage"] == "7Gi"


def test_what_is_written_is_what_is_queried() -> None:
    configured = config(made(Jaeger), "jaeger.yaml")
    (name,) = configured["extensions"]["jaeger_storage"]["backends"]
    assert configured["extensions"]["jaeger_query"]["storage"]["traces"] == name
    assert configured["exporters"]["jaeger_storage_exporter"]["trace_storage"] == name


def test_only_the_collector_brings_spans() -> None:
    rules = made(Jaeger).one("NetworkPolicy")["spec"]["ingress"]
    (otlp,) = (rule for rule in rules if rule["ports"] == [{"port": 4317, "protocol": "TCP"}])
    (peer,) = otlp["from"]
    assert peer["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": "collector"}
