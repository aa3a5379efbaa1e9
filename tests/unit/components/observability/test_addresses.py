from components.observability import addresses
from components.observability.addresses import COLLECTOR, PROMETHEUS, Address


def test_urls_are_cluster_dns_names() -> None:
    assert PROMETHEUS.url("watch") == "http://prometheus.watch.svc:9090"
    assert COLLECTOR.url("monitoring") == "http://collector.monitoring.svc:4318"


def test_every_address_has_a_port_of_its_own() -> None:
    every = [one for one in vars(addresses).values() if isinstance(one, Address)]
    assert len(set(every)) == len(every) > 10
