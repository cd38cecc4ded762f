"""Real objects with the health that Argo CD gives them: those of Kubernetes and of add-ons, and all the others.

Read twice: as they are, where those stripped of every mark of an API server count as manifests; and with the time of
creation that was stripped put back, as they were when they lived.
"""

import gzip
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from addonctl.adapters.decoding import Decoder
from addonctl.adapters.files import File
from addonctl.adapters.sources.manifests import Collection
from addonctl.catalog import Catalog
from addonctl.health import judge
from addonctl.model import Cluster, View
from tests.builders import NOW

OURS_MIN, OTHERS_MIN = 0.97, 0.50
_OF_KUBERNETES = frozenset({"", "apps", "batch", "autoscaling", "policy", "argoproj.io"})


@dataclass
class Score:
    """How many of one sort were judged right; a line for each that was not."""

    right: int = 0
    missed: list[str] = field(default_factory=list)

    @property
    def share(self) -> float:
        return self.right / (self.right + len(self.missed))

    def __str__(self) -> str:
        return f"{self.share:.3f} of {self.right + len(self.missed)}"


def objects(path: Path) -> list[dict[str, Any]]:
    """The rows that hold an object at all, each named by its number, so that its health is found again."""
    with gzip.open(path, "rt") as lines:
        rows = [json.loads(line) for line in lines]
    rows = [row for row in rows if isinstance(row["obj"], dict)]
    for number, row in enumerate(rows):
        row["obj"]["metadata"] = {**(row["obj"].get("metadata") or {}), "name": f"row-{number}"}
    return rows


def score(rows: list[dict[str, Any]], catalog: Catalog, *, alive: bool) -> tuple[Score, Score]:
    """Of the kinds of Kubernetes and of the catalog's add-ons, and of the others."""
    decoder = Decoder(catalog)
    collection = Collection(decoder)
    for row in rows:
        marks = {"creationTimestamp": "2026-11-24T10:00:00Z"} if alive else {}
        document = {**row["obj"], "metadata": marks | row["obj"]["metadata"]}
        collection.add(File(row["kind"], body=json.dumps(document).encode()))
    view = View(collection.snapshot(Cluster(name="data", source="files"), NOW))
    said = {one.ref.name: one for one in judge(view)}
    ours, others = Score(), Score()
    for row in rows:
        group = row["apiVersion"].rpartition("/")[0]
        known = group in decoder.crd_groups or group in _OF_KUBERNETES or group.endswith("k8s.io")
        one, tally = said.get(row["obj"]["metadata"]["name"]), ours if known else others
        if one and one.health.value == row["expected"].lower():
            tally.right += 1
        else:
            got = f"{one.health} ({one.reason})" if one else "nothing"
            tally.missed.append(f"{row['apiVersion']} {row['kind']}: {got}, not {row['expected'].lower()}")
    return ours, others


def test_health_is_that_of_argo_cd(shared_data: Path, catalog: Catalog, capsys: pytest.CaptureFixture[str]) -> None:
    rows = objects(shared_data / "health" / "expected_health.jsonl.gz")
    ours, others = score(rows, catalog, alive=False)
    ours_alive, others_alive = score(rows, catalog, alive=True)
    with capsys.disabled():
        print(
            f"\nhealth of real objects: Kubernetes and add-ons {ours} as given, {ours_alive} as living; "
            f"others {others} as given, {others_alive} as living"
        )
        print("".join(f"  missed as given: {line}\n" for line in ours.missed), end="")
        print("".join(f"  missed as living: {line}\n" for line in ours_alive.missed), end="")
    assert ours.share >= OURS_MIN
    assert ours_alive.share == 1
    assert others.share >= OTHERS_MIN
