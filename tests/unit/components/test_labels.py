"""Labels of objects, and the selectors that are derived from them."""

from components.labels import Identity


def test_a_selector_never_holds_the_version() -> None:
    old = Identity("beacon", "home", "stable", "1.0.0")
    new = Identity("beacon", "home", "stable", "1.1.0")
    assert old.selector == new.selector
    assert "1.0.0" not in old.selector.values()


def test_labels_contain_the_selector_and_the_version() -> None:
    identity = Identity("beacon", "home", "canary", "1.1.0")
    assert identity.selector.items() <= identity.labels.items()
    assert identity.labels["app.kubernetes.io/version"] == "1.1.0"


def test_tracks_are_told_apart() -> None:
    stable, canary = Identity("beacon", "home", "stable"), Identity("beacon", "home", "canary")
    assert stable.selector != canary.selector
    assert (stable.object_name, canary.object_name) == ("beacon-stable", "beacon-canary")


def test_two_deployments_of_one_service_are_told_apart() -> None:
    assert Identity("beacon", "here").selector != Identity("beacon", "there").selector
