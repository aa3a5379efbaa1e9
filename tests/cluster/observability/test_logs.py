"""Log lines arrive whole and once, whatever is restarted on their way."""

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
"""The builder's base image: it has a shell."""

# 10,000 lines in about forty seconds, each written at once.
WRITER = f"""
number=1
while [ $number -le {LINES} ]; do
  echo "numbered $number of {LINES}"
  [ $((number % 250)) -eq 0 ] && sleep 1
  number=$((number + 1))
done
sleep 3600
"""

# In one answer, more than 4 MiB: each line has labels of its own, for no two are of one trace.
ANSWER = 5000
TRACED = f"""
number=1
while [ $number -le {ANSWER} ]; do
  printf '{{"level":"info","message":"{"x" * 300}","trace_id":"%032x"}}\\n' $number
  [ $((number % 500)) -eq 0 ] && sleep 1
  number=$((number + 1))
done
sleep 3600
"""

# More than the kubelet lets a log grow to, 10 MiB, and something after it has looked.
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
STRANGE = rf"""
echo '{{"level":"error","message":"well formed","trace_id":"{TRACE}"}}'
echo '{{"level":"error", this is not JSON'
printf 'panic: something broke\n\ngoroutine 1 [running]:\nmain.main()\n\t/src/main.go:12 +0x1d\n'
echo 'plain text with "quotes" and \ backslashes'
sleep 3600
"""


def pod(name: str, script: str) -> dict[str, Any]:
    """A pod of the stack's namespace that runs a shell script."""
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
        # A new node unpacks Go's image first.
        "--timeout=170s",
    )
    assert result.returncode == 0, result.stderr


def restart(project: Project, namespace: str, workload: str) -> None:
    """Delete a workload's pods, and wait for those that take their place."""
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


def numbers(servers: Servers, stream: str) -> Counter[int]:
    """How often Loki has each of the numbered lines."""
    seen: Counter[int] = Counter()
    for digit in range(10):
        # A tenth at a time: Loki gives at most five thousand lines.
        for line in servers.texts(f'{stream} |~ "numbered [0-9]*{digit} of"', limit=5000):
            found = re.search(r"numbered (\d+) of", line)
            assert found, line
            seen[int(found[1])] += 1
    return seen


def test_no_line_is_lost_over_restarts_of_agent_loki_and_the_pods_own_end(
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
    seen = numbers(servers, stream)
    if len(seen) < LINES:
        # Some came twice, so others may still be on their way.
        time.sleep(20)
        seen = numbers(servers, stream)
    missing = sorted(set(range(1, LINES + 1)) - set(seen))
    assert not missing, f"{len(missing)} lines are lost: {missing[:10]}"
    twice = sum(1 for times in seen.values() if times > 1)
    print(f"{LINES} lines, none lost, {twice} of them twice")
    # At least once: what was under way when the agent or Loki went may come again.
    assert twice <= LINES // 10


def placed(project: Project, namespace: str, workload: str, labels: dict[str, str] | None) -> None:
    """Let a DaemonSet run on the nodes with these labels too; ``None``: as before."""
    selector = {"test": None} if labels is None else labels
    patch = {"spec": {"template": {"spec": {"nodeSelector": selector}}}}
    where = ("--namespace", namespace)
    project.kubectl("patch", *where, workload, "--patch", json.dumps(patch))
    result = project.run("kubectl", "rollout", "status", *where, workload, "--timeout=90s")
    assert result.returncode == 0, result.stderr


def test_no_line_is_lost_that_was_rotated_while_the_agent_was_away(
    monitored: Project, servers: Servers
) -> None:
    agent = (f"{monitored.stack}-node", "daemonset/collector-agent")
    placed(monitored, *agent, {"test": "nowhere"})
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
        "the kubelet to rotate the log",
        lambda: "0.log.2" in monitored.kubectl("get", "--raw", logs),
        90,
    )
    placed(monitored, *agent, None)
    stream = f'{{k8s_namespace_name="{monitored.stack}"}} | k8s_pod_name="rotated"'
    numbered = f'{stream} |= "numbered "'
    wait_until(f"{ROTATED} lines", lambda: servers.count(numbered) >= ROTATED, 180, interval=3)
    assert sorted(numbers(servers, stream)) == [*range(1, ROTATED + 1)]
    wait_until("what was written since", lambda: servers.count(f'{stream} |= "still here"') > 0, 60)
    monitored.kubectl("delete", "pod", "rotated", "--wait=false")


def test_as_many_lines_as_loki_gives_come_in_one_answer_though_each_is_of_another_trace(
    monitored: Project, servers: Servers
) -> None:
    start(monitored, "traced", TRACED)
    stream = f'{{k8s_namespace_name="{monitored.stack}", k8s_pod_name="traced"}} | trace_id!=""'
    wait_until(f"{ANSWER} lines", lambda: servers.count(stream) >= ANSWER, 120, interval=2)
    assert len(set(servers.texts(stream, limit=ANSWER))) == ANSWER
    monitored.kubectl("delete", "pod", "traced", "--wait=false")


def test_malformed_and_multi_line_entries_arrive_as_they_were_written(
    monitored: Project, servers: Servers
) -> None:
    start(monitored, "strange", STRANGE)
    stream = f'{{k8s_namespace_name="{monitored.stack}"}} | k8s_pod_name="strange"'
    wait_until("the strange lines", lambda: len(servers.texts(stream)) >= 4, 60, interval=2)
    lines = servers.texts(stream)
    assert '{"level":"error", this is not JSON' in lines
    assert 'plain text with "quotes" and \\ backslashes' in lines
    (panic,) = [line for line in lines if line.startswith("panic: something broke")]
    assert "/src/main.go:12" in panic
    (found,) = servers.texts(f'{stream} | trace_id="{TRACE}"')
    assert "well formed" in found
    monitored.kubectl("delete", "pod", "strange", "--wait=false")
