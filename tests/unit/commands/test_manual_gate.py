"""Manual gates in Flagger's load tester."""

import pytest

from commands import manual_gate
from commands.errors import CommandError
from components.observability.addresses import Address
from tests.unit.commands.canary_states import ANALYSIS, state
from tests.unit.commands.fake_kubectl import Cluster

HOOK = {"type": "confirm-promotion", "url": "http://flagger-loadtester.shop.svc:8080/gate/check"}
WAITING = state("WaitingPromotion", 50, analysis={**ANALYSIS, "webhooks": [HOOK]})
LOAD_TESTER = Address("flagger-loadtester", 8080)


def test_a_gate_is_open_while_flagger_passes_it_and_closed_for_the_next_release(
    cluster: Cluster,
) -> None:
    for path in ("/gate/open", "/gate/close"):
        cluster.respond(LOAD_TESTER, path, "")
    environment = cluster.client().environment
    with manual_gate.opened(WAITING, ["kubectl"], environment):
        assert len(cluster.posts()) == 1
    body = {"name": "beacon-progressive", "namespace": "beacon-test"}
    assert [posted for _, posted in cluster.posts()] == [body, body]
    assert not cluster.forwards()[0].is_open()


@pytest.mark.parametrize(
    ("waiting", "message"),
    [
        (state("Waiting"), "beacon-progressive has no manual gate"),
        (WAITING, "responds with status 404 to /gate/open"),
    ],
)
def test_a_gate_that_cannot_be_opened_is_an_error(cluster: Cluster, waiting, message) -> None:
    environment = cluster.client().environment
    with (
        pytest.raises(CommandError, match=message),
        manual_gate.opened(waiting, ["kubectl"], environment),
    ):
        pass
