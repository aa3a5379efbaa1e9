"""Stands for the commands on one stack: records when it ran, and ends as the test says.

Started as ``fake_command.py <folder> <module> <arguments>``. ``behavior.json`` in the folder has,
by stack, the ``seconds`` that a command takes, its exit ``code`` and that of the ``gate``, and
whether it ``restores`` the version that served before.
"""

import json
import re
import signal
import sys
import time
from pathlib import Path
from types import FrameType

folder, module, *arguments = sys.argv[1:]
root = Path(folder)
options = {
    name: value or following
    for (name, _, value), following in zip(
        (one.partition("=") for one in arguments), [*arguments[1:], ""], strict=True
    )
}
stack = options["--stack"]
is_gate = module != "commands"
name = "gate" if is_gate else arguments[0]
behavior = json.loads((root / "behavior.json").read_text()).get(stack, {})
file = root / f"Pulumi.{stack}.yaml"


def event(what: str) -> None:
    with (root / "events.jsonl").open("a") as log:
        shown = {"time": time.time(), "stack": stack, "command": name, "event": what}
        log.write(f"{json.dumps({**shown, 'arguments': arguments})}\n")


def interrupted(number: int, frame: FrameType | None) -> None:
    event("interrupted")
    sys.exit(1)


def write_version(version: str) -> None:
    text = re.sub(r"version: [0-9.]+", f"version: {version}", file.read_text())
    file.write_text(text)


def deploy(*, has_failed: bool) -> None:
    """Change the state and the history as an update does."""
    version = re.findall(r"version: ([0-9.]+)", file.read_text())[0]
    checkpoint = next(root.rglob(f"stacks/*/{stack}.json"))
    state = json.loads(checkpoint.read_text())
    latest = state["checkpoint"]["latest"]
    latest["manifest"]["time"] = str(time.time())
    # A failed update has outputs, too.
    latest["resources"][0]["outputs"]["services"]["shop"]["stable"]["version"] = version
    checkpoint.write_text(json.dumps(state))
    services = {"shop": {"release": {"stable": {"version": version}}}}
    update = {
        "kind": "update",
        "result": "failed" if has_failed else "succeeded",
        "startTime": int(time.time()),
        "endTime": int(time.time()),
        "config": {"slipway:services": services},
    }
    history = next(root.rglob(f"history/*/{stack}"))
    (history / f"{stack}-{time.time_ns()}.history.json").write_text(json.dumps(update))


signal.signal(signal.SIGTERM, interrupted)
event("start")
time.sleep(behavior.get("seconds", 0))
code = behavior.get("gate" if is_gate else "code", 0)
if name == "preview":
    log = Path(options["--event-log"])
    changes = behavior.get("changes", {"update": 1, "same": 40})
    log.write_text(json.dumps({"summaryEvent": {"resourceChanges": changes}}))
if name == "rollback":
    write_version(options["--version"])
if "restores" in behavior:
    write_version(behavior["restores"])
if name in ("up", "rollback") and code != 2:
    deploy(has_failed=code != 0 and "restores" not in behavior)
if code:
    print(f"error: {name} of {stack} failed", file=sys.stderr)
event("end")
sys.exit(code)
