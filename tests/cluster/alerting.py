"""Prometheus on the loopback interface, which evaluates alerts on the metrics of one target."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import httpx

from components.observability.rule import RuleGroup
from tests.cluster.project import wait_until
from tests.cluster.server import Server, build, free_port, start

FOR = "5s"
"""Duration that a condition must hold, instead of the minutes of the rules, which the tests with
promtool wait for."""


class Alerting(Server):
    """Prometheus with rules, and `target`, the host and port of its metrics."""

    def __init__(self, folder: Path, target: str, groups: Sequence[RuleGroup]) -> None:
        self._folder = folder
        self._target = target
        self._groups = [
            {**group, "rules": [{**rule, "for": FOR} for rule in group["rules"]]}
            for group in groups
        ]
        self._address = f"127.0.0.1:{free_port('127.0.0.1')}"

    def __enter__(self) -> Self:
        build("prometheus")
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
        self._process = start(
            "prometheus",
            f"--config.file={config}",
            f"--web.listen-address={self._address}",
            f"--storage.tsdb.path={self._folder / 'data'}",
            log=self._folder / "prometheus.log",
        )
        wait_until("Prometheus", lambda: self._alerts() is not None, 30, 0.5)
        return self

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
