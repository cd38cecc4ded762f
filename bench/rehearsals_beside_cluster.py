"""Claim: what a plan does in the simulated twin of a cluster, it then does in the cluster.

python -m bench.rehearsals_beside_cluster lab [N] [--into FOLDER]     N real updates in the lab, each rehearsed before
python -m bench.rehearsals_beside_cluster compare FOLDER              the table of what is there already

In the lab (tests/cluster/lab.py) everything is real but EKS: CoreDNS, metrics-server and kube-proxy are updated there
and back by `addonctl update -o json`, each rehearsed before by the same command with --rehearse. Compared are the
outcome, the order of phases and waves, and how long each phase took, against the calm rehearsals; of an update that was
put back, against the rehearsals that were. Folders hold NUMBER.rehearsal.json and NUMBER.run.json, of any cluster.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import cycle, islice, pairwise
from pathlib import Path
from statistics import median
from typing import Any

from bench.measure import table

# There and back; of each add-on versions that are built of the same upstream release, and of CoreDNS one that is not.
UPDATES = (
    ("coredns", "v1.13.2-eksbuild.21"),
    ("metrics-server", "v0.9.0-eksbuild.5"),
    ("kube-proxy", "v1.36.0-eksbuild.15"),
    ("coredns", "v1.13.2-eksbuild.17"),
    ("metrics-server", "v0.9.0-eksbuild.6"),
    ("kube-proxy", "v1.36.0-eksbuild.14"),
)
REHEARSALS = 20
_TIMES = ("--baseline", "10s", "--soak", "10s", "--timeout", "90s")
_PATIENCE_S = 900.0
PHASES = ("preflight", "checkpoint", "baseline", "apply", "soak", "verify", "rolling-back")
# What a run ends as, in the words of a rehearsal.
_ENDS = {"rolled-back": "rolled back"}
Document = Mapping[str, Any]
Place = tuple[str, int, int]
"""A phase, with its step and wave."""


@dataclass(frozen=True)
class Course:
    """How one run went: its phases in order, each with the seconds that it took, and its end."""

    end: str
    places: tuple[Place, ...]
    seconds: tuple[float, ...]

    @property
    def took_s(self) -> float:
        return sum(self.seconds)

    def in_phase(self, phase: str) -> float:
        return sum(took for place, took in zip(self.places, self.seconds, strict=True) if place[0] == phase)


def course(end: str, entries: Sequence[tuple[Place, float]]) -> Course:
    """Of entries with their times; the last is the end, and takes none."""
    lasted = [after - at for (_, at), (_, after) in pairwise(entries)]
    return Course(end, tuple(place for place, _ in entries[:-1]), tuple(lasted))


def of_run(document: Document) -> Course:
    """Of `addonctl update -o json`."""
    entries = [(_place(each), datetime.fromisoformat(each["at"]).timestamp()) for each in document["timeline"]]
    outcome = str(document["outcome"])
    return course(_ENDS.get(outcome, outcome), entries)


def of_rehearsal(document: Document) -> list[tuple[str, Course]]:
    """Of `addonctl update --rehearse -o json`: the weather and the course of each run."""
    return [
        (run["weather"], course(run["end"], [(_place(each), each["at_s"]) for each in run["timeline"]]))
        for run in document["runs"]
    ]


def _place(entry: Document) -> Place:
    return entry["phase"], entry["step"], entry["wave"]


@dataclass(frozen=True)
class Comparison:
    """A real run beside the rehearsals that it is to be like. `predicted`: what calm rehearsals ended as, mostly."""

    goal: str
    real: Course
    predicted: str
    like: tuple[Course, ...]

    @property
    def same_order(self) -> bool:
        return any(self.real.places == each.places for each in self.like)

    @property
    def same_end(self) -> bool:
        return self.real.end == self.predicted

    def rehearsed_s(self, phase: str = "") -> list[float]:
        return [each.in_phase(phase) if phase else each.took_s for each in self.like]


def compared(rehearsal: Document, run: Document) -> Comparison:
    real, rehearsed = of_run(run), of_rehearsal(rehearsal)
    calm = [each for weather, each in rehearsed if weather == "calm"]
    ends = [each.end for each in calm]
    alike = [each for each in calm if each.end == real.end] or [each for _, each in rehearsed if each.end == real.end]
    return Comparison(str(run["goal"]), real, max(set(ends), key=ends.count), tuple(alike))


def read(folder: Path) -> Iterator[Comparison]:
    for found in sorted(folder.glob("*.run.json")):
        rehearsal = folder / found.name.replace(".run.", ".rehearsal.")
        yield compared(json.loads(rehearsal.read_text()), json.loads(found.read_text()))


# ── Tables ──────────────────────────────────────────────────────────────────────────────────────────────────────


def shown(found: Sequence[Comparison]) -> None:
    head = ("update", "ended", "rehearsed", "same order", "took s", "rehearsed s (least to most)")
    rows = [head, *(_row(each) for each in found)]
    table(f"{len(found)} real updates beside {REHEARSALS} rehearsals of each", rows)
    orders, ends = (sum(map(of, found)) for of in (_same_order, _same_end))
    print(f"same outcome: {ends} of {len(found)}; same order of phases and waves: {orders} of {len(found)}")
    table("seconds in a phase, median over the updates", list(_phases(found)))


def _same_order(one: Comparison) -> bool:
    return one.same_order


def _same_end(one: Comparison) -> bool:
    return one.same_end


def _row(one: Comparison) -> tuple[str, ...]:
    rehearsed = one.rehearsed_s()
    span = f"{median(rehearsed):.0f} ({min(rehearsed):.0f} to {max(rehearsed):.0f})" if rehearsed else "none like it"
    order = "yes" if one.same_order else "no"
    return one.goal, one.real.end, one.predicted, order, f"{one.real.took_s:.0f}", span


def _phases(found: Sequence[Comparison]) -> Iterator[tuple[str, ...]]:
    yield "", "updates", "real", "rehearsed", "real less rehearsed, least to most"
    for phase in PHASES:
        pairs = [
            (one.real.in_phase(phase), median(one.rehearsed_s(phase)))
            for one in found
            if one.like and any(place[0] == phase for place in one.real.places)
        ]
        if pairs:
            off = sorted(real - rehearsed for real, rehearsed in pairs)
            real, rehearsed = (f"{median(each):.1f}" for each in zip(*pairs, strict=True))
            yield phase, str(len(pairs)), real, rehearsed, f"{off[0]:+.1f} to {off[-1]:+.1f}"


# ── In the lab ──────────────────────────────────────────────────────────────────────────────────────────────────


def in_the_lab(updates: Iterable[tuple[str, str]], folder: Path) -> None:
    """Rehearses and carries out one update after the other."""
    from tests.cluster import build
    from tests.cluster.lab import NAME, Lab

    if absent := build.missing("control-plane", "nodes", "helm"):
        raise SystemExit(f"The lab needs {', '.join(absent)}: python -m tests.cluster build")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the lab is cleaned up on the way out
    with Lab() as lab:
        lab.update_s = 600  # as in life, EKS waits longer than a wave lasts
        environment = {**os.environ, **lab.environment, "ADDONCTL_STATE_DIR": str(folder / "state")}
        done = len(list(folder.glob("*.run.json")))  # of a lab before
        for number, (addon, version) in enumerate(updates, start=done + 1):
            words = ("update", addon, "--to", version, "--eks", NAME, *_TIMES, "-o", "json")
            for kind, more in (("rehearsal", ("--rehearse", "--runs", str(REHEARSALS))), ("run", ("--yes",))):
                document = _said(environment, *words, *more)
                (folder / f"{number:03d}.{kind}.json").write_text(json.dumps(document))
            print(f"{number}: {addon} to {version}: {document['outcome']}", file=sys.stderr, flush=True)


def _said(environment: Mapping[str, str], *words: str) -> Document:
    done = subprocess.run(
        [sys.executable, "-m", "addonctl", *words],
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=_PATIENCE_S,
        check=False,
    )
    try:
        document: Document = json.loads(done.stdout)
    except ValueError:
        raise SystemExit(f"addonctl {' '.join(words)} exited with {done.returncode}:\n{done.stderr}") from None
    return document


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    lab = commands.add_parser("lab", help="real updates, each rehearsed before")
    lab.add_argument("updates", nargs="?", type=int, default=24, metavar="N")
    lab.add_argument("--into", type=Path, default=None, metavar="FOLDER")
    commands.add_parser("compare", help="what is there already").add_argument("folder", type=Path)
    given = parser.parse_args(arguments)
    folder = given.folder if given.command == "compare" else given.into or Path(tempfile.mkdtemp(prefix="rehearsals-"))
    if given.command == "lab":
        folder.mkdir(parents=True, exist_ok=True)
        in_the_lab(islice(cycle(UPDATES), given.updates), folder)
        print(f"documents: {folder}")
    shown(list(read(folder)))


if __name__ == "__main__":
    main()
