"""Whether updated instances serve as before: decided after every tick from counts, with a bound on false alarms.

For each SLI two e-processes are kept, and averaged: one compares updated with not yet updated instances, so that what
troubles both cancels out; one compares with the SLI's objective, and so needs no control. Each is a fair bet against
"the update is harmless" that begins anew, with ever the same small stake, at every tick, since nobody knows when harm
sets in. If the update is harmless, the chance that any SLI of a rollout ever reaches K/alpha is at most alpha, however
often one looks (Ville's inequality). Pure and without randomness; called by the orchestrator, which is given Samples
by the Signals port.

Sources: Shin, Ramdas, Rinaldo, "E-detectors" (2023); Lindon, Malek, "Anytime-valid inference for count data" (2022).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from addonctl.model import (
    NOTHING,
    Counts,
    Gate,
    GateSettings,
    Guard,
    Judgement,
    Objective,
    Sample,
    SliJudgement,
    Verdict,
    Watched,
)

# What the two tests bet on: so many times the failures of the control, and such shares of failures.
_TIMES = (2.0, 3.0, 5.0, 10.0, 30.0, 100.0)
_SHARES = (0.02, 0.05, 0.1, 0.2, 0.5, 0.99)
_MOST = 0.9  # below the largest of them
_NEVER = -math.inf
# Of an SLI of users: so many requests of one tick are evidence, and so many of one that has no control; after so many
# times `silent` ticks it is unknown.
_AT_ONCE, _AT_ONCE_ALONE, _LATER = 20, 5, 4


def opened(settings: GateSettings, objectives: Iterable[Objective], baseline: Iterable[Sample] = ()) -> Gate:
    """A gate that has seen nothing of the update. `baseline`: what was counted before it, in `control`."""
    before: dict[str, Counts] = {}
    for sample in baseline:
        before[sample.sli] = before.get(sample.sli, NOTHING) + sample.control
    return Gate(settings, tuple(_watched(each, before.get(each.sli, NOTHING), settings) for each in objectives))


def _watched(objective: Objective, baseline: Counts, settings: GateSettings) -> Watched:
    limit = _limit(objective, baseline, settings)
    bearable = min(settings.shared * limit, _MOST) if objective.controlled or objective.of_users else limit
    return Watched(
        sli=objective.sli,
        limit=limit,
        bearable=bearable,
        controlled=objective.controlled,
        additional=objective.additional,
        of_users=objective.of_users,
        worse=(_NEVER,) * len(_TIMES),
        bad=(_NEVER,) * len(_shares(bearable)),
    )


def _shares(bearable: float) -> tuple[float, ...]:
    return tuple(share for share in _SHARES if share > bearable)


def _limit(objective: Objective, baseline: Counts, settings: GateSettings) -> float:
    """What fails its objective before the update is not judged by it: the update must not make it worse."""
    rate = baseline.rate
    if rate is None or rate <= objective.may_fail:
        return objective.may_fail
    upper = (baseline.failed + 2 * math.sqrt(baseline.failed) + 2) / baseline.requests
    return min(settings.ratio * upper, _MOST)


def observed(gate: Gate, samples: Iterable[Sample]) -> Gate:
    """The gate after one more tick. An SLI without a sample counted nothing in it."""
    by_sli = {sample.sli: sample for sample in samples}
    return replace(gate, watched=tuple(_ticked(one, by_sli.get(one.sli), gate.settings) for one in gate.watched))


def _ticked(seen: Watched, sample: Sample | None, settings: GateSettings) -> Watched:
    if sample is None or not sample.updated.requests:
        return replace(seen, silent=seen.silent + 1)
    new, control = (_evident(each, seen) for each in (sample.updated, sample.control))
    stake = _stake(seen.ticks, settings.horizon)
    return replace(
        seen,
        ticks=seen.ticks + 1,
        silent=0,
        updated=seen.updated + sample.updated,
        control=seen.control + sample.control,
        worse=tuple(
            _bet(log, stake, _worse(times, new, control, settings.ratio))
            for log, times in zip(seen.worse, _TIMES, strict=True)
        ),
        bad=tuple(
            _bet(log, stake, _likelihood(share, seen.bearable, new))
            for log, share in zip(seen.bad, _shares(seen.bearable), strict=True)
        ),
        good=min(seen.good + _likelihood(seen.limit, _tolerated(seen, settings), new), -2 * math.log(settings.beta)),
    )


def _evident(counted: Counts, seen: Watched) -> Counts:
    """What is evidence of it: real requests come in bursts, and many of one tick say little more than some."""
    most = _AT_ONCE if seen.controlled else _AT_ONCE_ALONE
    if not seen.of_users or counted.requests <= most:
        return counted
    return Counts(most, round(most * counted.failed / counted.requests))


def _stake(tick: int, horizon: int) -> float:
    """The log of what is bet anew at a tick: half at first, the other half in equal parts until the horizon.

    The first tick is that in which an updated instance was first asked: most harm is there from the start.
    """
    if tick == 0:
        return math.log(0.5)
    return -math.log(2 * horizon) if tick < horizon else _NEVER


def _bet(log: float, stake: float, gain: float) -> float:
    """The log of (what was won so far + the new stake) x the gain of this tick."""
    high, low = max(log, stake), min(log, stake)
    return _NEVER if high == _NEVER else high + math.log1p(math.exp(low - high)) + gain


def _worse(times: float, new: Counts, control: Counts, ratio: float) -> float:
    """The log of the gain on "updated instances fail `times` x `ratio` as often as the others".

    Its mean is at most 1 while they fail at most `ratio` times as often, whatever the others' rate is: with
    q = share of failures that falls to the updated, (1 + p1(a-1))^n1 (1 + p0(b-1))^n0 <= exp(0).
    """
    if not new.requests or not control.requests:
        return 0.0
    usual = ratio * new.requests / (ratio * new.requests + control.requests)
    bet = times * ratio * new.requests / (times * ratio * new.requests + control.requests)
    return new.failed * math.log(bet / usual) + control.failed * math.log((1 - bet) / (1 - usual))


def _likelihood(share: float, null: float, seen: Counts) -> float:
    """The log of how much likelier `seen` is at a share of failures than at `null`."""
    served = seen.requests - seen.failed
    return seen.failed * math.log(share / null) + served * math.log((1 - share) / (1 - null))


def _tolerated(seen: Watched, settings: GateSettings) -> float:
    """Where even the baseline fails more than is tolerated, a pass asks for no better."""
    return max(settings.tolerated, min(2 * seen.limit, (1 + seen.limit) / 2))


def _evidence(seen: Watched) -> float:
    """The log of the e-value against "the update is harmless to this SLI".

    What users ask for fails for reasons of theirs, and not of each instance alike: it has to be worse than the others',
    and bad.
    """
    if not seen.controlled:
        return _mean(seen.bad)
    both = _mean(seen.worse), _mean(seen.bad)
    return min(both) if seen.of_users else _mean(both)


def _mean(logs: Sequence[float]) -> float:
    highest = max(logs)
    if highest == _NEVER:
        return _NEVER
    return highest + math.log(sum(math.exp(log - highest) for log in logs) / len(logs))


def judged(gate: Gate, guards: Sequence[Guard] = ()) -> Judgement:
    """The verdict now. A broken guard fails at once; a gate without an SLI that counted anything is unknown."""
    slis = tuple(_judged(one, gate) for one in gate.watched)
    verdicts = {each.verdict for each in slis if each.decides}
    if guards or Verdict.FAIL in verdicts:
        verdict = Verdict.FAIL
    else:
        verdict = Verdict.PASS if verdicts == {Verdict.PASS} else Verdict.UNKNOWN
    return Judgement(verdict, tuple(guards), slis)


def _judged(seen: Watched, gate: Gate) -> SliJudgement:
    settings, evidence = gate.settings, _evidence(seen)
    failed = evidence >= math.log(len(gate.watched) / settings.alpha)
    suspicious = evidence >= math.log(settings.suspicious)
    silent = seen.silent >= settings.silent * (_LATER if seen.of_users else 1)
    short = math.log(1 / settings.beta) - seen.good
    missing = max(math.ceil(short / _likelihood(seen.limit, _tolerated(seen, settings), Counts(1))), 0)
    passed = not (suspicious or silent or missing)
    return SliJudgement(
        sli=seen.sli,
        verdict=Verdict.FAIL if failed else Verdict.PASS if passed else Verdict.UNKNOWN,
        updated=seen.updated,
        control=seen.control,
        limit=seen.limit,
        chance=min(1.0, math.exp(-evidence)) if evidence > _NEVER else 1.0,
        missing=missing,
        silent=silent,
        suspicious=suspicious,
        additional=seen.additional,
    )
