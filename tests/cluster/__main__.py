"""The cluster by hand: `python -m tests.cluster build|shell|down`."""

import argparse
import os
import signal
import subprocess
import sys
import time

from tests.cluster import build
from tests.cluster.cluster import RUN, Cluster
from tests.cluster.processes import clean


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser("build", help="build binaries and images into the cache")
    make.add_argument("--with", dest="extra", action="append", default=[], choices=sorted(build.OPTIONAL))
    shell = commands.add_parser("shell", help="start a cluster with add-ons and a shell in it; ends with the shell")
    shell.add_argument("--simulated", type=int, default=0, help="simulated nodes to add")
    commands.add_parser("down", help="clean up after a run that was killed")
    given = parser.parse_args()
    if given.command == "build":
        build.build(given.extra)
    elif given.command == "down":
        clean(RUN)
    else:
        _shell(given.simulated)


def _shell(simulated: int) -> None:
    from tests.cluster.addons import install

    lacks = build.missing()
    if lacks:
        raise SystemExit(f"A cluster needs {', '.join(lacks)}.")
    # SIGTERM ends like Ctrl-C: through the context manager, which cleans up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with Cluster(simulated_nodes=simulated) as cluster:
        install(cluster)
        print(f"export KUBECONFIG={cluster.kubeconfig}", flush=True)
        environment = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig), "PATH": f"{RUN}/bin:{os.environ['PATH']}"}
        if sys.stdin.isatty():
            subprocess.run([os.environ.get("SHELL", "/bin/sh")], env=environment, check=False)
            return
        while True:  # no terminal: stay up until Ctrl-C
            time.sleep(1)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
