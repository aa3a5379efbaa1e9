"""The policy pack on the project's stacks and in the Pulumi CLI. Needs no cluster."""

import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from commands.policy import main
from components.versions import KUBERNETES
from local.environment import environment
from local.layout import Layout
from local.plugins.install import PROGRAMS, install
from policy.evaluation import advisory_rules, load
from policy.objects import PROVIDER, Object
from policy.rule import RULES
from settings.stack_file import PROJECT_FOLDER
from tests.manifests.conftest import run, stack_file
from tests.unit.policy.cases import CASES, Case, Changes, find, manifests
from tests.unit.stacks import needs_example

pytestmark = [needs_example, pytest.mark.timeout(900)]

PULUMI_YAML = f"""
name: sample
runtime: {{name: python, options: {{virtualenv: {sys.prefix}}}}}
"""
PROGRAM = '''
"""Creates the objects of objects.json, with a provider for each context: it is a process."""

import json
from pathlib import Path

import pulumi
from pulumi_kubernetes import Provider

providers, of_namespace = {}, {}
for manifest in json.loads(Path("objects.json").read_text()):
    namespace, kind = manifest["metadata"]["namespace"], manifest["kind"]
    name = f"{namespace}-{kind}"
    if kind == "Provider":
        context = manifest["spec"].get("context")
        if context not in providers:
            providers[context] = Provider(name, context=context)
        of_namespace[namespace] = providers[context]
        continue
    version = manifest["apiVersion"]
    opts = pulumi.ResourceOptions(provider=of_namespace[namespace])
    token = f"kubernetes:{version if '/' in version else f'core/{version}'}:{kind}"
    pulumi.CustomResource(token, name, manifest, opts)
'''
REPORTED = re.compile(r"\[(mandatory|advisory)\]\s+([\w-]+)\s+\(\S+ (\w+)-\S+\)")

Capture = pytest.CaptureFixture[str]


def test_the_stacks_violate_no_rule_and_need_every_exemption(capsys: Capture) -> None:
    assert main([]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"dev \(development\): \d+ rules on \d+ objects, no violations", printed)
    assert re.search(r"prod \(production\): \d+ rules on \d+ objects, no violations", printed)


def test_a_new_stack_is_evaluated_as_production(tmp_path: Path, capsys: Capture) -> None:
    file = stack_file(tmp_path, "prod", {}).rename(tmp_path / "Pulumi.staging.yaml")
    assert main(["--stack", str(file)]) == 0
    assert "staging (production)" in capsys.readouterr().out


def test_a_setting_that_violates_a_rule_fails(tmp_path: Path, capsys: Capture) -> None:
    changes = {"autoscaling": {"minReplicas": 2}, "cluster": {"context": None}}
    assert main(["--stack", str(stack_file(tmp_path, "prod", changes))]) == 1
    printed = capsys.readouterr().out
    assert "mandatory min-replicas: Deployment/beacon-stable: it may have only 2" in printed
    assert "mandatory kubeconfig-context: Provider/cluster: set slipway:cluster.context" in printed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<<<<<<< HEAD\n", "Pulumi.prod.yaml"),
        ("config:\n  slipway:nothing: {}\n", "slipway:nothing"),
        (None, "Pulumi.prod.yaml"),
    ],
)
def test_a_stack_that_cannot_be_rendered_is_an_error(
    tmp_path: Path, capsys: Capture, text: str | None, message: str
) -> None:
    file = tmp_path / "Pulumi.prod.yaml"
    if text:
        file.write_text(text)
    assert main(["--stack", str(file)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert message in printed.err


def test_a_folder_of_manifests_is_evaluated(tmp_path: Path, capsys: Capture) -> None:
    arguments = ["--stack", "prod", "--manifests", str(tmp_path)]
    assert main(arguments) == 2
    for number, manifest in enumerate(manifests({"container image": "app:1"})):
        (tmp_path / f"{number}.yaml").write_text(json.dumps(manifest))
    assert main(arguments) == 1
    assert "mandatory image-digest: Deployment/app" in capsys.readouterr().out


POD_SECURITY = [
    pytest.param(changes, is_violation, id=f"{case.message}-{is_violation}")
    for case in CASES
    if case.rule == "pod-security" and "label" not in case.message
    for changes, is_violation in ((case.violation, True), (case.compliant, False))
]


@pytest.mark.parametrize(("changes", "is_violation"), POD_SECURITY)
def test_kubernetes_pod_security_checks_agree_with_the_rule(
    podsecurity: Path, tmp_path: Path, changes: Changes, is_violation: bool
) -> None:
    file = tmp_path / "deployment.yaml"
    file.write_text(json.dumps(find(manifests(changes), "Deployment")))
    assert run(podsecurity, f"v{KUBERNETES}", file).returncode == int(is_violation)


class PulumiProject:
    """Pulumi program with its own state and plugins."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        home, state = folder / "home", folder / "state"
        state.mkdir()
        install(Layout(), home / "plugins")
        (folder / "kubeconfig").write_text("apiVersion: v1\nkind: Config\n")
        (folder / "Pulumi.yaml").write_text(PULUMI_YAML)
        (folder / "__main__.py").write_text(PROGRAM)
        self._environment = {
            **os.environ,
            **environment(),
            "PULUMI_HOME": str(home),
            "PULUMI_BACKEND_URL": f"file://{state}",
            "PULUMI_CONFIG_PASSPHRASE": "test",
            "KUBECONFIG": str(folder / "kubeconfig"),
        }
        self._environment.pop("PULUMI_CONFIG_PASSPHRASE_FILE", None)

    def preview(self, stack: str, objects: Sequence[Any]) -> Any:
        """Preview the creation of the objects with the policy pack."""
        (self.folder / "objects.json").write_text(json.dumps(objects))
        self._pulumi("stack", "select", "--create", stack)
        return self._pulumi("preview", "--stack", stack, "--policy-pack", PROJECT_FOLDER / "policy")

    def _pulumi(self, *arguments: str | Path) -> Any:
        return run(
            *("pulumi", *arguments, "--non-interactive", "--color=never"),
            cwd=self.folder,
            env=self._environment,
        )


@pytest.fixture(scope="module")
def pulumi_project(tmp_path_factory: pytest.TempPathFactory) -> PulumiProject:
    built = run(sys.executable, "-m", "local", "build", *PROGRAMS)
    assert built.returncode == 0, built.stderr
    installed = run("make", "--silent", "policy-pack")
    assert installed.returncode == 0, installed.stderr
    return PulumiProject(tmp_path_factory.mktemp("policy"))


def changed_objects(case: Case, changes: Changes) -> list[Any]:
    """The objects that a case changes, or the whole stack if its rule reads other objects."""
    found, compliant = manifests(changes), manifests()
    is_whole = RULES[case.rule].needs_stack
    return [one for one in found if is_whole or one["kind"] == PROVIDER or one not in compliant]


def in_namespace(name: str, found: Sequence[Any]) -> Iterator[Any]:
    for manifest in found:
        manifest["metadata"]["namespace"] = name
        yield manifest


def objects_of(cases: Sequence[Case]) -> Iterator[Any]:
    """The objects of every case, violating and compliant, each in a namespace of its own."""
    both = ((case, changes) for case in cases for changes in (case.violation, case.compliant))
    for number, (case, changes) in enumerate(both):
        if changes:
            yield from in_namespace(f"case{number}", changed_objects(case, changes))


SOME_STACKS = [
    case for case in CASES if RULES[case.rule].environment or case.rule in advisory_rules()
]
"""Cases of the rules that do not apply to every stack, or warn only in some."""


@pytest.mark.parametrize(("stack", "cases"), [("dev", SOME_STACKS), ("prod", CASES)])
def test_the_pulumi_cli_reports_the_same_violations(
    pulumi_project: PulumiProject, stack: str, cases: Sequence[Case]
) -> None:
    found = [*objects_of(cases)]
    result = pulumi_project.preview(stack, found)
    assert result.returncode != 0
    violations = load(stack).evaluate([Object(one, one["metadata"]["namespace"]) for one in found])
    expected = {(one.level, one.rule, one.source) for one in violations}
    assert {
        (level, rule.removesuffix("-advisory"), namespace)
        for level, rule, namespace in REPORTED.findall(result.stdout)
    } == expected
    assert {level for level, _, _ in expected} == {"mandatory", "advisory"}
    for violation in violations:
        assert violation.message in result.stdout


def test_the_pulumi_cli_accepts_compliant_objects(pulumi_project: PulumiProject) -> None:
    result = pulumi_project.preview("prod", [*in_namespace("app", manifests())])
    assert result.returncode == 0, result.stdout + result.stderr
    assert REPORTED.findall(result.stdout) == []
    assert "slipway@v" in result.stdout
