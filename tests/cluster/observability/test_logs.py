"""Log lines are delivered unchanged and without loss, despite restarts."""

import json
import re
import time
from collections import Counter
from typing import Any

import pytest

from tests.cluster.observability.servers import Servers
from tests.cluster.project import Project, wait_until

pytestmark = pytest.mark.timeout(600)

LINES = 10_000
IMAGE = "localhost:5000/library/golang:1.26"
"""Base image of the build, which has a shell."""

# Writes 10,000 lines in about 40 s.
WRITER = f"""
number=1
while [ $number -le {LINES} ]; do
  echo "numbered $number of {LINES}"
  [ $((number % 250)) -eq 0 ] && sleep 1
  number=$((number + 1))
done
sleep 3600
"""

# Loki's maximum number of lines in a response. Here it exceeds 4 MiB: each line has its own labels.
MAX_LINES = 5000
TRACED = f"""
number=1
while [ $number -le {MAX_LINES} ]; do
  printf '{{"level":"info","message":"{"x" * 300}","trace_id":"%032x"}}\\n' $number
  [ $((number % 500)) -eq 0 ] && sleep 1
  number=$((number + 1))
done
sleep 3600
"""

# More than 10 MiB, the size at which the kubelet rotates a log, and lines after the rotation.
ROTATED = 12_000
TO_ROTATE = f"""
number=1
while [ $number -le {ROTATED} ]; do
  echo "numbered $number of {ROTATED} {"x" * 1000}"
  number=$((number + 1))
done
while true; do echo "still here"; sleep 2; done
"""

TRACE = "0123456789abcdef0123456789abcdef"
UNUSUAL = rf"""
echo '{{"level":"error","message":"valid JSON","trace_id":"{TRACE}"}}'
echo '{{"level":"error", this is not JSON'
printf 'panic: something broke\n\ngoroutine 1 [running]:\nmain.main()\n\t/src/main.go:12 +0x1d\n'
echo 'plain text with "quotes" and \ backslashes'
sleep 3600
"""


def pod(name: str, script: str) -> dict[str, Any]:
    """Return the manifest of a pod that runs a shell script."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app.kubernetes.io/name": name}},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": False,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "writer",
                    "image": IMAGE,
                    "command": ["/bin/sh", "-c", script],
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "capabilities": {"drop": ["ALL"]},
                    },
                    "resources": {
                        "requests": {"cpu": "20m", "memory": "16Mi"},
                        "limits": {"cpu": "500m", "memory": "64Mi"},
                    },
                }
            ],
        },
    }


def start(project: Project, name: str, script: str) -> None:
    manifest = project.folder / f"{name}.json"
    manifest.write_text(json.dumps(pod(name, script)))
    project.kubectl("apply", "--filename", str(manifest))
    result = project.run(
        *("kubectl", "--namespace", project.stack, "wait", "--for=condition=Ready", f"pod/{name}"),
        # The first pod on a node pulls the image.
        "--timeout=170s",
    )
    assert result.returncode == 0, result.stderr


def restart(project: Project, namespace: str, workload: str) -> None:
    """Delete a workload's pods and wait for their replacements."""
    where = ("--namespace", namespace)
    name = workload.partition("/")[2]
    result = project.run(
        *("kubectl", "delete", "pod", *where, "--wait", "--timeout=60s"),
        *("--selector", f"app.kubernetes.io/name={name}"),
    )
    assert result.returncode == 0, result.stderr
    assert "deleted" in result.stdout, f"{workload} has no pod"
    result = project.run("kubectl", "rollout", "status", *where, workload, "--timeout=90s")
    assert result.returncode == 0, result.stderr


def line_counts(servers: Servers, stream: str) -> Counter[int]:
    """Return how often Loki has each of the numbered lines."""
    seen: Counter[int] = Counter()
    for digit in range(10):
        # A tenth per query, because of the maximum number of lines.
        for line in servers.texts(f'{stream} |~ "numbered [0-9]*{digit} of"', limit=5000):
            found = re.search(r"numbered (\d+) of", line)
            assert found, line
            seen[int(found[1])] += 1
    return seen


def test_no_line_is_lost_by_restarts_of_the_agent_and_loki_and_a_deleted_pod(
    monitored: Project, servers: Servers
) -> None:
    stream = f'{{k8s_namespace_name="{monitored.stack}"}} | k8s_pod_name="numbered"'
    numbered = f'{stream} |= "numbered "'
    start(monitored, "numbered", WRITER)
    time.sleep(8)
    restart(monitored, f"{monitored.stack}-node", "daemonset/collector-agent")
    time.sleep(8)
    restart(monitored, servers.namespace, "statefulset/loki")
    wait_until(
        "the writer's last line",
        lambda: f"numbered {LINES} of" in monitored.kubectl("logs", "numbered", "--tail=1"),
        120,
    )
    monitored.kubectl("delete", "pod", "numbered", "--wait")
    wait_until(f"{LINES} lines in Loki", lambda: servers.count(numbered) >= LINES, 180, interval=3)
    seen = line_counts(servers, stream)
    if len(seen) < LINES:
        # Duplicates were counted, so other lines may not have arrived yet.
        time.sleep(20)
        seen = line_counts(servers, stream)
    missing = sorted(set(range(1, LINES + 1)) - set(seen))
    assert not missing, f"{len(missing)} lines lost: {missing[:10]}"
    duplicates = sum(1 for times in seen.values() if times > 1)
    print(f"{LINES} lines, none lost, {duplicates} duplicates")
    # Delivery is at least once: a batch is sent again if the agent or Loki restarts meanwhile.
    assert duplicates <= LINES // 10


def set_node_selector(
    project: Project, namespace: str, workload: str, labels: dict[str, str | None]
) -> None:
    """Patch the node selector of a DaemonSet. A label with value None is removed."""
    patch = {"spec": {"template": {"spec": {"nodeSelector": labels}}}}
    where = ("--namespace", namespace)
    project.kubectl("patch", *where, workload, "--patch", json.dumps(patch))
    result = project.run("kubectl", "rollout", "status", *where, workload, "--timeout=90s")
    assert result.returncode == 0, result.stderr


def test_lines_rotated_while_the_agent_is_stopped_are_delivered(
    monitored: Project, servers: Servers
) -> None:
    agent = (f"{monitored.stack}-node", "daemonset/collector-agent")
    set_node_selector(monitored, *agent, {"test": "no-node"})
    label = f"app.kubernetes.io/name={agent[1].partition('/')[2]}"
    gone = ("wait", "--for=delete", "pod", "--selector", label, "--timeout=50s")
    monitored.kubectl(*gone, "--namespace", agent[0])
    start(monitored, "rotated", TO_ROTATE)
    about = json.loads(monitored.kubectl("get", "pod", "rotated", "--output", "json"))
    logs = (
        f"/api/v1/nodes/{about['spec']['nodeName']}/proxy/logs/pods/"
        f"{monitored.stack}_rotated_{about['metadata']['uid']}/writer/"
    )
    wait_until(
        "the rotation of the log",
        lambda: "0.log.2" in monitored.kubectl("get", "--raw", logs),
        90,
    )
    set_node_selector(monitored, *agent, {"test": None})
    stream = f'{{k8s_namespace_name="{monitored.stack}"}} | k8s_pod_name="rotated"'
    numbered = f'{stream} |= "numbered "'
    wait_until(f"{ROTATED} lines", lambda: servers.count(numbered) >= ROTATED, 180, interval=3)
    assert sorted(line_counts(servers, stream)) == [*range(1, ROTATED + 1)]
    wait_until(
        "the lines after the rotation", lambda: servers.count(f'{stream} |= "still here"') > 0, 60
    )
    monitored.kubectl("delete", "pod", "rotated", "--wait=false")


def test_a_response_can_have_the_maximum_number_of_lines_with_distinct_traces(
    monitored: Project, servers: Servers
) -> None:
    start(monitored, "traced", TRACED)
    stream = f'{{k8s_namespace_name="{monitored.stack}", k8s_pod_name="traced"}} | trace_id!=""'
    wait_until(f"{MAX_LINES} lines", lambda: servers.count(stream) >= MAX_LINES, 120, interval=2)
    assert len(set(servers.texts(stream, limit=MAX_LINES))) == MAX_LINES
    monitored.kubectl("delete", "pod", "traced", "--wait=false")


def test_malformed_and_multi_line_entries_are_stored_unchanged(
    monitored: Project, servers: Servers
) -> None:
    start(monitored, "unusual", UNUSUAL)
    stream = f'{{k8s_namespace_name="{monitored.stack}"}} | k8s_pod_name="unusual"'
    wait_until("the lines", lambda: len(servers.texts(stream)) >= 4, 60, interval=2)
    lines = servers.texts(stream)
    assert '{"level":"error", this is not JSON' in lines
    assert 'plain text with "quotes" and \\ backslashes' in lines
    (panic,) = [line for line in lines if line.startswith("panic: something broke")]
    assert "/src/main.go:12" in panic
    (found,) = servers.texts(f'{stream} | trace_id="{TRACE}"')
    assert "valid JSON" in found
    monitored.kubectl("delete", "pod", "unusual", "--wait=false")
