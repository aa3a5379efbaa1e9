"""The everyday tasks around ``pulumi up``: what ``make`` runs."""
