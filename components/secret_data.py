"""The values of a Secret."""

from base64 import b64encode
from collections.abc import Mapping

import pulumi


def secret_data(values: Mapping[str, pulumi.Input[str]]) -> dict[str, pulumi.Output[str]]:
    """The ``data`` of a Secret: secret, and in Base64.

    Not ``stringData``: the provider makes it ``data`` as soon as its values are known, so an update
    would do another thing than its plan says of a Secret whose value is generated.
    """
    return {key: pulumi.Output.secret(value).apply(_encoded) for key, value in values.items()}


def _encoded(value: str) -> str:
    return b64encode(value.encode()).decode()
