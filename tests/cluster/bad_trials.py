"""Tries bad versions on the real cluster: what became of each, how soon it was seen, what it cost.

`python -m tests.cluster.bad_trials [NAME…] [--owner EKS] [--results FILE]` tries those whose names contain one of the
words, and prints a table; with a file, what was tried before is kept there and printed, too. addonctl is run as users
run it, by its command line, with its own preflight; nothing here asks it what happened but for the phases of its run.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from addonctl.adapters.api_connection import connect
from addonctl.adapters.api_objects import ApiObjects
from addonctl.errors import AddonctlError
from addonctl.model import live
from bench.measure import table
from tests.cluster.bad_versions import (
    BADS,
    COREDNS,
    GATEKEEPER,
    METRICS,
    PROXY,
    SOUND_VERSIONS,
    Bad,
    Document,
)
from tests.cluster.bad_worlds import NAMESPACES, Offer, World, worlds
from tests.cluster.changes import condition, got
from tests.cluster.cluster import DNS_ADDRESS, Cluster
from tests.cluster.traffic import Accounted, Calls, Traffic

# A soak of the default length would be a minute; whoever is caught is caught before.
TIMES = ("--baseline", "5s", "--soak", "30s", "--timeout", "30s")
_PATIENCE_S = 300
_LOOK_S = 0.25
_LINGERS_S = 2  # requests that are asked after the end, and are lost, are ours as well
_PODS = live.Kind("", "Pod")


# ── What happens meanwhile ──────────────────────────────────────────────────────────────────────────────────────


@dataclass
class _Seen:
    """When a new pod was first seen at all, running, ready, failing: Unix times, 0 where it never was."""

    there: float = 0
    node: str = ""
    running: float = 0
    ready: float = 0
    failing: float = 0

    @property
    def bad(self) -> float:
        """When it first served, else failed, else ran without getting ready, else waited."""
        return self.ready or self.failing or self.running or self.there


class Watch:
    """Looks at the pods of an add-on all the time: which of them run the new image, which are ready."""

    def __init__(self, world: World, addon: str, image: str) -> None:
        self._objects = ApiObjects(connect(None, str(world.cluster.kubeconfig)))
        self._namespace, self._labels = NAMESPACES.get(addon, "kube-system"), world.labels(addon)
        self._image = image
        self._ended, self._thread = threading.Event(), threading.Thread(target=self._look_on, daemon=True)
        self._new: dict[str, _Seen] = {}
        self._ready: list[tuple[float, int, int]] = []  # (when, new ones, old ones)

    def __enter__(self) -> Self:
        self._look()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look_on(self) -> None:
        while not self._ended.wait(_LOOK_S):
            try:
                self._look()
            except AddonctlError:
                continue  # an API server that does not answer shows no pods

    def _look(self) -> None:
        pods = [dict(each.document) for each in self._objects.list(_PODS, self._namespace, self._labels)]
        now, new, old = time.time(), 0, 0
        for pod in pods:
            ready = condition(pod, "Ready") == "True"
            if pod["spec"]["containers"][0]["image"] != self._image:
                old += ready
                continue
            new += ready
            self._note(self._new.setdefault(pod["metadata"]["uid"], _Seen()), pod, now, ready=ready)
        self._ready.append((now, new, old))

    @staticmethod
    def _note(seen: _Seen, pod: Document, now: float, *, ready: bool) -> None:
        status: Document = next(iter(pod["status"].get("containerStatuses") or ()), {})
        state, last = status.get("state") or {}, status.get("lastState") or {}
        waits = (state.get("waiting") or {}).get("reason", "ContainerCreating")
        failing = "terminated" in {**state, **last} or ("waiting" in state and waits != "ContainerCreating")
        seen.there, seen.node = seen.there or now, pod["spec"].get("nodeName", "")
        seen.running = seen.running or ("running" in state and now) or 0
        seen.ready = seen.ready or (ready and now) or 0
        seen.failing = seen.failing or (failing and now) or 0

    def bad_at(self, bad: Bad) -> float | None:
        """When the first new pod served or failed, or the fault of one that ran began; on its node, if it has one."""
        seen = [each for each in self._new.values() if not bad.node or each.node == bad.node]
        found = [max(each.bad, each.running + bad.shows_s if bad.shows_s else 0) for each in seen]
        return min(found, default=None)

    @property
    def ready_at_first(self) -> int:
        """How many served before anything was changed."""
        return self._ready[0][2]

    def restored_at(self, after: float) -> float | None:
        """From when on none that is new served, and as many old ones as before; None: not at the end."""
        since: float | None = None
        for when, new, old in self._ready:
            as_before = when >= after and not new and old >= self.ready_at_first
            since = (since or when) if as_before else None
        return since

    @property
    def fewest(self) -> int:
        """How few pods were ready at some time."""
        return min(new + old for _, new, old in self._ready)


def traffic(cluster: Cluster, bad: Bad) -> Accounted:
    """At least 100 requests a second of those that the add-on serves."""
    if bad.addon in (COREDNS, PROXY):
        return Traffic(cluster.namespaces, DNS_ADDRESS)
    usual = {GATEKEEPER: "admissions", METRICS: "metrics"}
    return Calls(bad.traffic or usual[bad.addon], cluster.kubeconfig)


_COMPARED = "deploy,ds,sts,svc,cm,sa,pdb,roles,rolebindings,resourcequotas"
_CLUSTER_WIDE = (
    "crd,clusterroles,clusterrolebindings,apiservices,validatingwebhookconfigurations,mutatingwebhookconfigurations"
)


def state(cluster: Cluster, addon: str) -> dict[str, Document]:
    """All that an update of the add-on might have changed, without status and bookkeeping."""
    found = got(cluster, _COMPARED, "-n", NAMESPACES.get(addon, "kube-system")) + got(cluster, _CLUSTER_WIDE)
    return {f"{each['kind']}/{each['metadata']['name']}": live.normalised(each) for each in found}


# ── What came of it ─────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(kw_only=True)
class Outcome:
    """What became of one bad version; times are Unix times."""

    name: str
    what: str
    owner: str
    addon: str
    by: str = "addonctl"
    code: int = 0
    outcome: str = ""
    why: str = ""
    refused: list[str] = field(default_factory=list)  # codes of preflight, whose risk was then accepted
    began_at: float = 0
    changed_at: float | None = None
    bad_at: float | None = None
    verdict_at: float | None = None
    restored_at: float | None = None
    ended_at: float = 0
    differs: list[str] = field(default_factory=list)
    sent: int = 0
    lost: int = 0
    lost_last_at: float | None = None
    fewest: int = 0

    @property
    def detected_s(self) -> float | None:
        """From the first bad instance that served or failed to the verdict."""
        return None if self.bad_at is None or self.verdict_at is None else max(self.verdict_at - self.bad_at, 0)

    @property
    def rolled_back_s(self) -> float | None:
        """From the verdict until the old version alone serves, and no request is lost any more."""
        if self.verdict_at is None or self.restored_at is None:
            return None
        return max(self.restored_at, self.lost_last_at or 0) - self.verdict_at

    @property
    def all_back_s(self) -> float | None:
        """From the verdict until the run has ended."""
        return None if self.verdict_at is None else self.ended_at - self.verdict_at

    def row(self) -> tuple[str, ...]:
        code = f"{self.code}, at first 3: {' '.join(self.refused)}" if self.refused else str(self.code)
        same = "yes" if not self.differs else ", ".join(self.differs)[:60]
        times = (_seconds(each) for each in (self.detected_s, self.rolled_back_s, self.all_back_s))
        return (self.what, self.owner, self.addon, self.outcome, code, *times, same, f"{self.lost} of {self.sent}")


HEAD = ("what was broken", "owner", "add-on", "outcome", "exit", "detected", "rolled back", "all as before",
        "state equals the checkpoint", "lost")  # fmt: skip


def _seconds(value: float | None) -> str:
    return "—" if value is None else f"{value:.1f} s"


class Failed(Exception):
    """A trial that could not be made."""


Mover = Callable[[World, Bad, Offer, Outcome], None]
"""Updates to the bad version by some tool, and notes exit code, outcome and times."""


def tried(world: World, bad: Bad, move: Mover, by: str = "addonctl") -> Outcome:
    """One trial, from an add-on that is sound to one that is sound again."""
    world.settle(bad.addon)
    before, owned = state(world.cluster, bad.addon), world.owned(bad.addon)
    offer = world.offer(bad)
    found = Outcome(name=bad.name, what=bad.what, owner=bad.owner, addon=bad.addon, by=by)
    with traffic(world.cluster, bad) as asked, Watch(world, bad.addon, offer.image) as watch:
        time.sleep(2)
        found.began_at = time.time()
        try:
            move(world, bad, offer, found)
        finally:
            world.withdraw(bad)
        found.ended_at = found.ended_at or time.time()
        time.sleep(_LINGERS_S)
    account = asked.account
    found.sent, found.lost = account.sent, len(account.lost_at)
    found.lost_last_at = max(account.lost_at) + account.began if account.lost_at else None
    found.fewest = watch.fewest
    found.bad_at = watch.bad_at(bad)
    if found.verdict_at is not None and (found.bad_at is None or found.bad_at > found.verdict_at):
        found.bad_at = found.changed_at  # no pod shows it
    if turned_at := found.verdict_at or found.bad_at:
        found.restored_at = watch.restored_at(turned_at)
    after = state(world.cluster, bad.addon)
    found.differs = [
        f"{each} {_otherwise(before, after, each)}"
        for each in sorted({*before, *after})
        if before.get(each) != after.get(each)
    ]
    if (kept := world.owned(bad.addon)) != owned:
        found.differs.append(f"{bad.owner} keeps {kept}, not {owned}")
    if found.differs:
        world.repair(bad.addon)
    return found


def _otherwise(before: Mapping[str, Document], after: Mapping[str, Document], name: str) -> str:
    """What of an object is not as it was: its fields, two levels deep."""
    was, now = (
        {f"{key}.{inner}": value for key, held in each.get(name, {}).items() for inner, value in _inside(held)}
        for each in (before, after)
    )
    return ", ".join(sorted(key for key in {*was, *now} if was.get(key) != now.get(key)))


def _inside(held: Any) -> Iterable[tuple[str, Any]]:
    return held.items() if isinstance(held, dict) else (("", held),)


def by_addonctl(world: World, bad: Bad, offer: Offer, found: Outcome) -> None:
    """As a user updates; what preflight refuses is said, and then the risk is taken."""
    code, document = _updated(world, bad, offer)
    if code == 3 and document["kind"] == "Plan":
        codes = {each["code"] for each in document["findings"] if each["severity"] == "required"}
        found.refused = sorted(codes)
        found.why = "; ".join(each["title"] for each in document["findings"] if each["severity"] == "required")
        code, document = _updated(
            world, bad, offer, *(word for each in found.refused for word in ("--accept-risk", each))
        )
    found.code, found.outcome = code, document.get("outcome") or "refused"
    found.why = document.get("why") or found.why
    for entry in document.get("timeline", ()):
        at = datetime.fromisoformat(entry["at"]).timestamp()
        if entry["phase"] == "apply":
            found.changed_at = found.changed_at or at
        if entry["phase"] in ("rolling-back", "stuck") and found.verdict_at is None:
            found.verdict_at = at
        found.ended_at = at


def _updated(world: World, bad: Bad, offer: Offer, *words: str) -> tuple[int, Document]:
    command = [
        sys.executable,
        "-m",
        "addonctl",
        "update",
        bad.addon,
        *offer.words,
        *words,
        "--yes",
        *TIMES,
        "-o",
        "json",
    ]
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, **world.environment, "ADDONCTL_STATE_DIR": folder}
        process = subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            out, error = process.communicate(timeout=_PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
            out, error = process.communicate(timeout=_PATIENCE_S)
    if not out.startswith("{"):
        raise Failed(f"{' '.join(command[2:])}: {error[-2000:]}")
    document: Document = json.loads(out)
    return process.returncode, document


# ── By hand ─────────────────────────────────────────────────────────────────────────────────────────────────────


def print_table(found: Sequence[Outcome]) -> None:
    table(f"{len(found)} bad versions on a real cluster", [HEAD, *(each.row() for each in found)])
    for name in ("detected_s", "rolled_back_s"):
        times = sorted(value for each in found if (value := getattr(each, name)) is not None)
        if len(times) > 1:
            p95 = statistics.quantiles(times, n=20, method="inclusive")[-1]
            print(
                f"{name}: median {statistics.median(times):.1f}, p95 {p95:.1f}, most {times[-1]:.1f}, of {len(times)}"
            )


def read(file: Path) -> list[Outcome]:
    """What was tried before; of what was tried twice, the later."""
    lines = file.read_text().splitlines() if file.exists() else []
    kept = {(found["by"], found["name"]): found for found in map(json.loads, lines)}
    return [Outcome(**found) for found in kept.values()]


def keep(file: Path | None, found: Outcome) -> None:
    if file:
        with file.open("a") as handle:
            handle.write(json.dumps(asdict(found)) + "\n")


def chosen(words: Sequence[str], owner: str) -> list[Bad]:
    """Those whose names contain one of the words, in their order; without words, all that are bad."""
    of_owner = [bad for bad in (*BADS, *SOUND_VERSIONS) if owner.lower() in ("", bad.owner.lower())]
    found = [bad for word in words for bad in of_owner if word in bad.name]
    return list(dict.fromkeys(found)) if words else [bad for bad in of_owner if bad in BADS]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.bad_trials", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="parts of names; all if none is given")
    parser.add_argument("--owner", default="", help="EKS, Helm, manifests or Argo CD")
    parser.add_argument("--results", type=Path, metavar="FILE", help="where what was tried is kept")
    parser.add_argument("--list", action="store_true", help="print the names")
    given = parser.parse_args()
    bads = chosen(given.names, given.owner)
    if given.list:
        print("\n".join(bad.name for bad in bads))
        return
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for world, of_it in worlds(bads, Path(folder)):
            for bad in of_it:
                try:
                    found.append(tried(world, bad, by_addonctl))
                except (Failed, RuntimeError, TimeoutError) as error:
                    print(f"{bad.name}: not tried: {error}", file=sys.stderr, flush=True)
                    continue
                keep(given.results, found[-1])
                print("  ".join(found[-1].row()), f"({found[-1].why})", file=sys.stderr, flush=True)
    print_table(read(given.results) if given.results else found)


if __name__ == "__main__":
    main()
