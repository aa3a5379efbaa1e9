"""Word to a team that something was deployed, or failed."""

from commands.notify import main as notify
from commands.notify import send


def test_nobody_is_told_without_a_webhook(monkeypatch, capsys) -> None:
    monkeypatch.delenv("SLACK_WEBHOOK_URL", raising=False)
    assert notify(["--text", "done"]) == 0
    assert "nobody is told" in capsys.readouterr().out


def test_an_address_that_cannot_be_used_is_not_shown() -> None:
    assert send("https://hooks.example.com/a secret", "done") == "InvalidURL"


def test_a_webhook_is_told_over_https_only() -> None:
    assert send("file:///etc/passwd", "done") == "it is no https:// address"
