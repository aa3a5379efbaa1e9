"""`make ca-certificate`, with a fake `kubectl`."""

import base64
import json
import os

import pytest

from commands.ca_certificate import ca_certificate
from commands.errors import BAD_INPUT, FAILED, CommandError
from tests.unit.commands.fake_kubectl import Cluster
from tests.unit.stacks import settings

SELF_SIGNED = {"tls": {"mode": "selfSigned", "redirect": False}}


def read(cluster: Cluster, **routing: object) -> str:
    path = f"{cluster.folder}{os.pathsep}{os.environ['PATH']}"
    return ca_certificate(settings(routing=routing), {"PATH": path})


def test_the_certificate_is_that_of_the_stacks_ca_without_its_key(cluster: Cluster) -> None:
    data = {"tls.crt": "certificate", "tls.key": "key"}
    encoded = {key: base64.b64encode(text.encode()).decode() for key, text in data.items()}
    cluster.kubectl_prints("get secret slipway-ca", json.dumps({"data": encoded}))
    assert read(cluster, **SELF_SIGNED) == "certificate"
    (call,) = cluster.calls()
    assert call[call.index("--namespace") + 1] == "beacon-test"


def test_a_stack_without_a_ca_is_an_error(cluster: Cluster) -> None:
    with pytest.raises(CommandError, match=r"routing\.tls\.mode") as error:
        read(cluster)
    assert error.value.exit_code == BAD_INPUT
    with pytest.raises(CommandError, match="make up") as error:
        read(cluster, **SELF_SIGNED)
    assert error.value.exit_code == FAILED
