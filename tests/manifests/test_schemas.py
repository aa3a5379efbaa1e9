"""The manifests are valid for the API server, the Gateway API and the Prometheus operator."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate.utils
import pytest
import yaml

from commands.gitops.__main__ import write_folder
from components.versions import GATEWAY_API, KUBERNETES, PROMETHEUS_OPERATOR
from local.recipes import CERT_MANAGER, FLAGGER, ISTIO, KNATIVE, PLATFORM
from settings.stack_file import PROJECT_FOLDER
from tests.manifests.conftest import CANARY, VERSION, Run, Variant, objects, read, stack_file
from tests.manifests.custom_resources import Validators, read_crds, validators
from tests.unit.stacks import DIGEST, OTHER_DIGEST, needs_example

pytestmark = pytest.mark.timeout(900)


# It would read all definitions again for every object.
kubernetes_validate.utils.schema_contents = cache(kubernetes_validate.utils.schema_contents)

Module = Callable[[str], Path]
ARGO_CD = "v3.1.8"


@pytest.fixture(scope="session")
def module(go: Run, tmp_path_factory: pytest.TempPathFactory) -> Module:
    """Source folder of a Go module with a version, which is downloaded if necessary."""
    # Outside of the checkout, whose go.mod files would select other versions.
    folder = tmp_path_factory.mktemp("modules")

    def download(name: str) -> Path:
        result = go("mod", "download", "-json", name, cwd=folder)
        assert result.returncode == 0, result.stdout + result.stderr
        return Path(json.loads(result.stdout)["Dir"])

    return download


@pytest.fixture(scope="session")
def cert_manager_crds(module: Module) -> list[Any]:
    """CustomResourceDefinitions of cert-manager's module, which has them as Helm templates."""
    version = CERT_MANAGER.version("cert-manager")
    folder = module(f"github.com/cert-manager/cert-manager@{version}") / "deploy" / "crds"
    texts = [
        "\n".join(line for line in file.read_text().splitlines() if "{{" not in line)
        for file in sorted(folder.glob("*.yaml"))
    ]
    return [crd for text in texts for crd in yaml.load_all(text, Loader=yaml.CSafeLoader)]


@pytest.fixture(scope="session")
def custom_resources(module: Module, cert_manager_crds: list[Any]) -> Validators:
    gateway_api = module(f"sigs.k8s.io/gateway-api@v{GATEWAY_API}")
    prometheus_operator = module(
        f"github.com/prometheus-operator/prometheus-operator@v{PROMETHEUS_OPERATOR}"
    )
    istio = module(f"istio.io/istio@{ISTIO.version('istioctl')}")
    flagger = module(f"github.com/fluxcd/flagger@{FLAGGER.version('flagger')}")
    knative = module(f"knative.dev/serving@{KNATIVE.version('controller')}") / "config" / "core"
    networking = "knative.dev/networking"
    claim = module(f"{networking}@{KNATIVE.version_of(networking)}") / "config"
    return read_crds(
        *(
            knative / "300-resources" / f"{kind}.yaml"
            for kind in ("configuration", "domain-mapping", "service")
        ),
        claim / "domain-claim.yaml",
        flagger / "artifacts" / "flagger" / "crd.yaml",
        PROJECT_FOLDER / "components" / "platform" / "crds" / "external-secrets.yaml",
        istio / "manifests" / "charts" / "base" / "files" / "crd-all.gen.yaml",
        *(gateway_api / "config" / "crd" / "standard").glob("*.yaml"),
        *(
            prometheus_operator
            / f"example/prometheus-operator-crd/monitoring.coreos.com_{kind}.yaml"
            for kind in ("podmonitors", "prometheusrules")
        ),
    ) | validators(cert_manager_crds)


@pytest.fixture(scope="session")
def application(module: Module) -> Validators:
    argo_cd = module(f"github.com/argoproj/argo-cd/v3@{ARGO_CD}")
    return read_crds(argo_cd / "manifests" / "crds" / "application-crd.yaml")


FLUX = Path(__file__).parent / "flux"
FLUX_TYPES = (
    "github.com/fluxcd/kustomize-controller/api/v1",
    "github.com/fluxcd/source-controller/api/v1",
)


@pytest.fixture(scope="session")
def flux_objects(go: Run, tmp_path_factory: pytest.TempPathFactory) -> Validators:
    """Validators of Flux's objects, by the CustomResourceDefinitions that their types describe."""
    folder = tmp_path_factory.mktemp("flux")
    paths, output = f"paths={';'.join(FLUX_TYPES)}", f"output:crd:dir={folder}"
    written = go("tool", "controller-gen", "crd", paths, output, cwd=FLUX)
    assert written.returncode == 0, written.stderr
    return read_crds(*folder.glob("*.yaml"))


def errors(manifest: Any, custom_resources: Validators) -> list[str]:
    validator = custom_resources.get((manifest["apiVersion"], manifest["kind"]))
    if validator:
        return [error.message for error in validator.iter_errors(manifest)]
    try:
        kubernetes_validate.validate(manifest, KUBERNETES, strict=True)
    except kubernetes_validate.ValidationError as error:
        return [error.message]
    except kubernetes_validate.SchemaNotFoundError as error:
        return [error.message]
    return []


def test_the_versions_of_the_schemas_are_those_of_the_node() -> None:
    assert PLATFORM.version_of("k8s.io/kubernetes").startswith(f"v{KUBERNETES}.")
    assert PLATFORM.version_of("sigs.k8s.io/gateway-api") == f"v{GATEWAY_API}"


def test_the_definitions_of_cert_manager_are_those_of_its_module(
    cert_manager_crds: list[Any],
) -> None:
    file = PROJECT_FOLDER / "components" / "platform" / "crds" / "cert-manager.yaml"
    own = yaml.load(file.read_text(), Loader=yaml.CSafeLoader)
    assert {one["metadata"]["name"]: one["spec"] for one in own} == {
        one["metadata"]["name"]: without_descriptions(one["spec"]) for one in cert_manager_crds
    }


def without_descriptions(schema: Any) -> Any:  # any part of a schema
    """The schema without descriptions. A property can have the name too: its value is no text."""
    if isinstance(schema, list):
        return [without_descriptions(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: without_descriptions(part)
        for key, part in schema.items()
        if key != "description" or not isinstance(part, str)
    }


VALID: set[str] = set()
"""Manifests that are valid: variants differ in a few objects."""


def test_every_object_is_valid(custom_resources: Validators, rendered: Path) -> None:
    names = {file.read_text(): file.name for file in rendered.glob("*.yaml")}
    new = names.keys() - VALID
    found = {names[text]: errors(read(text), custom_resources) for text in new}
    assert {name: messages for name, messages in found.items() if messages} == {}
    VALID.update(new)


def write_gitops(folder: Path, **delivery: Any) -> None:
    """Write the folder `prod` of a stack that an engine syncs."""
    release = {
        **CANARY,
        "stable": {"version": VERSION, "digest": DIGEST},
        "canary": {"version": "1.1.0", "digest": OTHER_DIGEST, "weight": 10},
    }
    # Flux does not wait for a Job.
    if delivery.get("engine") != "flux":
        release["beforeStart"] = {"command": ["/beacon"]}
    repository = "ssh://git@git.example.com/environments.git"
    changes = {
        "release": release,
        "delivery": {"mode": "gitops", "repository": repository, "path": "prod", **delivery},
        "observability": {"grafana": {"enabled": False}},
        "secrets": None,
    }
    write_folder(str(stack_file(folder, "prod", changes)), folder / "prod")


@needs_example
def test_an_application_and_the_manifests_that_it_syncs_are_valid(
    custom_resources: Validators, application: Validators, tmp_path: Path
) -> None:
    write_gitops(tmp_path)
    text = (tmp_path / "prod" / "sync.yaml").read_text()
    assert errors(read(text), application) == []
    assert errors(read(text.replace("targetRevision:", "revision:")), application) != []
    waves: dict[str, set[int]] = {}
    for manifest in objects(tmp_path / "prod" / "manifests").values():
        assert errors(manifest, custom_resources) == []
        wave = manifest["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"]
        waves.setdefault(manifest["kind"], set()).add(int(wave))
    order = ("Namespace", "ResourceQuota", "Job", "Ingress")
    assert [max(waves[kind]) for kind in order] == sorted({max(waves[kind]) for kind in order})
    assert max(waves["Deployment"] | waves["StatefulSet"]) < min(waves["Ingress"])


@needs_example
@pytest.mark.parametrize("repository", ["https://git.example.com/a.git", "oci://example.com/a"])
def test_the_objects_of_flux_are_valid(
    flux_objects: Validators, tmp_path: Path, repository: str
) -> None:
    flux = {"secretName": "git", "serviceAccountName": "deployer"}
    write_gitops(tmp_path, engine="flux", repository=repository, flux=flux)
    text = (tmp_path / "prod" / "sync.yaml").read_text()
    documents = text.split("---\n")
    assert len(documents) == 2
    for document in documents:
        assert errors(read(document), flux_objects) == []
        assert errors(read(document.replace("interval: 60s", "interval: soon")), flux_objects)


@needs_example
def test_flux_applies_the_manifests_as_they_are_written(go: Run, tmp_path: Path) -> None:
    write_gitops(tmp_path, engine="flux")
    kustomization = (tmp_path / "prod" / "sync.yaml").read_text().split("---\n")[1]
    (tmp_path / "kustomization.yaml").write_text(kustomization)
    written = [*objects(tmp_path / "prod" / "manifests").values()]
    built = go("run", ".", tmp_path, tmp_path / "kustomization.yaml", cwd=FLUX)
    assert built.returncode == 0, built.stderr
    applied = [*yaml.load_all(built.stdout, Loader=yaml.CSafeLoader)]
    assert len(applied) == len(written)
    assert [one for one in applied if one not in written] == []


@pytest.mark.parametrize(
    ("name", "kind", "change"),
    [
        ("prod", "deployment", ("revisionHistoryLimit:", "revisionHistoryLimits:")),
        ("prod", "deployment", ("apps/v1", "apps/v9")),
        ("prod", "horizontalpodautoscaler", ("maxReplicas: ", "maxReplicas: a")),
        ("prod-gateway", "httproute", ("weight:", "weights:")),
        ("prod-progressive", "canary", ("stepWeights:", "stepWeight:")),
        ("prod-progressive", "canary", ("ingressRef:", "ingressReference:")),
        ("prod-progressive", "metrictemplate", ("address:", "url:")),
        ("prod-progressive-gateway", "canary", ("gatewayRefs:", "gatewayRef:")),
        ("prod-tls", "certificate", ("dnsNames:", "hosts:")),
        ("prod-tls", "certificate", ("algorithm: ECDSA", "algorithm: EC")),
        ("prod-acme", "issuer", ("ingressClassName:", "className:")),
        ("prod-acme-gateway", "issuer", ("hostedZoneID:", "hostedZone:")),
        ("prod-tls-gateway", "listenerset", ("parentRef:", "parentRefs:")),
        ("prod-progressive-tls", "gateway", ("gatewayClassName:", "className:")),
        ("prod-progressive-tls", "canary", ("headers:", "header:")),
        ("prod-operator", "podmonitor", ("podMetricsEndpoints", "podMetricEndpoints")),
        ("prod-operator", "podmonitor", ("targetLabel", "target_label")),
        ("prod-operator", "podmonitor", ("interval: 15s", "interval: soon")),
        ("prod-operator", "prometheusrule", ("expr:", "query:")),
    ],
)
def test_an_invalid_object_is_rejected(
    custom_resources: Validators, variant: Variant, name: str, kind: str, change: tuple[str, str]
) -> None:
    text = min(variant(name).glob(f"*-{kind}-[bs]*.yaml")).read_text()
    assert change[0] in text
    assert errors(read(text), custom_resources) == []
    assert errors(read(text.replace(*change)), custom_resources) != []
