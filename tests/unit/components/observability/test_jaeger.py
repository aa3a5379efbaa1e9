from components.observability.jaeger import Jaeger
from tests.unit.components.observability.servers import config_file, deploy


def test_retention_and_volume_size_follow_the_settings() -> None:
    registry = deploy(Jaeger, traces={"retentionDays": 2, "volumeSize": "7Gi"})
    configured = config_file(registry, "jaeger.yaml")
    (backend,) = configured["extensions"]["jaeger_storage"]["backends"].values()
    assert backend["badger"]["ttl"] == {"spans": "48h"}
    assert backend["badger"]["ephemeral"] is False
    assert backend["badger"]["directories"]["keys"].startswith("/data/")
    claim = registry.one("PersistentVolumeClaim")
    assert claim["spec"]["resources"]["requests"]["storage"] == "7Gi"


def test_spans_are_queried_from_the_backend_they_are_written_to() -> None:
    configured = config_file(deploy(Jaeger), "jaeger.yaml")
    (name,) = configured["extensions"]["jaeger_storage"]["backends"]
    assert configured["extensions"]["jaeger_query"]["storage"]["traces"] == name
    assert configured["exporters"]["jaeger_storage_exporter"]["trace_storage"] == name


def test_only_the_collector_may_send_spans() -> None:
    rules = deploy(Jaeger).one("NetworkPolicy")["spec"]["ingress"]
    (otlp,) = (rule for rule in rules if rule["ports"] == [{"port": 4317, "protocol": "TCP"}])
    (peer,) = otlp["from"]
    assert peer["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": "collector"}
