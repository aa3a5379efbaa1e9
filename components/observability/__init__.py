"""Metrics, alerts, dashboards, logs and traces."""
