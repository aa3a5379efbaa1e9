"""``make dashboards``: port-forward to Grafana or another server with a web UI."""

import base64
from argparse import ArgumentParser, Namespace
from http import HTTPStatus

from rich.console import Console

from commands import kubectl
from commands.errors import FAILED, CommandError
from commands.make_variables import parse_flag, parse_integer
from commands.observability_client import ObservabilityClient
from components.observability.addresses import ALERTMANAGER, GRAFANA, JAEGER, PROMETHEUS, Address

PAGES: dict[str, tuple[Address, str]] = {
    "grafana": (GRAFANA, "/login"),
    "prometheus": (PROMETHEUS, "/query"),
    "alertmanager": (ALERTMANAGER, "/"),
    "jaeger": (JAEGER, "/search"),
}
"""Each server with a web UI, and the path of a page."""


def add_arguments(parser: ArgumentParser) -> None:
    """Options of `make dashboards`."""
    parser.add_argument("--server", default="")
    parser.add_argument("--port", default="")
    parser.add_argument("--show-password", default="")


def show(client: ObservabilityClient, arguments: Namespace, console: Console) -> None:
    """Forward a port of 127.0.0.1 to the server until Ctrl-C, and print the URL."""
    name = arguments.server or "grafana"
    if name not in PAGES:
        raise CommandError(f"SERVER={name}: use {', '.join(PAGES)}")
    server, page = PAGES[name]
    port = server.port
    if arguments.port:
        port = parse_integer("PORT", arguments.port, 1, 65535)
    if name == "grafana":
        _check_enabled(client, arguments.stack)
    client.forward(server, port)
    if client.http_status(server, page) == HTTPStatus.NOT_FOUND:
        raise CommandError(
            f"this {name} has no web UI: it was built on a bare machine, where the sources of "
            "the UI are missing. Use `make metrics`, `make logs`, `make alerts` and `make traces`"
        )
    forward = client.forward(server)
    console.print(f"http://127.0.0.1:{forward.port}{page}", soft_wrap=True)
    if server is GRAFANA:
        _print_login(client, arguments.show_password, console)
    console.print("Ctrl-C ends it", style="dim")
    try:
        forward.wait()
    except KeyboardInterrupt:
        return
    raise CommandError(f"the port-forward to {name} has ended: {forward.last_line}", FAILED)


def _check_enabled(client: ObservabilityClient, stack: str) -> None:
    if client.settings.observability.grafana.enabled:
        return
    raise CommandError(
        f"Grafana is off: set slipway:observability.grafana.enabled in Pulumi.{stack}.yaml to "
        "true, if the cluster can pull its image; it cannot be built on a bare machine.\n"
        "In the terminal: `make metrics`, `make logs`, `make alerts`, `make traces`. "
        "Web UI of Prometheus: `make dashboards SERVER=prometheus`"
    )


def _print_login(client: ObservabilityClient, show_password: str, console: Console) -> None:
    if not parse_flag("SHOW_PASSWORD", show_password):
        console.print(
            f"user admin; SHOW_PASSWORD=1 prints the password, which is in the Secret "
            f"{GRAFANA.server}"
        )
        return
    console.print(
        f"user admin, password {grafana_password(client)}", highlight=False, soft_wrap=True
    )


def grafana_password(client: ObservabilityClient) -> str:
    """Password of Grafana's user ``admin``. Raises :class:`CommandError`."""
    secret = kubectl.get(
        *("secret", GRAFANA.server, "--namespace", client.namespace),
        environment=client.environment,
        context=client.settings.cluster.context,
    )
    return base64.b64decode(secret["data"]["password"]).decode()
