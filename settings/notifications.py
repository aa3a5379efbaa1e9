"""``slipway:notifications``."""

from collections.abc import Iterator

from settings.errors import MISSING, FieldError
from settings.secret import SecretToken, SecretUrl
from settings.section import Section
from settings.string_formats import SlackChannel, Url


class SlackSettings(Section):
    """Slack channel: `webhook`, or `botToken` and `channel` for one thread per release."""

    webhook: SecretUrl | None = None
    """URL of an incoming webhook of Slack, or of a server that accepts the same requests, such as
    Mattermost. Its messages are not in threads."""
    bot_token: SecretToken | None = None
    """Bot token of a Slack app with the scope `chat:write`. The app is a member of the channel."""
    channel: SlackChannel | None = None
    """ID or name of the channel for `botToken`."""
    api_url: Url = "https://slack.com/api"
    """Base URL of Slack's Web API, for `botToken`."""

    def cross_field_errors(self) -> Iterator[FieldError]:
        if self.webhook and self.bot_token:
            yield FieldError("webhook", self.webhook, "either webhook or botToken")
        if self.bot_token and not self.channel:
            yield FieldError("channel", MISSING, "the ID of the channel, with botToken")
        if not self.webhook and not self.bot_token:
            yield FieldError("webhook", MISSING, "webhook, or botToken and channel")
        if self.webhook and self.channel:
            yield FieldError("channel", self.channel, "channel with botToken only")


class NotificationsSettings(Section):
    """Receivers of the events of releases. Default: none."""

    slack: SlackSettings | None = None
    """Default: none."""
    webhook: SecretUrl | None = None
    """URL that gets each event as JSON in a POST request. Default: none."""
    dashboard_url: Url | None = None
    """URL of the dashboards, as the link in the messages. In CI, the link is the run. Default: no
    link."""
