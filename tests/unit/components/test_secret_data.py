"""The ``data`` field of a Secret."""

import pulumi

from components.secret_data import secret_data
from tests.unit.harness import run


def test_values_are_secret_and_base64_encoded() -> None:
    seen: list[tuple[str, bool]] = []

    def program() -> None:
        data = secret_data({"given": "hush ✓", "generated": pulumi.Output.from_input("drawn")})
        for value in data.values():
            pulumi.Output.all(value, value.is_secret()).apply(lambda both: seen.append(tuple(both)))

    run(program)
    assert seen == [("aHVzaCDinJM=", True), ("ZHJhd24=", True)]
