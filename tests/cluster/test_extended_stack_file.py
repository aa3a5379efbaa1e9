"""A stack whose file extends that of another one."""

from ruamel.yaml import YAML

from tests.cluster.project import Project, needs_slow

OWN = """\
config:
  slipway:extends: base
  slipway:services:
    beacon:
      config:
        message: Hello from a region
"""


def served_version(project: Project) -> str:
    return project.get().headers["X-Version"]


@needs_slow
def test_a_stack_follows_the_file_that_it_extends_and_is_rolled_back_in_its_own(
    project: Project,
) -> None:
    base = project.file.rename(project.folder / "Pulumi.base.yaml")
    project.file.write_text(OWN)
    project.make("up")
    first = served_version(project)
    assert "Hello from a region" in project.get("/").text

    (project.folder / "app" / "VERSION").write_text("1.9.0\n")
    yaml = YAML()
    document = yaml.load(base.read_text())
    document["config"]["slipway:services"]["beacon"]["release"]["stable"]["version"] = "1.9.0"
    yaml.dump(document, base)
    project.make("up")
    assert served_version(project) == "1.9.0"
    assert "1.9.0" not in project.file.read_text()

    released = base.read_text()
    project.make("rollback")
    assert served_version(project) == first
    assert first in project.file.read_text()
    assert base.read_text() == released
    project.assert_unchanged()
