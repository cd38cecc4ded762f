"""Claim: `addonctl --help` costs at most a quarter more than importing click, which is four times an empty Python."""

import resource
import sys

from bench.measure import process, table

RUNS, LIMIT = 31, 1.25
CLICK = "python -c 'import click'"
COMMANDS = {
    "python -c pass": ("-c", "pass"),
    CLICK: ("-c", "import click"),
    "addonctl --help": ("-c", "from addonctl.apps.cli import main; main()", "--help"),
}


def cpu_s(*command: str) -> float:
    """CPU time of a process, of which the least is taken: on a busy machine all else is that of others."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process(*command)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """The commands take turns, so that a machine that is busy for a while is busy for all of them."""
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(RUNS):
        for name, arguments in COMMANDS.items():
            times[name].append(cpu_s(sys.executable, *arguments))
    least = {name: min(each) for name, each in times.items()}
    empty, click = least["python -c pass"], least[CLICK]
    rows = [(name, f"{s * 1000:.0f}", f"{s / empty:.1f}", f"{s / click:.2f}") for name, s in least.items()]
    table(f"addonctl --help, at most {LIMIT} of import click", [("", "CPU ms", "of empty", "of click"), *rows])
    assert least["addonctl --help"] <= LIMIT * click, "addonctl --help loads more than it did"


if __name__ == "__main__":
    main()
