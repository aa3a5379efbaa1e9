"""Stand-ins for the plugins that the Pulumi CLI would otherwise download."""
