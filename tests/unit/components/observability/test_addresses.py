"""Where the servers answer."""

from components.observability import addresses
from components.observability.addresses import COLLECTOR, PROMETHEUS, Address


def test_a_url_is_found_from_every_namespace() -> None:
    assert PROMETHEUS.url("watch") == "http://prometheus.watch.svc:9090"
    assert COLLECTOR.url("monitoring") == "http://collector.monitoring.svc:4318"


def test_no_server_answers_two_things_on_one_port() -> None:
    every = [one for one in vars(addresses).values() if isinstance(one, Address)]
    assert len(set(every)) == len(every) > 10
