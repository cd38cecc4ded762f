"""The grade of a score, the same in every report: a score with too little coverage is not good news."""

from addonctl.health import COVERAGE_MIN

UNKNOWN = "unknown"

# health/scores.py caps the score at 49 with a required finding, at 89 with a recommended one.
_BAD_MAX, _FAIR_MAX = 49, 89


def says_something(score: int | None, coverage: int) -> bool:
    """Whether a score may be shown: its coverage is large enough, or findings have lowered it."""
    return score is not None and (coverage >= COVERAGE_MIN or score <= _FAIR_MAX)


def grade(score: int | None, coverage: int) -> str:
    """good, fair, bad; or unknown, where there is no score or too little behind it."""
    if score is None or coverage < COVERAGE_MIN:
        return UNKNOWN
    return "bad" if score <= _BAD_MAX else "fair" if score <= _FAIR_MAX else "good"
