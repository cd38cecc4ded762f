"""How a score is graded, the same in every report: a number that rests on too little is no good news."""

# health/scores.py lets nothing with a required finding above 49, nothing with a recommended one above 89.
_BAD_MAX, _FAIR_MAX = 49, 89
# Below it, most of the picture is missing: the score gets no colour.
COVERAGE_MIN = 50


def grade(score: int | None, coverage: int) -> str:
    """good, fair, bad; or unknown, where there is no score or too little behind it."""
    if score is None or coverage < COVERAGE_MIN:
        return "unknown"
    return "bad" if score <= _BAD_MAX else "fair" if score <= _FAIR_MAX else "good"
