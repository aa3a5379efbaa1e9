"""Settings of an earlier release, without decrypted secrets."""

from commands.released_settings import ReleasedSettings

ENCRYPTED = {"secure": "v1:a"}
IN_ENV = {"as": "env", "variable": "A", "reason": "It must."}


def test_secrets_are_those_of_the_stack_file_and_omitted_if_it_has_them_no_longer() -> None:
    decrypted = {
        "args": ["serve"],
        "secrets": {
            "kept": "hunter2",
            "in-env": {"value": "hunter2", **IN_ENV},
            "removed": "hunter2",
            "removed-from-env": {"value": "hunter2", **IN_ENV},
            "generated": {"generate": {"length": 9}},
        },
        "env": {"A": {"secret": "hunter2"}},
    }
    current = {"secrets": {"kept": ENCRYPTED, "in-env": {"value": ENCRYPTED}}}
    released = ReleasedSettings(decrypted, current)
    assert released.values == {
        "args": ["serve"],
        "secrets": {
            "kept": ENCRYPTED,
            "in-env": {"value": ENCRYPTED, **IN_ENV},
            "generated": {"generate": {"length": 9}},
        },
    }
    assert released.omitted == ["secrets.removed", "secrets.removed-from-env.value", "env.A.secret"]
