"""The cluster by hand: `python -m tests.cluster build|lab|starts|down`."""

import argparse
import signal
import sys
import time

from tests.cluster import build
from tests.cluster.cluster import RUN, Cluster
from tests.cluster.processes import clean


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser("build", help="build binaries and images into the cache")
    make.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(build.PARTS)}; as a rule the first four")
    lab = commands.add_parser("lab", help="a cluster with add-ons and an EKS API, until Ctrl-C")
    lab.add_argument("--simulated", type=int, default=0, metavar="N", help="simulated nodes to add")
    lab.add_argument("--argocd", action="store_true", help="with a real Argo CD that owns an add-on")
    starts = commands.add_parser("starts", help="start a cluster N times, one after the other")
    starts.add_argument("count", type=int, metavar="N")
    commands.add_parser("down", help="clean up after a run that was killed")
    given = parser.parse_args()
    match given.command:
        case "build":
            build.build(given.parts)
        case "lab":
            _lab(given.simulated, argocd=given.argocd)
        case "starts":
            _starts(given.count)
        case _:
            clean(RUN)


def _lab(simulated: int, *, argocd: bool) -> None:
    from tests.cluster.lab import Lab

    parts = ("control-plane", "nodes", "helm", *(["simulated"] if simulated else []), *(["argocd"] if argocd else []))
    build.build(parts)
    if absent := build.missing(*parts):
        raise SystemExit(f"The lab needs {', '.join(absent)}.")
    # Both end it through the context manager, which cleans up; background jobs of a shell would ignore SIGINT.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began = time.monotonic()
    with Lab(simulated, argocd=argocd) as lab:
        print(f"The lab is up, after {time.monotonic() - began:.0f} s. Paste into another shell:\n")
        print(lab.greeting(), end="\n\nCtrl-C ends the lab.\n", flush=True)
        signal.pause()


def _starts(count: int) -> None:
    """Each start is a cluster of two nodes that become ready; the first that does not ends it all with its logs."""
    took = []
    for number in range(1, count + 1):
        began = time.monotonic()
        with Cluster():
            took.append(time.monotonic() - began)
        print(f"start {number} of {count}: {took[-1]:.1f} s", flush=True)
    print(f"{count} of {count} starts came up, in {min(took):.1f} to {max(took):.1f} s")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
