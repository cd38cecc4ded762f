"""Edges in real manifests against a list made by hand: tests/core/edges.jsonl, complete for each file that it names."""

import json
from collections import defaultdict
from pathlib import Path

import pytest

from addonctl.adapters.decoding import Decoder
from addonctl.adapters.sources import manifests
from addonctl.catalog import Catalog
from addonctl.dependencies import find_dependencies
from addonctl.inventory import take_inventory
from addonctl.model import EdgeType, View
from tests.builders import NOW

_Edge = tuple[str, str, str, str]
# Not in the list: they follow from other edges (admission, metrics), or are of kinds that no manifest holds.
_BEYOND = (EdgeType.ADMISSION, EdgeType.METRICS)


def expected() -> dict[str, set[_Edge]]:
    found: dict[str, set[_Edge]] = defaultdict(set)
    for line in (Path(__file__).parent / "edges.jsonl").read_text().splitlines():
        edge = json.loads(line)
        found[edge["file"]].add((edge["from"], edge["to"], edge["type"], edge["strength"]))
    return found


def found_in(path: Path, catalog: Catalog) -> set[_Edge]:
    snapshot = manifests.read([str(path)], Decoder(catalog), taken=NOW, name="manifest")
    view = View(snapshot)
    graph = find_dependencies(view, take_inventory(view, catalog), catalog)
    return {
        (str(edge.source), str(edge.target), edge.type.value, edge.strength.value)
        for edge in graph.edges
        if edge.type not in _BEYOND
    }


def test_edges_of_real_manifests(shared_data: Path, catalog: Catalog, capsys: pytest.CaptureFixture[str]) -> None:
    wanted_all = found_all = right = 0
    lines = []
    for name, wanted in sorted(expected().items()):
        found = found_in(shared_data / "manifests" / name, catalog)
        wanted_all, found_all, right = wanted_all + len(wanted), found_all + len(found), right + len(wanted & found)
        lines += [f"  missed {name}: {' '.join(edge)}" for edge in sorted(wanted - found)]
        lines += [f"  not so {name}: {' '.join(edge)}" for edge in sorted(found - wanted)]
    precision, recall = right / found_all, right / wanted_all
    with capsys.disabled():
        print(f"\nedges of manifests: precision {precision:.3f} of {found_all}, recall {recall:.3f} of {wanted_all}")
        print("\n".join(lines))
    assert precision >= 0.99
    assert recall >= 0.98
