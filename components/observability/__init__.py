"""What watches the service: metrics, alerts, logs, traces, dashboards."""
