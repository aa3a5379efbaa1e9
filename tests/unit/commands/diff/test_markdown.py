"""Report as a comment on a pull request."""

from pathlib import Path

from commands.diff.markdown import comment
from tests.unit.commands.diff.manifests import manifest, report

FULL_REPORT = Path("out/diff/test.txt")
GITHUB_LIMIT = 65_536


def test_a_comment_begins_with_the_totals_and_the_risky_changes() -> None:
    text, is_cut = comment(report([manifest("Service", "a", {"x": 1})], []), FULL_REPORT)
    assert text.startswith("### Rendered manifests of `test`: 1 removed")
    assert text.index("1 removed") < text.index("deletes Service web/a") < text.index("<details>")
    assert not is_cut


def test_a_comment_within_the_limit_names_the_omitted_objects() -> None:
    spec = {f"key{number}": "x" * 50 for number in range(100)}
    added = [manifest("ConfigMap", f"map-{number:04}", spec) for number in range(2000)]
    text, is_cut = comment(report([], added), FULL_REPORT)
    assert is_cut
    assert len(text) < GITHUB_LIMIT
    assert "the full report is in `out/diff/test.txt`" in text
    assert "2000 added" in text
    assert text.count("<details>") == text.count("</details>") > 1
    assert f"`` + ConfigMap web/map-{text.count('<details>'):04} ``" in text


def test_a_long_object_leaves_room_for_the_others() -> None:
    long = manifest("ConfigMap", "a-long", {f"key{n}": "x" * 80 for n in range(5000)})
    added = [long, manifest("ConfigMap", "short", {"k": 1})]
    text, is_cut = comment(report([], added), FULL_REPORT)
    assert is_cut
    assert "more lines" in text
    assert "+ ConfigMap web/short</code>" in text


def test_a_value_cannot_close_the_code_block() -> None:
    content = "```\n</details>\n@everyone\n````"
    text, _ = comment(report([], [manifest("ConfigMap", "a", data={"x": content})]), FULL_REPORT)
    assert "\n`````diff\n" in text


def test_control_characters_are_escaped() -> None:
    old, new = (manifest("ConfigMap", "a", data={"x": x}) for x in ("one", "\u202etwo\x1b"))
    text, _ = comment(report([old, manifest("Service", "b\u202e")], [new]), FULL_REPORT)
    for shown in ("\\u202etwo\\x1b", "- Service web/b\\u202e", "deletes Service web/b\\u202e"):
        assert shown in text
    assert text.replace("\n", "").isprintable()


def test_markup_in_a_name_is_escaped() -> None:
    text, _ = comment(report([manifest("Service", "<b>`@all`")], []), FULL_REPORT)
    assert "<summary><code>- Service web/&lt;b&gt;" in text
    assert "`` deletes Service web/<b>'@all' (routing) ``" in text
