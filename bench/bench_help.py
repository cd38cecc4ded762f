"""Claim: `addonctl --help` starts within four times of an empty Python; click, which it loads, takes most of it."""

import statistics
import sys
from functools import partial

from bench.measure import median_s, process, table

RUNS = 21
COMMANDS = {
    "python -c pass": ("-c", "pass"),
    "python -c 'import click'": ("-c", "import click"),
    "addonctl --help": ("-m", "addonctl", "--help"),
}


def main() -> None:
    """The commands take turns, so that a machine that is busy for a while is busy for all of them."""
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(RUNS):
        for name, arguments in COMMANDS.items():
            times[name].append(median_s(partial(process, sys.executable, *arguments), runs=1))
    medians = {name: statistics.median(each) for name, each in times.items()}
    empty = medians["python -c pass"]
    rows = [(name, f"{seconds * 1000:.0f}", f"{seconds / empty:.1f}") for name, seconds in medians.items()]
    table("addonctl --help, aim 4.0", [("", "ms", "ratio"), *rows])


if __name__ == "__main__":
    main()
