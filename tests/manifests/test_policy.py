"""The policies at work: on both stacks as they ship, and in the real CLI. No cluster is needed."""

import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from components.versions import KUBERNETES
from local.environment import environment
from local.layout import Layout
from local.plugins.install import PROGRAMS, install
from tests.manifests.conftest import PROJECT, run, stack_file
from tests.unit.policy.cases import CASES, Case, Change, find, manifests

pytestmark = pytest.mark.timeout(900)

PROGRAM = '''
"""Declares the manifests of objects.json."""

import json
from pathlib import Path

import pulumi
from pulumi_kubernetes import Provider

providers = {}
for manifest in json.loads(Path("objects.json").read_text()):
    namespace, kind = manifest["metadata"]["namespace"], manifest["kind"]
    name = f"{namespace}-{kind}"
    if kind == "Provider":
        providers[namespace] = Provider(name, context=manifest["spec"]["context"])
        continue
    version = manifest["apiVersion"]
    opts = pulumi.ResourceOptions(provider=providers[namespace])
    token = f"kubernetes:{version if '/' in version else f'core/{version}'}:{kind}"
    pulumi.CustomResource(token, name, manifest, opts)
'''
SETTINGS = f"""
name: sample
runtime: {{name: python, options: {{virtualenv: {sys.prefix}}}}}
"""
REPORTED = re.compile(r"\[(mandatory|advisory)\]\s+([\w-]+)\s+\(\S+ (\S+)\)")


def policy(*arguments: str | Path) -> Any:
    return run(sys.executable, "-m", "commands.policy", *arguments)


def test_both_stacks_keep_every_rule_and_no_exemption_is_unneeded() -> None:
    result = policy()
    assert result.returncode == 0, result.stdout + result.stderr
    assert re.search(r"dev \(development\): \d+ rules on \d+ objects, all kept", result.stdout)
    assert re.search(r"prod \(production\): \d+ rules on \d+ objects, all kept", result.stdout)


def test_a_new_stack_is_judged_as_production_with_nothing_written_for_it(tmp_path: Path) -> None:
    file = stack_file(tmp_path, "prod", {}).rename(tmp_path / "Pulumi.staging.yaml")
    result = policy("--stack", file)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "staging (production)" in result.stdout


def test_a_setting_that_breaks_a_rule_is_told_with_its_remedy(tmp_path: Path) -> None:
    changes = {"autoscaling": {"minReplicas": 2}, "cluster": {"context": None}}
    result = policy("--stack", stack_file(tmp_path, "prod", changes))
    assert result.returncode == 1
    assert "mandatory replicas: Deployment/beacon-stable: it may have just 2" in result.stdout
    assert "mandatory named-cluster" in result.stdout
    assert "slipway:cluster.context" in result.stdout


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("<<<<<<< HEAD\n", "Pulumi.prod.yaml"),
        ("config:\n  slipway:nothing: {}\n", "slipway:nothing"),
    ],
)
def test_a_stack_that_cannot_be_rendered_is_an_error_and_no_verdict(
    tmp_path: Path, text: str, says: str
) -> None:
    file = tmp_path / "Pulumi.prod.yaml"
    file.write_text(text)
    result = policy("--stack", file)
    assert (result.returncode, result.stdout) == (2, "")
    assert says in result.stderr
    assert "Traceback" not in result.stderr


def test_a_missing_stack_file_is_an_error_and_no_verdict() -> None:
    result = policy("--stack", "nowhere")
    assert (result.returncode, result.stdout) == (2, "")
    assert "Pulumi.nowhere.yaml" in result.stderr


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_folder_of_manifests_is_judged_like_a_stack(case: Case, tmp_path: Path) -> None:
    from commands.policy import main  # noqa: PLC0415  # in this process: there are many cases

    for number, manifest in enumerate(manifests(case.broken)):
        (tmp_path / f"{number}.yaml").write_text(json.dumps(manifest))
    assert main(["--stack", case.stack, "--manifests", str(tmp_path)]) == 1


POD_CASES = [case for case in CASES if case.rule == "pod-security" and "label" not in case.says]


@pytest.mark.parametrize("case", POD_CASES, ids=str)
@pytest.mark.parametrize("broken", [True, False], ids=["broken", "kept"])
def test_kubernetes_own_checks_agree_on_pod_security(
    podsecurity: Path, tmp_path: Path, case: Case, broken: bool
) -> None:
    changed = manifests(case.broken if broken else case.kept)
    file = tmp_path / "deployment.yaml"
    file.write_text(json.dumps(find(changed, "Deployment")))
    assert run(podsecurity, f"v{KUBERNETES}", file).returncode == int(broken)


class Cli:
    """The Pulumi CLI on a small program, with a state and plugins of its own and no cluster."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        plugins, state = folder / "home", folder / "state"
        state.mkdir()
        install(Layout(), plugins / "plugins")
        (folder / "kubeconfig").write_text("apiVersion: v1\nkind: Config\n")
        (folder / "Pulumi.yaml").write_text(SETTINGS)
        (folder / "__main__.py").write_text(PROGRAM)
        self._environment = {
            **os.environ,
            **environment(),
            "PULUMI_HOME": str(plugins),
            "PULUMI_BACKEND_URL": f"file://{state}",
            "PULUMI_CONFIG_PASSPHRASE": "test",
            "KUBECONFIG": str(folder / "kubeconfig"),
        }
        self._environment.pop("PULUMI_CONFIG_PASSPHRASE_FILE", None)

    def preview(self, stack: str, objects: Sequence[Any], pack: Path) -> Any:
        """``pulumi preview --policy-pack``."""
        (self.folder / "objects.json").write_text(json.dumps(objects))
        self._pulumi("stack", "select", "--create", stack)
        return self._pulumi("preview", "--stack", stack, "--policy-pack", pack)

    def _pulumi(self, *arguments: str | Path) -> Any:
        return run(
            *("pulumi", *arguments, "--non-interactive", "--color=never"),
            cwd=self.folder,
            env=self._environment,
        )


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    built = run(sys.executable, "-m", "local", "build", *PROGRAMS)
    assert built.returncode == 0, built.stderr
    made = run("make", "--silent", "policy-pack")
    assert made.returncode == 0, made.stderr
    return Cli(tmp_path_factory.mktemp("policy"))


COMPARED = (
    "Provider",
    "Deployment",
    "HorizontalPodAutoscaler",
    "PodDisruptionBudget",
    "NetworkPolicy",
)
"""The kinds that a rule reads beside the object that it judges."""


def in_namespaces(changes: Sequence[Change]) -> Iterator[Any]:
    """The stack of the cases once for each change, each in a namespace of its own.

    What a change leaves as it is, and no rule compares with, is there once.
    """
    told: list[Any] = []
    for number, change in enumerate(changes):
        for manifest in manifests(change):
            if manifest["kind"] in COMPARED or manifest not in told:
                told.append(deepcopy(manifest))
                manifest["metadata"]["namespace"] = f"case{number}"
                yield manifest


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_the_cli_stops_whatever_breaks_a_rule(cli: Cli, stack: str) -> None:
    cases = [case for case in CASES if case.stack == stack]
    result = cli.preview(
        stack, [*in_namespaces([case.broken for case in cases])], PROJECT / "policy"
    )
    assert result.returncode != 0
    reported = {
        (rule, name.rpartition("-")[0].partition("-")[0])
        for level, rule, name in REPORTED.findall(result.stdout)
        if level == "mandatory"
    }
    assert reported == {(case.rule, f"case{number}") for number, case in enumerate(cases)}
    for case in cases:
        assert case.says in result.stdout


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_the_cli_lets_pass_what_keeps_every_rule(cli: Cli, stack: str) -> None:
    kept = [case.kept for case in CASES if case.stack == stack]
    objects = [*in_namespaces(kept)]
    assert len({one["metadata"]["namespace"] for one in objects}) == len(kept)
    result = cli.preview(stack, objects, PROJECT / "policy")
    assert result.returncode == 0, result.stdout + result.stderr
    assert REPORTED.findall(result.stdout) == []
    assert "slipway@v" in result.stdout
