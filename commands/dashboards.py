"""A way to a server's own pages: Grafana's dashboards, or what else has any."""

import base64
import json
import subprocess
from argparse import ArgumentParser, Namespace
from http import HTTPStatus

from rich.console import Console

from commands.errors import FAILED, CommandError
from commands.monitoring import Monitoring
from commands.switch import is_on
from components.observability.addresses import ALERTMANAGER, GRAFANA, JAEGER, PROMETHEUS, Address

PAGES: dict[str, tuple[Address, str]] = {
    "grafana": (GRAFANA, "/login"),
    "prometheus": (PROMETHEUS, "/query"),
    "alertmanager": (ALERTMANAGER, "/"),
    "jaeger": (JAEGER, "/search"),
}
"""Each server that has pages, and one of them."""


def add_arguments(parser: ArgumentParser) -> None:
    """What `make dashboards` passes on."""
    parser.add_argument("--server", default="")
    parser.add_argument("--port", default="")
    parser.add_argument("--show-password", default="")


def show(monitoring: Monitoring, arguments: Namespace, console: Console) -> None:
    """Forward a port of 127.0.0.1 to the server until Ctrl-C, and say what to open."""
    name = arguments.server or "grafana"
    if name not in PAGES:
        raise CommandError(f"SERVER={name}: use {', '.join(PAGES)}")
    server, page = PAGES[name]
    port = _port(arguments.port, server)
    if name == "grafana":
        _check_enabled(monitoring, arguments.stack)
    monitoring.forward(server, port)
    if monitoring.status(server, page) == HTTPStatus.NOT_FOUND:
        raise CommandError(
            f"this {name} has no pages: it was built on a bare machine, which lacks their sources. "
            "`make metrics`, `make logs`, `make alerts` and `make traces` show what it knows"
        )
    forward = monitoring.forward(server)
    console.print(f"http://127.0.0.1:{forward.port}{page}", soft_wrap=True)
    if server is GRAFANA:
        _say_password(monitoring, arguments.show_password, console)
    console.print("until Ctrl-C", style="dim")
    try:
        forward.wait()
    except KeyboardInterrupt:
        return
    raise CommandError(f"the port to {name} is closed: {forward.said}", FAILED)


def _check_enabled(monitoring: Monitoring, stack: str) -> None:
    if monitoring.settings.observability.grafana.enabled:
        return
    raise CommandError(
        f"Grafana is off: slipway:observability.grafana.enabled in Pulumi.{stack}.yaml switches "
        "it on, where its image can be pulled; a bare machine cannot have it.\n"
        "In the terminal: `make metrics`, `make logs`, `make alerts`, `make traces`. "
        "Prometheus' own pages: `make dashboards SERVER=prometheus`"
    )


def _port(text: str, server: Address) -> int:
    if not text:
        return server.port
    if not text.isdigit() or not 1 <= int(text) <= 65535:  # noqa: PLR2004
        raise CommandError(f"PORT={text}: use a free port of this machine, from 1 to 65535")
    return int(text)


def _say_password(monitoring: Monitoring, shown: str, console: Console) -> None:
    read = monitoring.kubectl("get", "secret", GRAFANA.server, "--output", "json")
    if not is_on("SHOW_PASSWORD", shown):
        hint = "SHOW_PASSWORD=1 prints the password"
        console.print(f"user admin; {hint}, which is in the Secret {GRAFANA.server}")
        return
    result = subprocess.run(
        read, env=monitoring.environment, capture_output=True, text=True, check=False
    )
    if result.returncode != 0:
        raise CommandError(f"cannot read the password: {result.stderr.strip()}")
    password = base64.b64decode(json.loads(result.stdout)["data"]["password"]).decode()
    console.print(f"user admin, password {password}", highlight=False, soft_wrap=True)
