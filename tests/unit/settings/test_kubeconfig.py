"""The API server of a stack in the kubeconfig."""

import os
from pathlib import Path

import pytest
import yaml

from settings import Cluster, SettingsError
from settings.kubeconfig import check_server

EAST, NORTH = "https://east.example.com", "https://north.example.com:6443"


def kubeconfig(folder: Path, current: str, **servers: str) -> Path:
    """A kubeconfig with a context for each of the clusters."""
    file = folder / f"{current}.yaml"
    content = {
        "current-context": current,
        "contexts": [{"name": one, "context": {"cluster": one, "user": "me"}} for one in servers],
        "clusters": [{"name": one, "cluster": {"server": url}} for one, url in servers.items()],
    }
    file.write_text(yaml.safe_dump(content))
    return file


@pytest.mark.parametrize(
    ("context", "server", "found"),
    [
        ("east", EAST, None),
        (None, EAST, None),
        ("north", NORTH, None),
        ("north", None, None),
        ("north", EAST, f"use {NORTH}, which context north has in the kubeconfig"),
        (None, NORTH, f"use {EAST}, which context east has in the kubeconfig"),
        ("west", EAST, "use the server of a context in the kubeconfig"),
    ],
)
def test_a_context_with_another_server_than_that_of_the_stack_is_an_error(
    tmp_path: Path, context: str | None, server: str | None, found: str | None
) -> None:
    files = (
        kubeconfig(tmp_path, "east", east=EAST),
        tmp_path / "missing.yaml",
        # kubectl uses the first entry of a name.
        kubeconfig(tmp_path, "north", north=NORTH, east="https://other.example.com"),
    )
    variables = {"KUBECONFIG": os.pathsep.join(map(str, files))}
    cluster = Cluster(context=context, server=server)
    if found is None:
        check_server(cluster, "Pulumi.prod.yaml", variables)
        return
    with pytest.raises(SettingsError) as error:
        check_server(cluster, "Pulumi.prod.yaml", variables)
    (message,) = error.value.errors
    assert message == f'slipway:cluster.server is "{server}": {found}, or another kubeconfig'
