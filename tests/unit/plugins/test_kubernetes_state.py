"""The state has the shape that Pulumi's own plugin gives it, and hides what is secret."""

from plugins.kubernetes import state
from plugins.values import UNKNOWN, Secret

LIVE = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "a", "namespace": "n", "uid": "u", "resourceVersion": "1"},
    "data": {"open": "1", "hidden": "2"},
}
INPUTS = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "a", "namespace": "n"},
    "data": {"open": "1", "hidden": Secret("2")},
}


def test_a_checkpoint_holds_the_live_object_and_what_the_next_operation_must_know():
    kept = state.checkpoint(INPUTS, LIVE, "v1", "pulumi-kubernetes-1234abcd")
    assert kept == {
        **LIVE,
        "data": {"open": "1", "hidden": Secret("2")},
        "__inputs": INPUTS,
        "__initialApiVersion": "v1",
        "__fieldManager": "pulumi-kubernetes-1234abcd",
    }
    assert state.live_of(kept) == LIVE
    assert state.inputs_of(kept) == state.to_object(INPUTS)
    assert state.field_manager(kept, {}, "urn") == "pulumi-kubernetes-1234abcd"


def test_a_new_field_manager_follows_from_the_urn():
    first, again, other = (state.field_manager({}, {}, urn) for urn in ("a", "a", "b"))
    assert first == again != other
    assert first.startswith("pulumi-kubernetes-")
    assert len(first) == len("pulumi-kubernetes-12345678")


def test_the_data_of_a_secret_is_secret_whether_or_not_the_program_said_so():
    secret = {"kind": "Secret", "data": {"a": "MQ=="}, "type": "Opaque"}
    assert state.to_properties(secret, {}) == {
        "kind": "Secret",
        "data": Secret({"a": "MQ=="}),
        "type": "Opaque",
    }


def test_a_list_with_a_secret_in_it_is_secret_as_a_whole():
    live = {"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}
    inputs = {"env": [{"name": "A", "value": Secret("1")}]}
    assert state.to_properties(live, inputs) == {"env": Secret(live["env"])}


def test_string_data_becomes_data_as_the_api_server_makes_it():
    given = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "a", "creationTimestamp": "now"},
        "data": {"both": "b2xk", "wrapped": "MQ==\n"},
        "stringData": {"both": "new"},
    }
    assert state.normalized(given) == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "a"},
        "data": {"both": "bmV3", "wrapped": "MQ=="},
    }


def test_string_data_that_is_not_known_yet_is_left_as_it_is():
    given = {"apiVersion": "v1", "kind": "Secret", "stringData": {"a": UNKNOWN}}
    assert state.normalized(given) == given


def test_nulls_are_left_out_since_the_api_server_would_take_them_for_a_default_that_is_set():
    given = {"spec": {"replicas": None, "template": {"spec": {"containers": [{"env": None}]}}}}
    assert state.to_object(given) == {"spec": {"template": {"spec": {"containers": [{}]}}}}


def test_the_dashed_names_of_a_schema_are_identifiers_in_the_state():
    schema = {"x-kubernetes-int-or-string": True, "x-other": [{"x-kubernetes-list-type": "map"}]}
    kept = state.to_properties(schema, {})
    assert kept == {
        "x_kubernetes_int_or_string": True,
        "x-other": [{"x_kubernetes_list_type": "map"}],
    }
    assert state.to_object(kept) == schema


def test_pruning_keeps_what_the_shape_has_and_lists_as_far_as_it_goes():
    live = {"a": 1, "b": {"c": 2, "d": 3}, "e": [{"f": 4, "g": 5}, {"f": 6}], "h": "text"}
    shape = {"b": {"c": 0}, "e": [{"f": 0}], "h": {"other": "type"}}
    assert state.pruned(live, shape) == {"b": {"c": 2}, "e": [{"f": 4}], "h": "text"}


def test_the_inputs_of_an_imported_object_are_all_that_the_server_did_not_set():
    live = {
        **LIVE,
        "metadata": {
            "name": "a",
            "uid": "u",
            "managedFields": [],
            "annotations": {"deployment.kubernetes.io/revision": "1", "own": "x"},
        },
        "status": {"phase": "Active"},
    }
    inputs = state.read_inputs(live)
    assert inputs["metadata"] == {"name": "a", "annotations": {"own": "x"}}
    assert "status" not in inputs


def test_a_refusal_that_quotes_a_secret_value_does_not_show_it():
    message = 'Invalid value: "hush-1": or as base64 aHVzaC0x, but not "open"'
    inputs = {"data": Secret({"a": ["hush-1"]}), "other": "open"}
    assert state.redacted(message, inputs) == (
        'Invalid value: "[secret]": or as base64 [secret], but not "open"'
    )


def test_a_refusal_that_quotes_a_secret_of_several_lines_shows_none_of_them():
    message = state.redacted(
        'Invalid value: "first\\nsecond\\n"', {"key": Secret("first\nsecond\n")}
    )
    assert message == 'Invalid value: "[secret]\\n[secret]\\n"'


def test_an_object_is_named_by_its_namespace_and_name():
    assert state.id_of(LIVE) == "n/a"
    assert state.id_of({"metadata": {"name": "a"}}) == "a"
