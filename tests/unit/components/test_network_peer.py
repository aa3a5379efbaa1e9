"""NetworkPolicy peers of a URL."""

from ipaddress import ip_network

import pytest

from components.network_peer import NetworkPeer, peers_for_url


@pytest.mark.parametrize(
    ("url", "peers"),
    [
        ("http://shop:8080", (NetworkPeer("home"),)),
        ("http://shop.store.svc", (NetworkPeer("store"),)),
        ("https://shop.store.svc:8443/path", (NetworkPeer("store"),)),
        ("http://shop.store.svc.cluster.local./", (NetworkPeer("store"),)),
        ("http://www.example.com", (NetworkPeer(None, (80,)),)),
        ("https://www.example.com?q=1", (NetworkPeer(None, (443,)),)),
        ("https://www.example.com:8443/a.b.svc", (NetworkPeer(None, (8443,)),)),
        ("https://example.com", (NetworkPeer("com"), NetworkPeer(None, (443,)))),
    ],
)
def test_a_service_is_a_peer_on_all_ports_and_another_host_on_the_port_of_the_url(
    url: str, peers: tuple[NetworkPeer, ...]
) -> None:
    assert peers_for_url(url, "home") == peers


@pytest.mark.parametrize(
    ("url", "block"),
    [
        ("http://192.0.2.7:8080/path", "192.0.2.7/32"),
        ("http://[2001:db8::7]:8080", "2001:db8::7/128"),
    ],
)
def test_an_ip_address_is_an_ip_block(url: str, block: str) -> None:
    (peer,) = peers_for_url(url, "home")
    assert peer == NetworkPeer(None, (8080,), networks=(ip_network(block),))
    assert peer.egress == {
        "to": [{"ip_block": {"cidr": block}}],
        "ports": [{"port": 8080, "protocol": "TCP"}],
    }
