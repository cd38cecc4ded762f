"""How a score is graded, the same in every report: a number that rests on too little is no good news."""

from addonctl.health import COVERAGE_MIN

UNKNOWN = "unknown"

# health/scores.py lets nothing with a required finding above 49, nothing with a recommended one above 89.
_BAD_MAX, _FAIR_MAX = 49, 89


def says_something(score: int | None, coverage: int) -> bool:
    """Whether a score may be shown: enough is behind it, or what was found has lowered it."""
    return score is not None and (coverage >= COVERAGE_MIN or score <= _FAIR_MAX)


def grade(score: int | None, coverage: int) -> str:
    """good, fair, bad; or unknown, where there is no score or too little behind it."""
    if score is None or coverage < COVERAGE_MIN:
        return UNKNOWN
    return "bad" if score <= _BAD_MAX else "fair" if score <= _FAIR_MAX else "good"
