"""Scrape configuration for the Prometheus of the stack: the jobs and labels of a cluster."""

import json
from collections.abc import Iterable, Mapping

from commands.host.deployed_track import DeployedTrack
from settings.yaml_writer import to_yaml

SCRAPE_FILE = "scrape.yaml"
"""File for ``scrape_config_files`` of Prometheus."""


def prometheus_files(tracks: Iterable[DeployedTrack]) -> Mapping[str, str]:
    """Return the scrape configuration, and a file of targets per service, by file name."""
    targets: dict[str, list[dict[str, object]]] = {}
    jobs: dict[str, dict[str, object]] = {}
    for track in tracks:
        service = track.service
        if service.metrics is None:
            continue
        file = f"{service.name}.json"
        jobs[service.name] = {
            "job_name": f"services/{service.name}",
            "metrics_path": service.metrics.path,
            "file_sd_configs": [{"files": [file]}],
        }
        targets.setdefault(file, []).extend(
            {
                "targets": [instance.endpoint(service.metrics.port)],
                "labels": {
                    "namespace": track.namespace,
                    "node": host,
                    "pod": instance.pod_name,
                    "service": service.name,
                    "track": track.role,
                    "version": track.released.version,
                },
            }
            for host in sorted(track.host.hosts)
            for instance in track.instances(host)
        )
    if not jobs:
        return {}
    return {
        SCRAPE_FILE: to_yaml({"scrape_configs": [*jobs.values()]}, sort_keys=False),
        **{file: json.dumps(one, indent=2) + "\n" for file, one in targets.items()},
    }
