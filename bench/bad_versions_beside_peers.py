"""Claim: of the same bad versions of CoreDNS, addonctl puts back those that serve badly, too, and loses the least.

`python -m bench.bad_versions_beside_peers [NAME…] [--way WAY] [--results FILE]`: real CoreDNS on a real cluster, asked
100 times a second. Each way is given what it can use: `kubectl apply` and a look at the rollout; `helm upgrade
--rollback-on-failure`, which waits; EKS's UpdateAddon, here that of the tests, which as in life waits for the pods and
rolls nothing back; Flagger, which can drive no Service of UDP, and so gets metrics-server instead, with stock checks
(the pods get ready) and with a test of the API that its user has written. A way has a minute for its waiting, and is
watched half a minute longer: what is lost after that would go on being lost. "bad for" is from the first bad instance
that served or failed until the old version alone serves. Needs root, Go and `python -m tests.cluster build nodes helm
faulty flagger`; not part of `make bench`.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from bench.flagger import OfFlagger, by_flagger, read_by_user
from bench.measure import table
from tests.cluster import build
from tests.cluster.addons import install
from tests.cluster.bad_trials import Failed, Mover, Outcome, by_addonctl, keep, read, tried
from tests.cluster.bad_versions import COREDNS, EKS, HELM, MANIFESTS, METRICS, Bad
from tests.cluster.bad_worlds import ByEks, ByManifests, Offer, World, manifest_of, release, write_chart
from tests.cluster.cluster import RUN, Cluster
from tests.cluster.lab import NAME, Lab

_WAITS_S, _WATCHED_S = 60, 30
_CASES = (
    ("an image that is not there", "", False, 0),
    ("the binary exits", "exit", True, 0),
    ("never becomes ready", "dns unready", True, 0),
    ("SERVFAIL to 20 %", "dns servfail 0.2 0", True, 0),
    ("answers after 2 s", "dns delay 1 0", True, 0),
    ("SERVFAIL to all after 20 s", "dns servfail 1 20", True, 20),
    ("crashes after 15 s", "crash 15", True, 15),
)


_OF_METRICS = (
    ("an image that is not there", "", False, 0),
    ("the binary exits", "exit", True, 0),
    ("answers empty lists", "metrics empty", True, 0),
    ("answers with errors", "metrics error", True, 0),
)
_ALL = {COREDNS: _CASES, METRICS: _OF_METRICS}


def bads(owner: str, words: Sequence[str], addon: str = COREDNS) -> list[Bad]:
    listed = [
        Bad(what=what, owner=owner, addon=addon, fault=fault, there=there, shows_s=shows_s, eks_waits_s=_WAITS_S)
        for what, fault, there, shows_s in _ALL[addon]
    ]
    return [bad for bad in listed if not words or any(word in bad.name for word in words)]


def _ran(found: Outcome, *command: str | Path) -> None:
    """A tool to its end, and half a minute more."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=300, check=False)
    found.code, found.why = done.returncode, (done.stderr or done.stdout).strip()[-300:]
    found.ended_at = time.time()
    time.sleep(_WATCHED_S)


# ── kubectl ─────────────────────────────────────────────────────────────────────────────────────────────────────


def by_kubectl(world: World, bad: Bad, offer: Offer, found: Outcome) -> None:
    assert offer.folder is not None
    world.cluster.apply(offer.folder.read_text())
    rollout = ("-n", "kube-system", "rollout", "status", f"deployment/{bad.addon}", f"--timeout={_WAITS_S}s")
    _ran(found, RUN / "bin" / "kubectl", f"--kubeconfig={world.cluster.kubeconfig}", *rollout)


# ── helm ────────────────────────────────────────────────────────────────────────────────────────────────────────


class OfHelm(ByManifests):
    """CoreDNS as a release of a chart that says what its manifests say."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        super().__init__(cluster, folder)
        sound = Bad(what="sound", owner=HELM, addon=COREDNS)
        self._sound = folder / "sound"
        image = build.coredns_image(build.COREDNS[0])
        write_chart(self._sound, COREDNS, "1.0.0", self._documents(), image, sound)
        # Fields of kubectl's would conflict with each upgrade, also where Helm took the objects over.
        cluster.kubectl("delete", "--wait", "-f", "-", stdin=manifest_of(COREDNS))
        self._helm("install", self._sound)

    def _documents(self) -> list[dict[str, Any]]:
        return [each for each in yaml.safe_load_all(manifest_of(COREDNS)) if each]

    def _helm(self, verb: str, chart: Path, *words: str) -> None:
        self.cluster.helm(verb, COREDNS, str(chart), "-n", "kube-system", "--wait", *words)

    def offer(self, bad: Bad) -> Offer:
        version, image = self.version(bad)
        chart = self.folder / version
        write_chart(chart, COREDNS, f"1.0.{version.rpartition('.')[2]}", self._documents(), image, bad)
        return Offer((), image, chart)

    def owned(self, addon: str) -> Any:
        return release(self.cluster, COREDNS, "kube-system")

    def repair(self, addon: str) -> None:
        self._helm("upgrade", self._sound)


def by_helm(world: World, _bad: Bad, offer: Offer, found: Outcome) -> None:
    assert offer.folder is not None
    command = ("upgrade", COREDNS, offer.folder, "-n", "kube-system", "--rollback-on-failure", f"--timeout={_WAITS_S}s")
    _ran(found, build.HELM.folder / "helm", f"--kubeconfig={world.cluster.kubeconfig}", *command)


# ── EKS ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def by_eks(world: World, _bad: Bad, offer: Offer, found: Outcome) -> None:
    assert isinstance(world, ByEks)
    client = world.lab.eks.client("eks")
    given: dict[str, Any] = {"clusterName": NAME, "addonName": COREDNS}
    update = client.update_addon(**given, addonVersion=offer.words[1], resolveConflicts="PRESERVE")["update"]
    until = time.monotonic() + 3 * _WAITS_S
    while time.monotonic() < until and update["status"] == "InProgress":
        time.sleep(1)
        update = client.describe_update(name=NAME, addonName=COREDNS, updateId=update["id"])["update"]
    found.code = int(update["status"] != "Successful")
    found.why = "; ".join([update["status"], *(each["errorMessage"] for each in update["errors"])])
    found.ended_at = time.time()
    time.sleep(_WATCHED_S)


# ── All ─────────────────────────────────────────────────────────────────────────────────────────────────────────

_ADDONCTL, _APPLY, _HELM, _EKS = "addonctl", "kubectl apply", "helm --rollback-on-failure", "EKS UpdateAddon"
_FLAGGER, _TESTED = "Flagger", "Flagger, with a test"
WAYS = (_ADDONCTL, _APPLY, _HELM, _EKS, _FLAGGER, _TESTED)


Trial = tuple[str, World, Bad, Mover]


def trials(ways: Sequence[str], words: Sequence[str], folder: Path) -> Iterator[Trial]:
    """(way, world, bad version, what updates to it)."""
    if set(ways) - {_EKS}:
        with Cluster() as cluster:
            install(cluster)
            yield from _on_one_cluster(cluster, ways, words, folder)
    if _EKS in ways:
        with Lab() as lab:
            world = ByEks(lab, _new(folder))
            cases = bads(EKS, words)
            world.bring(cases)
            for bad in cases:
                yield _EKS, world, bad, by_eks


def _on_one_cluster(cluster: Cluster, ways: Sequence[str], words: Sequence[str], folder: Path) -> Iterator[Trial]:
    applied = ByManifests(cluster, _new(folder))
    cases = [bad for addon in _ALL for bad in bads(MANIFESTS, words, addon)]
    applied.bring([*cases, *bads(HELM, words)])
    for way, move in ((_ADDONCTL, by_addonctl), (_APPLY, by_kubectl)):
        for bad in cases if way in ways else ():
            yield way, applied, bad, move
    if _HELM in ways:
        held = OfHelm(cluster, _new(folder))
        for bad in bads(HELM, words):
            yield _HELM, held, bad, by_helm
    if {_FLAGGER, _TESTED} & set(ways):
        yield from _with_flagger(cluster, ways, words, folder)


def _with_flagger(cluster: Cluster, ways: Sequence[str], words: Sequence[str], folder: Path) -> Iterator[Trial]:
    held, cases = OfFlagger(cluster, _new(folder)), bads(MANIFESTS, words, METRICS)
    held.bring(cases)
    with read_by_user(cluster) as url:
        for way, address in ((_FLAGGER, ""), (_TESTED, url)):
            if way in ways:
                held.tests(address)
            for bad in cases if way in ways else ():
                yield way, held, bad, by_flagger


def _new(folder: Path) -> Path:
    return Path(tempfile.mkdtemp(dir=folder))


def row(found: Outcome) -> tuple[str, ...]:
    """How a way did with one version."""
    bad_for = "—"
    if found.bad_at is not None:
        lasted = max(found.restored_at, found.lost_last_at or 0) - found.bad_at if found.restored_at else None
        bad_for = f"{lasted:.0f} s" if lasted is not None else "all the time"
    left = ", ".join(found.differs)[:70] or "nothing"
    return (
        found.what,
        found.addon,
        found.by,
        str(found.code),
        bad_for,
        left,
        str(found.fewest),
        f"{found.lost} of {found.sent}",
    )


def print_table(found: Sequence[Outcome]) -> None:
    order = {(addon, what): n for n, (addon, what) in enumerate((a, c[0]) for a, cases in _ALL.items() for c in cases)}
    ways = {way: n for n, way in enumerate(WAYS)}
    listed = sorted(found, key=lambda each: (order.get((each.addon, each.what), 99), ways.get(each.by, 99)))
    head = ("what was broken", "add-on", "updated by", "exit", "bad for", "left behind", "fewest ready", "lost")
    table("the same bad versions, updated to in other ways", [head, *map(row, listed)])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.bad_versions_beside_peers", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="parts of names; all if none is given")
    parser.add_argument("--way", action="append", choices=WAYS, help="all if none is given")
    parser.add_argument("--results", type=Path, metavar="FILE", help="where what was tried is kept")
    given = parser.parse_args()
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for way, world, bad, move in trials(given.way or WAYS, given.names, Path(folder)):
            try:
                found.append(tried(world, bad, move, way))
            except (Failed, RuntimeError, TimeoutError) as error:
                print(f"{way}, {bad.name}: not tried: {error}", file=sys.stderr, flush=True)
            else:
                keep(given.results, found[-1])
                print("  ".join(row(found[-1])), f"({found[-1].why})", file=sys.stderr, flush=True)
    print_table(read(given.results) if given.results else found)


if __name__ == "__main__":
    main()
