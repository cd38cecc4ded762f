"""Claim: `addonctl --help` starts within five times of an empty Python."""

import sys

from bench.measure import median_s, process, table

RUNS = 15


def main() -> None:
    empty = median_s(lambda: process(sys.executable, "-c", "pass"), RUNS)
    ours = median_s(lambda: process(sys.executable, "-m", "addonctl", "--help"), RUNS)
    table(
        "addonctl --help",
        [
            ("", "ms", "ratio"),
            ("python -c pass", f"{empty * 1000:.0f}", "1.0"),
            ("addonctl --help", f"{ours * 1000:.0f}", f"{ours / empty:.1f} (aim 5)"),
        ],
    )


if __name__ == "__main__":
    main()
