"""Real objects with the health that Argo CD gives them: those of Kubernetes and of add-ons, and all the others.

Read twice: as they are, where those stripped of every mark of an API server count as manifests; and with the time of
creation that was stripped put back, as they were when they lived.

Of a kind without a rule of its own, the figure is that of kinds that nobody looked at while the general rules were
written: every custom resource is judged by the general rules alone, also where its kind has a rule, and without each
word and rule that only its own API group among the labelled ones is judged right by (leave one group out).
"""

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from addonctl.adapters import decoding
from addonctl.adapters.decoding import Decoder
from addonctl.adapters.files import File
from addonctl.adapters.sources.manifests import Collection
from addonctl.catalog import Catalog
from addonctl.health import general_rules, judge, status_rules
from addonctl.model import Cluster, Health, OtherObject, View
from tests.builders import NOW

OURS_MIN, OTHERS_MIN, UNSEEN_MIN, DECIDABLE_MIN = 0.97, 0.71, 0.66, 0.70
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


# ── Kinds that nobody looked at ─────────────────────────────────────────────────────────────────────────────────

Labelled = tuple[OtherObject, str]


def of_no_kind(rows: list[dict[str, Any]], catalog: Catalog, patch: pytest.MonkeyPatch) -> list[Labelled]:
    """All custom resources with their label, read as those of kinds that no table has."""
    patch.setattr(decoding, "rule_for", lambda group, kind: (None, False))
    collection = Collection(Decoder(catalog))
    for row in rows:
        metadata = {"creationTimestamp": "2026-11-24T10:00:00Z", **row["obj"]["metadata"]}
        collection.add(File(row["kind"], body=json.dumps({**row["obj"], "metadata": metadata}).encode()))
    expected = {row["obj"]["metadata"]["name"]: row["expected"].lower() for row in rows}
    others = collection.snapshot(Cluster(name="data", source="files"), NOW).others
    return [(it, expected[it.name]) for it in others]


def right(labelled: list[Labelled]) -> frozenset[int]:
    return frozenset(
        number
        for number, (it, expected) in enumerate(labelled)
        if (Health.PROGRESSING if it.deleting else (general_rules.by_conditions(it) or ("", ""))[0]) == expected
    )


_VOCABULARIES = (
    (status_rules, "_WORDS"),
    (status_rules, "_BEGUN"),
    (status_rules, "_FAILED"),
    (status_rules, "_DENIALS"),
    (general_rules, "_TROUBLES"),
    (general_rules, "_SUCCESSES"),
    (general_rules, "_SUMMARIES"),
    (general_rules, "_ENDING"),
    (general_rules, "_PHASES"),
    (general_rules, "IN_ORDER"),
)


@contextmanager
def without(module: Any, name: str, part: Any) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        kept = getattr(module, name)
        left = [each for each in kept if each is not part]
        patch.setattr(module, name, {each: kept[each] for each in left} if isinstance(kept, dict) else type(kept)(left))
        yield


def owed_to_itself(labelled: list[Labelled], judged: frozenset[int]) -> frozenset[int]:
    """Those that are judged right by a word or rule that is of use to their own API group alone."""
    own: set[int] = set()
    for module, name in _VOCABULARIES:
        for part in tuple(getattr(module, name)):
            with without(module, name, part):
                lost = judged - right(labelled)
            if len({labelled[number][0].group for number in lost}) == 1:
                own |= lost
    return frozenset(own)


def says_nothing(it: OtherObject) -> bool:
    """No condition and no word of state: there is nothing that a rule for any kind could read."""
    return not (it.conditions or it.parents or it.words or it.nested)


def test_kinds_that_nobody_looked_at(
    shared_data: Path, catalog: Catalog, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    labelled = of_no_kind(objects(shared_data / "health" / "expected_health.jsonl.gz"), catalog, monkeypatch)
    judged = right(labelled)
    unseen = judged - owed_to_itself(labelled, judged)
    telling = {number for number, (it, _) in enumerate(labelled) if not says_nothing(it) and not it.deleting}
    of_all, of_telling = len(unseen) / len(labelled), len(unseen & telling) / len(telling)
    with capsys.disabled():
        print(
            f"\nhealth by the general rules alone: {len(judged) / len(labelled):.3f} of {len(labelled)}; "
            f"leave one API group out: {of_all:.3f}, {of_telling:.3f} of the {len(telling)} whose status says something"
        )
    assert of_all >= UNSEEN_MIN
    assert of_telling >= DECIDABLE_MIN
