"""Labels and selectors."""

from components.labels import Identity


def test_a_selector_does_not_contain_the_version() -> None:
    old = Identity("beacon", "home", "stable", "1.0.0")
    new = Identity("beacon", "home", "stable", "1.1.0")
    assert old.selector == new.selector
    assert "1.0.0" not in old.selector.values()


def test_labels_contain_the_selector_and_the_version() -> None:
    identity = Identity("beacon", "home", "canary", "1.1.0")
    assert identity.selector.items() <= identity.labels.items()
    assert identity.labels["app.kubernetes.io/version"] == "1.1.0"


def test_tracks_have_different_names_and_selectors() -> None:
    stable, canary = Identity("beacon", "home", "stable"), Identity("beacon", "home", "canary")
    assert stable.selector != canary.selector
    assert (stable.object_name, canary.object_name) == ("beacon-stable", "beacon-canary")


def test_instances_of_a_service_have_different_selectors() -> None:
    assert Identity("beacon", "here").selector != Identity("beacon", "there").selector
