"""One end of allowed traffic, as a URL tells it."""

from ipaddress import ip_network

import pytest

from components.network_peer import NetworkPeer, peers_for_url


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.store.svc",
        "https://shop.store.svc:8443/path",
        "http://shop.store.svc.cluster.local./",
    ],
)
def test_a_service_is_asked_by_every_port_for_its_pods_may_have_another(url: str) -> None:
    assert peers_for_url(url, "home") == (NetworkPeer("store"),)


def test_a_name_alone_is_a_service_beside_the_pods() -> None:
    assert peers_for_url("http://shop:8080", "home") == (NetworkPeer("home"),)


@pytest.mark.parametrize(
    ("url", "port"),
    [
        ("http://www.example.com", 80),
        ("https://www.example.com?q=1", 443),
        ("https://www.example.com:8443/a.b.svc", 8443),
    ],
)
def test_any_other_name_may_be_anywhere_and_is_asked_by_its_port(url: str, port: int) -> None:
    assert peers_for_url(url, "home") == (NetworkPeer(None, (port,)),)


def test_a_name_of_two_labels_may_be_a_service_or_a_domain() -> None:
    assert peers_for_url("https://example.com", "home") == (
        NetworkPeer("com"),
        NetworkPeer(None, (443,)),
    )


@pytest.mark.parametrize(
    ("url", "block"),
    [
        ("http://192.0.2.7:8080/path", "192.0.2.7/32"),
        ("http://[2001:db8::7]:8080", "2001:db8::7/128"),
    ],
)
def test_an_address_is_asked_there_and_nowhere_else(url: str, block: str) -> None:
    (peer,) = peers_for_url(url, "home")
    assert peer == NetworkPeer(None, (8080,), network=ip_network(block))
    assert peer.egress == {
        "to": [{"ip_block": {"cidr": block}}],
        "ports": [{"port": 8080, "protocol": "TCP"}],
    }
