"""`addonctl simulate`: many simulated updates, on all processors; what became of them, and how sure that is."""

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any

from addonctl.render.runs import why_text
from addonctl.sim.faults import FAULTS
from addonctl.sim.incidents import INCIDENTS
from addonctl.sim.many import CONFIDENCE, Summary, chunks, most, quantile, simulated
from addonctl.sim.scenario import OWNERS, Mix, drawn
from addonctl.sim.simulation import End, Outcome, shrunk, simulate, story

# Runs that a process is given at once, at most: some seconds of work.
_CHUNK = 50
# So few take no longer than other processes take to start.
_FEW = 5


def summary(first: int, runs: int, mix: Mix, jobs: int) -> Iterator[Summary]:
    """The summary of all runs so far, after each part of them; each process is given at least two parts."""
    whole = Summary()
    parts = list(chunks(first, runs, min(_CHUNK, -(-runs // (2 * jobs)))))
    if jobs == 1 or runs <= _FEW:
        for seeds in parts:
            whole.join(simulated(seeds, mix))
            yield whole
        return
    with ProcessPoolExecutor(jobs) as pool:
        for part in as_completed([pool.submit(simulated, seeds, mix) for seeds in parts]):
            whole.join(part.result())
            yield whole


def mix_of(faults: str, incidents: str) -> Mix:
    """The mix that options ask for. Raises BadInput for what does not exist."""
    usual = Mix()
    wanted = [tuple(word.strip() for word in text.split(",") if word.strip()) for text in (faults, incidents)]
    none = [words == ("none",) for words in wanted]
    return Mix(
        faults=() if none[0] else wanted[0],
        faults_most=0 if none[0] else usual.faults_most,
        incidents=() if none[1] else wanted[1],
        harmful=0.0 if none[1] else 1.0 if wanted[1] else usual.harmful,
    )


def run(first: int, runs: int, mix: Mix, jobs: int) -> Summary:
    """All of the runs; on a terminal, how far they are."""
    from addonctl.render import screen

    progress, found = screen.progress(), Summary()
    for found in summary(first, runs, mix, jobs or processors()):
        progress("simulated updates", found.runs, runs)
    return found


def told(first: int, mix: Mix, found: Summary) -> list[str]:
    """What is printed: a single run as a story, of many the counts; failing seeds with the least that they need."""
    if found.runs == 1 and not found.violations:
        return list(story(drawn(first, mix), why_text))
    printed = list(lines(first, mix, found))
    if found.violations:
        printed += ["", *least_story(found.violations[0][0], mix)]
    return printed


def processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def least_story(seed: int, mix: Mix) -> list[str]:
    """The story of a failing seed, without what the failure does not need."""
    outcome = simulate(seed, mix)
    told = {violation.what[:20] for violation in outcome.violations}

    def fails(other: Outcome) -> bool:
        return other.end is outcome.end and {violation.what[:20] for violation in other.violations} >= told

    return list(story(shrunk(outcome.scenario, fails), why_text))


def document(first: int, mix: Mix, found: Summary) -> dict[str, Any]:
    """What `-o json` prints."""
    return {
        "kind": "simulation",
        "seeds": {"first": first, "runs": found.runs},
        "mix": {
            "harmful": mix.harmful,
            "incidents": list(mix.incidents or INCIDENTS),
            "weights": {name: INCIDENTS[name].weight for name in mix.incidents or INCIDENTS},
            "sources": {name: INCIDENTS[name].source for name in mix.incidents or INCIDENTS},
            "faults": list(mix.faults or FAULTS),
            "faults_most": mix.faults_most,
            "crashes": mix.crashes,
            "asked": mix.asked,
            "irreversible": mix.irreversible,
            "configured": mix.configured,
            "created": mix.created,
            "deleted": mix.deleted,
            "owners": {name: OWNERS[name] for name in mix.owners},
        },
        "ends": {end.value: found.ends[end] for end in End},
        "bad": {"runs": found.bad, "of": found.judged, "at_most": round(bound(found), 6), "confidence": CONFIDENCE},
        "requests": {"asked": found.asked, "wrong": found.wrong, "late": found.late, "lost": found.lost},
        "faults_met": found.faults,
        "old_again_s": {"p50": quantile(found.old_again_s, 0.5), "p95": quantile(found.old_again_s, 0.95)},
        "old_again_no_node_lost_s": {
            "p50": quantile(found.no_node_lost_s, 0.5),
            "p95": quantile(found.no_node_lost_s, 0.95),
        },
        "back_s": {"p50": quantile(found.back_s, 0.5), "p95": quantile(found.back_s, 0.95)},
        "failing": {end.value: seeds for end, seeds in found.failing.items()},
        "violations": [{"seed": seed, "what": what} for seed, what in found.violations],
    }


def bound(found: Summary) -> float:
    return most(found.bad, found.judged) if found.judged else 1.0


def lines(first: int, mix: Mix, found: Summary) -> Iterator[str]:
    """What is printed of many runs."""
    shown = found.judged or 1
    yield f"{found.runs} simulated updates, seeds {first} to {first + found.runs - 1}"
    for end in (end for end in End if found.ends[end]):
        yield f"  {found.ends[end]:7d}  {end}"
    sure = f"at most {bound(found):.3%} with {CONFIDENCE:.0%} confidence"
    yield f"{found.bad} of {found.judged} ended badly: {found.bad / shown:.3%}, {sure}"
    yield f"{found.asked} requests of users: {found.wrong} answered wrongly, {found.late} late, {found.lost} lost"
    back = {
        "only the old version served": found.old_again_s,
        "the same where no node was lost": found.no_node_lost_s,
        "all was as before": found.back_s,
    }
    for what, took in back.items():
        if took:
            half, most_ = quantile(took, 0.5), quantile(took, 0.95)
            yield f"going back, {what} after {half:.0f} s (median), {most_:.0f} s (95 %), of {len(took)}"
    incidents = ", ".join(mix.incidents) or f"{len(INCIDENTS)} public incidents, of equal weight"
    faults = ", ".join(mix.faults) or f"{len(FAULTS)} kinds of faults"
    yield f"drawn: {mix.harmful:.0%} of the versions harmful ({incidents}), up to {mix.faults_most} of {faults} a run,"
    yield f"  {mix.crashes:.0%} with a worker that dies, {mix.asked:.0%} with people who pause or cancel,"
    others = f"{mix.configured:.0%} another configuration, {mix.created:.0%} created, {mix.deleted:.0%} deleted"
    yield f"  {mix.irreversible:.0%} irreversible; {others};"
    yield f"  kept by {', '.join(f'{name} ({OWNERS[name]:g})' for name in mix.owners)};"
    yield "  shares and weights are chosen, public cases have no denominator"
    for end, seeds in found.failing.items():
        yield f"{end}: seeds {', '.join(map(str, seeds[:10]))}"
    for seed, what in found.violations[:10]:
        yield f"WRONG in seed {seed}: {what}"
