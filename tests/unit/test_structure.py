"""What holds for every component, read from its syntax tree."""

import ast
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
BASES = {"ComponentResource", "Router", "Server"}


def components() -> list[tuple[str, ast.ClassDef]]:
    """Every class that is a component, with the file that it is in."""
    return [
        (str(file.relative_to(PROJECT)), node)
        for file in sorted((PROJECT / "components").rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ClassDef)
        and any(ast.unparse(base).rpartition(".")[2] in BASES for base in node.bases)
    ]


def own_constructors() -> list[ast.FunctionDef]:
    return [
        function
        for _, component in components()
        for function in component.body
        if isinstance(function, ast.FunctionDef) and function.name == "__init__"
    ]


def problems_with_outputs(constructor: ast.FunctionDef) -> list[str]:
    """Why a constructor does not register its outputs once and last."""
    calls = [
        node
        for node in ast.walk(constructor)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "self.register_outputs"
    ]
    last = constructor.body[-1]
    is_last = isinstance(last, ast.Expr) and last.value in calls
    return [
        *(["registers outputs not once"] if len(calls) != 1 else []),
        *(["does something after registering outputs"] if not is_last else []),
    ]


def test_the_components_are_found() -> None:
    names = {component.name for _, component in components()}
    assert {"Namespace", "ContainerImage", "Workload", "Release", "GatewayRouter"} <= names


@pytest.mark.parametrize("constructor", own_constructors())
def test_every_component_registers_its_outputs_once_and_last(constructor: ast.FunctionDef) -> None:
    assert problems_with_outputs(constructor) == []


@pytest.mark.parametrize(
    "body",
    [
        "pass",
        "self.register_outputs({}); self.register_outputs({})",
        "self.register_outputs({}); x",
    ],
)
def test_a_component_that_does_not_is_found(body: str) -> None:
    (constructor,) = ast.parse(f"def __init__(self): {body}").body
    assert isinstance(constructor, ast.FunctionDef)
    assert problems_with_outputs(constructor)


@pytest.mark.parametrize("constructor", own_constructors())
def test_every_component_takes_a_name_args_and_options(constructor: ast.FunctionDef) -> None:
    assert [argument.arg for argument in constructor.args.args] == ["self", "name", "args", "opts"]


def test_every_component_has_a_test_file_of_its_own() -> None:
    for file, _ in components():
        twin = PROJECT / "tests" / "unit" / Path(file).parent / f"test_{Path(file).name}"
        assert twin.is_file(), f"{file} has no {twin.relative_to(PROJECT)}"


def test_components_read_no_configuration_and_know_no_caller() -> None:
    forbidden = {"Config", "render", "plugins", "local", "commands"}
    for file in (PROJECT / "components").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Attribute):
                assert node.attr != "Config", file
            elif isinstance(node, ast.ImportFrom):
                assert (node.module or "").partition(".")[0] not in forbidden, file
            elif isinstance(node, ast.Import):
                assert not forbidden & {name.name.partition(".")[0] for name in node.names}, file


def test_the_program_is_short_and_decides_nothing() -> None:
    source = (PROJECT / "__main__.py").read_text()
    assert len(source.splitlines()) <= 80
    decisions = (ast.If, ast.IfExp, ast.Match, ast.While, ast.Try, ast.FunctionDef, ast.ClassDef)
    assert not [node for node in ast.walk(ast.parse(source)) if isinstance(node, decisions)]
