"""The resource provider `kubernetes`: any kind that the API server knows, by server-side apply.

A reader may start at `provider.py`, which answers the engine, and follow one resource through
`diff.py`, `cluster.py` and `waiting.py`. What is kept in the stack's state is in `state.py`.
"""


def main(version: str) -> None:
    """Run the provider as a plugin process."""
    from plugins.kubernetes.provider import KubernetesProvider  # noqa: PLC0415 # no import cycle

    KubernetesProvider.main(version)
