"""Simulates a million updates, or more, on all processors; it may be stopped, and goes on where it was.

python -m scripts.prove_night STATE [--runs 1000000] [--first 1] [--jobs N] [--minutes M]

STATE is a file with what became of all seeds so far. Each part of it that is done is stored before the next is begun,
whole or not at all; after a stop or a crash the same command goes on. Prints the summary, and exits with 1 when an
invariant was violated. A state of another mix or other code is not added to: delete it, or name another file.
"""

import argparse
import hashlib
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import addonctl
from addonctl.apps import simulating
from addonctl.sim.many import Summary, chunks, simulated
from addonctl.sim.scenario import Mix
from addonctl.sim.simulation import End

_CHUNK, _STORED = 200, 4  # seeds a part, parts a process between two stores


def code() -> str:
    """What the figures are of: all modules."""
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted(Path(addonctl.__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def to_json(found: Summary) -> dict[str, Any]:
    held = asdict(found)
    held["ends"] = {end.value: number for end, number in found.ends.items()}
    held["failing"] = {end.value: seeds for end, seeds in found.failing.items()}
    return held


def of_json(held: dict[str, Any]) -> Summary:
    ends = Counter({End(name): number for name, number in held.pop("ends").items()})
    failing = {End(name): seeds for name, seeds in held.pop("failing").items()}
    violations = [(seed, what) for seed, what in held.pop("violations")]
    return Summary(**held, ends=ends, failing=failing, violations=violations)


def load(path: Path, known: str) -> tuple[Summary, float]:
    if not path.exists():
        return Summary(), 0.0
    held = json.loads(path.read_text())
    if held["code"] != known:
        sys.exit(f"{path} is of other code ({held['code']}, this is {known}): delete it, or name another file")
    return of_json(held["summary"]), held["cpu_s"]


def store(path: Path, known: str, found: Summary, cpu_s: float) -> None:
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps({"code": known, "cpu_s": cpu_s, "summary": to_json(found)}))
    os.replace(beside, path)


def part(seeds: range) -> tuple[Summary, float]:
    began = time.process_time()
    return simulated(seeds, Mix()), time.process_time() - began


def rounds(first: int, runs: int, jobs: int) -> Iterator[list[range]]:
    """Parts that are done together, then stored."""
    parts = list(chunks(first, runs, _CHUNK))
    for start in range(0, len(parts), jobs * _STORED):
        yield parts[start : start + jobs * _STORED]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("state", type=Path)
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=simulating.processors())
    parser.add_argument("--minutes", type=float, default=float("inf"))
    given = parser.parse_args()
    known, until = code(), time.monotonic() + 60 * given.minutes
    found, cpu_s = load(given.state, known)
    with ProcessPoolExecutor(given.jobs) as pool:
        for parts in rounds(given.first + found.runs, given.runs - found.runs, given.jobs):
            for summary, took_s in pool.map(part, parts):
                found.join(summary)
                cpu_s += took_s
            store(given.state, known, found, cpu_s)
            print(f"{found.runs} runs, {found.runs / cpu_s:.0f} a second and core, {found.bad} bad", flush=True)
            if time.monotonic() > until:
                break
    print("\n".join(simulating.lines(given.first, Mix(), found)))
    print(f"{found.faults} faults met, {found.simulated_s / 86_400 / 365:.2f} simulated years, code {known}")
    return int(bool(found.violations))


if __name__ == "__main__":
    sys.exit(main())
