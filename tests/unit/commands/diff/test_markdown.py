"""The report as a comment."""

from pathlib import Path

from commands.diff.markdown import comment, marker
from tests.unit.commands.diff.samples import reported, sample

WHOLE = Path("out/diff/test.txt")
GITHUBS_LIMIT = 65_536


def test_a_comment_begins_with_the_marker_that_finds_it_again() -> None:
    text, _ = comment(reported([], []), WHOLE)
    assert text.startswith(f"{marker('test')}\n")
    assert marker("test") != marker("prod")


def test_warnings_stand_before_the_folded_details() -> None:
    text, _ = comment(reported([sample("Service", "a", {"x": 1})], []), WHOLE)
    assert text.index("1 removed") < text.index("deletes Service web/a") < text.index("<details>")


def test_a_comment_stays_below_the_limit_and_names_what_it_leaves_out() -> None:
    spec = {f"key{number}": "x" * 50 for number in range(100)}
    text, is_cut = comment(
        reported([], [sample("ConfigMap", f"map-{n:04}", spec) for n in range(2000)]), WHOLE
    )
    assert is_cut
    assert len(text) < GITHUBS_LIMIT
    assert "the whole is in `out/diff/test.txt`" in text
    assert "2000 added" in text
    assert text.count("<details>") == text.count("</details>") > 1


def test_one_long_object_does_not_crowd_out_the_others() -> None:
    long = sample("ConfigMap", "a-long", {f"key{n}": "x" * 80 for n in range(5000)})
    text, is_cut = comment(reported([], [long, sample("ConfigMap", "short", {"k": 1})]), WHOLE)
    assert is_cut
    assert "more lines" in text
    assert "ConfigMap web/short" in text


def test_a_small_comment_is_not_cut() -> None:
    text, is_cut = comment(reported([], [sample("Job", "a")]), WHOLE)
    assert not is_cut
    assert "Cut" not in text


def test_content_cannot_end_the_block_that_it_stands_in() -> None:
    content = "```\n</details>\n@everyone\n````"
    text, _ = comment(reported([], [sample("ConfigMap", "a", data={"x": content})]), WHOLE)
    assert "\n`````diff\n" in text


def test_a_name_cannot_be_markup() -> None:
    text, _ = comment(reported([sample("Service", "<b>`@all`")], []), WHOLE)
    assert "<summary><code>- Service web/&lt;b&gt;" in text
    assert "`` deletes Service web/<b>'@all' (routing) ``" in text
