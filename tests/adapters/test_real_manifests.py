"""Real renders of charts and released manifests, read as files: what is in them is found, nothing else is.

`index.json` beside the renders says what is in each: `expect` must be found, `parts` may be, any of `versions` is
right.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from addonctl.adapters.decoding import Decoder
from addonctl.adapters.sources import manifests
from addonctl.catalog import Catalog
from addonctl.inventory import take_inventory
from addonctl.model import Installation, View
from tests.builders import NOW

RECOGNISED_MIN, VERSION_MIN = 0.99, 0.97


@dataclass
class Tally:
    """What was right and what was missed over all renders."""

    expected: int = 0
    versions: int = 0
    missed: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)


def judge(tally: Tally, entry: dict[str, Any], rows: list[Installation], known: set[str]) -> None:
    """Holds the rows of one render against its entry in the index.

    Of add-ons that the index does not know, since they joined the catalogue later, a render may be: its folder says so.
    """
    found = {row.addon for row in rows}
    for addon in entry["expect"]:
        tally.expected += 1
        if addon not in found:
            tally.missed.append(f"{entry['file']}: {addon}")
    for addon in sorted(found - set(entry["expect"]) - set(entry["parts"])):
        if addon in known or entry["file"].partition("/")[0] not in addon:
            tally.extra.append(f"{entry['file']}: {addon}")
    if not entry["expect"] or entry.get("version_optional"):
        return
    first = next((row for row in rows if row.addon == entry["expect"][0]), None)
    tally.versions += 1
    said = str(first.version or f"unknown ({first.version_unknown_reason})") if first else "not found"
    if said.removeprefix("v") not in entry["versions"]:
        tally.wrong.append(f"{entry['file']}: {said}, not {' or '.join(entry['versions'])}")


def known_to(index: list[dict[str, Any]]) -> set[str]:
    """The add-ons that an index knows."""
    return {addon for entry in index for addon in (*entry["expect"], *entry["parts"])}


@pytest.mark.parametrize("every", [3, pytest.param(1, marks=pytest.mark.prove)])
def test_renders_are_recognised(
    every: int, shared_data: Path, catalog: Catalog, capsys: pytest.CaptureFixture[str]
) -> None:
    tally, index = Tally(), json.loads((shared_data / "manifests" / "index.json").read_text())
    known = known_to(index)
    for entry in index[::every]:
        path = shared_data / "manifests" / entry["file"]
        snapshot = manifests.read([str(path)], Decoder(catalog), taken=NOW)
        judge(tally, entry, list(take_inventory(View(snapshot), catalog).installations), known)
    recognised = 1 - len(tally.missed) / tally.expected
    right = 1 - len(tally.wrong) / tally.versions
    with capsys.disabled():
        print(
            f"\nrenders read as files: recognised {recognised:.3f} of {tally.expected}, "
            f"version right {right:.3f} of {tally.versions}, not there {len(tally.extra)}"
        )
        for kind in ("missed", "wrong", "extra"):
            print("".join(f"  {kind}: {line}\n" for line in getattr(tally, kind)), end="")
    assert recognised >= RECOGNISED_MIN
    assert right >= VERSION_MIN
    assert not tally.extra
