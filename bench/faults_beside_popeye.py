"""Claim: of the 67 faults of real add-ons, addonctl finds all where popeye v0.22.1 finds 36, and says a tenth as much
of the sound cluster (3 things, popeye 29).

The faults of tests/cluster/faults.py, one after the other on one real cluster. The same rule for both: a fault is
found by what is said at level warn or error (recommended or required), names one of the objects that the fault is
about or their pods, and was not said of the sound cluster. That favours popeye: an issue on the right object counts
whatever it says. Seconds are of this small cluster, where Python's start is most of ours; bench/cluster_scan.py
measures a large one. Needs root, Go and `python -m tests.cluster build control-plane nodes popeye`; not part of
`make bench`: `python -m bench.faults_beside_popeye`.
"""

import json
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from addonctl.model import Severity
from bench.measure import process_peak, table
from tests.cluster import build
from tests.cluster.addons import install
from tests.cluster.changes import Made, Object, Replaced, wait_until_sound
from tests.cluster.cluster import Cluster
from tests.cluster.faults import FAULTS, Fault, broken
from tests.cluster.test_faults import scan

_POPEYE = ("-A", "-o", "json", "--force-exit-zero")
_WARN = 2  # popeye's levels: ok, info, warn, error
# What Kubernetes appends to the name of a workload for its ReplicaSets and pods.
_SUFFIX = r"-[bcdfghjklmnpqrstvwxz2456789]{%s}"
_POD, _REPLICA_SET = re.compile(f"({_SUFFIX % '6,10'})?{_SUFFIX % '5'}$"), re.compile(f"{_SUFFIX % '6,10'}$")


@dataclass(frozen=True)
class Said:
    """One thing that a tool said of an object (namespace/name, or a name)."""

    about: str
    text: str


def popeye(cluster: Cluster) -> set[Said]:
    """What popeye says at warn and above; pods under the name of their workload, for pods come and go."""
    command = [str(build.POPEYE.folder / "popeye"), f"--kubeconfig={cluster.kubeconfig}", *_POPEYE]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(_issues(json.loads(done.stdout)))


def _issues(report: Object) -> Iterator[Said]:
    for section in report["popeye"]["sections"]:
        for about, issues in (section.get("issues") or {}).items():
            name = _APPENDED[section["linter"]].sub("", about) if section["linter"] in _APPENDED else about
            yield from (
                Said(name, f"{section['linter']}: {issue['message']}") for issue in issues if issue["level"] >= _WARN
            )


_APPENDED = {"pods": _POD, "replicasets": _REPLICA_SET}


def ours(cluster: Cluster, age_s: int = 0) -> set[Said]:
    """What addonctl says at recommended and above, of every object that it names."""
    found = (one for one in scan(cluster, age_s) if one.severity is not Severity.INFO)
    return {Said(name, f"{one.code} {one.subject}") for one in found for name in _named(str(one.subject))}


def _named(subject: str) -> set[str]:
    """The objects in a subject: Kind/namespace/name, Kind/name, or an installation's addon/namespace/name."""
    words = (word.rstrip(":").partition("/")[2] for word in subject.split())
    return {word for word in words if word} or {subject}


def concerned(fault: Fault) -> set[str]:
    """The objects that a fault is about: those that it changes, its cause, its effects."""
    names = set[str]()
    for _, subject in (fault.cause, *fault.effects):
        names |= _named(subject)
    for change in fault.changes:
        if isinstance(change, Made):
            names |= {_full(document["metadata"]) for document in change.documents}
        target, namespace = getattr(change, "target", ""), getattr(change, "namespace", "")
        if target and not isinstance(change, Replaced):
            name = target.partition("/")[2]
            names.add(f"{namespace}/{name}" if namespace else name)
    return names


def _full(meta: Object) -> str:
    return f"{meta['namespace']}/{meta['name']}" if meta.get("namespace") else str(meta["name"])


def found(said: set[Said], before: set[Said], fault: Fault) -> str:
    """What was said of the fault, or in naming what it is about: the first in the alphabet, empty when nothing was."""
    names = concerned(fault)
    return min((one.text for one in said - before if one.about in names or _mentions(one, names)), default="")


def _mentions(one: Said, names: set[str]) -> bool:
    return any("/" in name and name in one.text for name in names)


def compared(cluster: Cluster, fault: Fault, sound: tuple[set[Said], set[Said]]) -> tuple[str, str] | None:
    """What popeye and what addonctl found of a fault; None where the machine was too slow to make it."""
    try:
        with broken(cluster, fault, timeout_s=180):
            said = popeye(cluster), ours(cluster, fault.age_s)
    except TimeoutError as error:
        print(f"not compared: {error}", file=sys.stderr)
        wait_until_sound(cluster, timeout_s=300)
        return None
    return found(said[0], sound[0], fault), found(said[1], sound[1], fault)


def seconds(*command: str) -> float:
    return statistics.median(process_peak(*command).seconds for _ in range(3))


def main() -> None:
    with Cluster() as cluster:
        install(cluster)
        wait_until_sound(cluster)
        sound = popeye(cluster), ours(cluster)
        config = f"--kubeconfig={cluster.kubeconfig}"
        took = (
            seconds(str(build.POPEYE.folder / "popeye"), config, *_POPEYE),
            seconds(sys.executable, "-m", "addonctl", "findings", config, "-o", "json"),
        )
        rows = [("fault", "popeye v0.22.1", "addonctl")]
        for number, fault in enumerate(FAULTS, 1):
            print(f"\r{number} of {len(FAULTS)} faults", end="", file=sys.stderr, flush=True)
            if both := compared(cluster, fault, sound):
                rows.append((fault.name, both[0][:70], both[1][:70]))
    print(file=sys.stderr)
    table("faults on a real cluster, and what was said of them", [tuple(cell or "—" for cell in row) for row in rows])
    hits = [sum(bool(row[column]) for row in rows[1:]) for column in (1, 2)]
    only = [row[0] for row in rows[1:] if row[1] and not row[2]]
    table(
        "",
        [
            ("", "popeye v0.22.1", "addonctl"),
            ("faults found", f"{hits[0]} of {len(rows) - 1}", f"{hits[1]} of {len(rows) - 1}"),
            ("said of the sound cluster", str(len(sound[0])), str(len({one.text for one in sound[1]}))),
            ("seconds", f"{took[0]:.1f}", f"{took[1]:.1f}"),
        ],
    )
    print("found by popeye alone: " + (", ".join(only) or "none"))


if __name__ == "__main__":
    main()
