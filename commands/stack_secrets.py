"""``make secrets``: lists the secrets of a stack and what encrypts them, without their values."""

import argparse
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from commands.errors import FAILED, report_errors
from commands.prerequisites import Prerequisites
from commands.pulumi import Stack
from commands.secrets_provider import SecretsProvider
from settings import Settings, load
from settings.sops import SopsFile
from settings.sops_secrets import sources
from settings.stack_file import path_of, read_config

_SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105  # Pulumi's mark of an encrypted value


def of_stack_file(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield the path of each secret of a configuration."""
    for key, value in config.items():
        yield from _paths(value, key, lambda node: set(node) == {"secure"})


def of_state(deployment: Mapping[str, Any]) -> Iterator[str]:
    """Yield type, name and properties of each resource that has secrets."""
    for resource in deployment.get("resources", ()):
        paths = {
            path
            for part in ("inputs", "outputs")
            for path in _paths(resource.get(part, {}), "", lambda node: _SIGNATURE in node)
        }
        if paths:
            name = resource["urn"].rpartition("::")[2]
            yield f"{resource['type']} {name}: {', '.join(sorted(paths))}"


def of_sops_files(settings: Settings) -> dict[str, list[str]]:
    """Keys of each file that sops encrypts, with the secrets that have their values."""
    files: dict[str, list[str]] = {}
    for path, _, _, source in sources(settings):
        files.setdefault(source.file, []).append(f"{source.key}: {path.removesuffix('.sops')}")
    return files


def _paths(node: Any, path: str, is_secret: Any) -> Iterator[str]:  # noqa: ANN401
    if isinstance(node, dict):
        if is_secret(node):
            yield path
            return
        for key, value in node.items():
            yield from _paths(value, f"{path}.{key}" if path else str(key), is_secret)
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _paths(value, f"{path}[{index}]", is_secret)


def _print(place: str, provider: object, secrets: Sequence[str]) -> None:
    print(f"{place}, encrypted by {provider}: {len(secrets) or 'no secrets'}")
    for secret in secrets:
        print(f"  {secret}")


@report_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Print the secrets; return 1 if stack file and state have different providers."""
    parser = argparse.ArgumentParser(prog="commands.stack_secrets", description=__doc__)
    parser.add_argument("--stack", required=True)
    options = parser.parse_args(arguments)
    settings = load(options.stack)
    prerequisites = Prerequisites(settings)
    variables = {**os.environ, **prerequisites.variables()}
    prerequisites.prepare_cli()
    deployment = Stack(options.stack, variables).deployment()
    file = path_of(options.stack)
    in_file = SecretsProvider.of_file(file.read_text())
    _print(file.name, in_file, sorted(of_stack_file(read_config(file))))
    for name, secrets in of_sops_files(settings).items():
        _print(name, f"sops for {SopsFile(name).recipients or 'nobody'}", secrets)
    if deployment is None:
        print("state: none")
        return 0
    in_state = SecretsProvider.of_state(deployment)
    _print("state", in_state, sorted(of_state(deployment)))
    if in_file.matches(in_state):
        return 0
    print(
        f"error: the secrets providers of {file.name} and of the state differ: run "
        "`make secrets-provider` again if it was interrupted, or restore the stack file",
        file=sys.stderr,
    )
    return FAILED


if __name__ == "__main__":
    sys.exit(main())
