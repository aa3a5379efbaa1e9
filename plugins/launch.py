"""Starts one plugin; the executables that `install` writes call this.

    python launch.py <plugin> <version> [arguments of the engine...]

Importing the Pulumi SDK takes 0.3 s, and every preview starts four plugins, which need only its
protocol classes. So the packages around those are entered here as bare folders, which runs none
of the SDK.
"""

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

_PLUGINS = {
    "docker-build": "docker_build.provider",
    "kubernetes": "kubernetes",
    "language-python": "language_python",
    "random": "random_provider",
}


def _enter_without_running(*packages: str) -> None:
    spec = importlib.util.find_spec("pulumi")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"the Pulumi SDK is not installed in {sys.prefix}")
    root = Path(spec.submodule_search_locations[0]).parent
    for name in packages:
        package = ModuleType(name)
        package.__path__ = [str(root.joinpath(*name.split(".")))]
        sys.modules[name] = package


def main() -> None:
    """Run the plugin named by the first argument."""
    plugin, version = sys.argv[1:3]
    del sys.argv[1:3]
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    _enter_without_running("pulumi", "pulumi.runtime", "pulumi.runtime.proto")
    importlib.import_module(f"plugins.{_PLUGINS[plugin]}").main(version)


if __name__ == "__main__":
    main()
