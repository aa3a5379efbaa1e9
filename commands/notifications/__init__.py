"""Notifications of the events of releases: Slack, a webhook, annotations in Grafana."""

from commands.notifications.notifier import Notifier, VersionChange

__all__ = ["Notifier", "VersionChange"]
