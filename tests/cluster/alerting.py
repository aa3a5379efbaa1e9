"""Prometheus on the loopback interface, which evaluates alerts on the metrics of one target."""

import json
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from components.observability.rule import RuleGroup
from local.layout import Layout
from tests.cluster.project import CHECKOUT, wait_until

FOR = "5s"
"""Duration that a condition must hold, instead of the minutes of the rules, which the tests with
promtool wait for."""


class Alerting:
    """Prometheus with rules, and `target`, the host and port of its metrics."""

    def __init__(self, folder: Path, target: str, groups: Sequence[RuleGroup]) -> None:
        self._folder = folder
        self._target = target
        self._groups = [
            {**group, "rules": [{**rule, "for": FOR} for rule in group["rules"]]}
            for group in groups
        ]
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self._address = f"127.0.0.1:{listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "local", "build", "prometheus"]
        subprocess.run(command, cwd=CHECKOUT, check=True)
        # JSON is YAML.
        rules, config = self._folder / "rules.yaml", self._folder / "prometheus.yaml"
        rules.write_text(json.dumps({"groups": self._groups}))
        scrape = {"job_name": "target", "static_configs": [{"targets": [self._target]}]}
        config.write_text(
            json.dumps(
                {
                    "global": {"scrape_interval": "2s", "evaluation_interval": "2s"},
                    "rule_files": [str(rules)],
                    "scrape_configs": [scrape],
                }
            )
        )
        self._log = (self._folder / "prometheus.log").open("w")
        self._process = subprocess.Popen(
            [
                *("setpriv", "--pdeathsig", "KILL", "--", Layout().bin / "prometheus"),
                *(f"--config.file={config}", f"--web.listen-address={self._address}"),
                f"--storage.tsdb.path={self._folder / 'data'}",
            ],
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        wait_until("Prometheus", lambda: self._alerts() is not None, 30, 0.5)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.wait()
        self._log.close()

    def firing(self) -> set[str]:
        """Return `<alert> <namespace>/<name>` of each firing alert."""
        return {
            "{alertname} {namespace}/{name}".format_map(alert["labels"])
            for alert in self._alerts() or ()
            if alert["state"] == "firing"
        }

    def _alerts(self) -> Sequence[dict[str, Any]] | None:
        try:
            response = httpx.get(f"http://{self._address}/api/v1/alerts", timeout=5)
        except httpx.HTTPError:
            return None
        return response.json()["data"]["alerts"] if response.is_success else None
