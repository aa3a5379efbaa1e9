"""Alerts on External Secrets, from its own metrics."""

from components.observability.rule import RuleGroup, alert, rule_group

NOT_SYNCED = 'externalsecret_status_condition{condition="Ready",status="False"}'
NOT_READY = 'secretstore_status_condition{condition="Ready",status="False"}'
"""Series with the value 1 for an object that has failed."""


def external_secrets_rules() -> list[RuleGroup]:
    """Alerts on all ExternalSecrets and SecretStores that the controller watches."""
    return [
        rule_group(
            "external-secrets",
            [
                alert(
                    "ExternalSecretNotSynced",
                    "ticket",
                    f"max by (namespace, name) ({NOT_SYNCED}) == 1",
                    "An external secret cannot be read",
                    "ExternalSecret {{ $labels.namespace }}/{{ $labels.name }} has not been read "
                    "for 5 minutes: its Secret keeps the last value.",
                    for_="5m",
                ),
                alert(
                    "SecretStoreNotReady",
                    "ticket",
                    f"max by (namespace, name) ({NOT_READY}) == 1",
                    "A secret store cannot be used",
                    "External Secrets has not been able to use SecretStore {{ $labels.namespace }}/"
                    "{{ $labels.name }} for 5 minutes: no value is read from it.",
                    for_="5m",
                ),
            ],
        )
    ]
