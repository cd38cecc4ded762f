"""Timing and memory for the benchmarks: medians of several runs, the peak of a whole process."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


def median_s(work: Callable[[], object], runs: int = 5) -> float:
    """The median wall time of `work`, after one run that does not count."""
    work()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def least_cpu_s(work: Callable[[], object], runs: int = 5) -> float:
    """The least CPU time of `work`: for ratios of our own figures, which a busy machine must not blur."""
    times = []
    for _ in range(runs):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


@dataclass(frozen=True)
class Run:
    """A finished process: wall and CPU seconds, peak memory of it, exit code, what it printed."""

    seconds: float
    cpu_s: float
    peak_mib: float
    code: int
    output: str


def process(*command: str, env: dict[str, str] | None = None, timeout_s: float = 600) -> str:
    """Runs a command to its end; what it printed. Modules are compiled once, as pip does where it installs them."""
    here = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout_s,
        check=False,
        env=here | (env or {}),
    ).stdout


def process_peak(*command: str, env: dict[str, str] | None = None) -> Run:
    """A command as a whole, measured by a parent of its own."""
    script = (
        "import resource, subprocess, sys, time; s = time.perf_counter();"
        "c = subprocess.run(sys.argv[1:], capture_output=True, text=True);"
        "print(c.stdout + c.stderr); u = resource.getrusage(resource.RUSAGE_CHILDREN);"
        "print(time.perf_counter() - s, u.ru_utime + u.ru_stime, u.ru_maxrss / 1024, c.returncode)"
    )
    output, _, last = process(sys.executable, "-c", script, *command, env=env).rstrip().rpartition("\n")
    seconds, cpu_s, peak, code = last.split()
    return Run(float(seconds), float(cpu_s), float(peak), int(code), output)


def table(title: str, rows: Sequence[tuple[str, ...]]) -> None:
    """Prints rows as columns."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    print(title)
    for row in rows:
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
