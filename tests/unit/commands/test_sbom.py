"""What the service is made of."""

import uuid

from commands.supply_chain.sbom import cyclonedx

BUILT = {
    "GoVersion": "go1.26.8",
    "Deps": [
        {"Path": "example.com/a", "Version": "v1.0.0"},
        {
            "Path": "example.com/b",
            "Version": "v1.0.0",
            "Replace": {"Path": "example.com/c", "Version": "v2.0.0"},
        },
    ],
}


def test_the_bill_of_materials_has_what_was_linked_in() -> None:
    document = cyclonedx(BUILT, "1.2.3")
    assert document["metadata"]["component"]["version"] == "1.2.3"
    assert [one["purl"] for one in document["components"]] == [
        "pkg:golang/stdlib@1.26.8",
        "pkg:golang/example.com/a@v1.0.0",
        "pkg:golang/example.com/c@v2.0.0",
    ]
    refs = [one["bom-ref"] for one in document["components"]]
    assert document["dependencies"] == [{"ref": "service", "dependsOn": refs}]


def test_the_same_modules_are_the_same_document_and_others_are_not() -> None:
    first = cyclonedx(BUILT, "1.2.3")
    assert first == cyclonedx(BUILT, "1.2.3")
    assert uuid.UUID(first["serialNumber"]).version == 5
    assert first["serialNumber"] != cyclonedx(BUILT, "1.2.4")["serialNumber"]
