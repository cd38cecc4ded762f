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
from dataclasses import dataclass, field, replace

from addonctl.model import NOTHING, Counts, Guard, Objective, Sample, Verdict

# What the two tests bet on: so many times the failures of the control, and such shares of failures.
_TIMES = (2.0, 3.0, 5.0, 10.0, 30.0, 100.0)
_SHARES = (0.02, 0.05, 0.1, 0.2, 0.5, 0.99)
_MOST = 0.9  # below the largest of them
_NEVER = -math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSettings:
    """`alpha`: the chance of failing a harmless rollout, over all of its SLIs and waves.

    `ratio`: updated instances may fail so many times as often as the others; above 1, since two groups are never quite
    alike. `shared`: where there is a control, so many times the objective may fail before that alone is evidence; what
    is less and troubles both is not the update's doing, what troubles only the updated ones the control tells.
    `tolerated`: the share of failures that must not be passed; a pass needs evidence, at `beta`, that there are
    fewer, and no more of it is kept than twice that, so that hours of calm do not outweigh a bad minute.
    `suspicious`: with this much evidence of harm nothing goes on. `horizon`: ticks of the whole rollout. `silent`:
    after so many ticks without a request an SLI is unknown.
    """

    alpha: float = 0.001
    beta: float = 0.05
    ratio: float = 1.5
    shared: float = 5.0
    tolerated: float = 0.1
    suspicious: float = 20.0
    horizon: int = 360
    silent: int = 6

    def __post_init__(self) -> None:
        assert 0 < self.alpha < 1, f"alpha is a chance: {self.alpha}"
        assert 0 < self.beta < 1, f"beta is a chance: {self.beta}"
        assert self.ratio >= 1, f"the others may not be asked to fail more often: {self.ratio}"
        assert self.horizon > 0, f"a rollout lasts: {self.horizon}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What is known of one SLI so far. The logs of e-values: `worse` one a ratio, `bad` one a share, and `good`.

    `limit` is the share of failures that counts as harmless: the objective, or what the baseline had if that was more;
    `bearable` the share from which on failures alone are evidence, whatever the control does.
    """

    sli: str
    limit: float
    bearable: float
    controlled: bool
    ticks: int = 0
    silent: int = 0
    updated: Counts = NOTHING
    control: Counts = NOTHING
    worse: tuple[float, ...] = (_NEVER,) * len(_TIMES)
    bad: tuple[float, ...] = ()
    good: float = 0.0

    @property
    def evidence(self) -> float:
        """The log of the e-value against "the update is harmless to this SLI"."""
        return _mean((_mean(self.worse), _mean(self.bad))) if self.controlled else _mean(self.bad)


@dataclass(frozen=True, slots=True)
class Gate:
    """The state of a gate: a value, made by `opened` and moved by `observed`."""

    settings: GateSettings
    watched: tuple[Watched, ...] = field(default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class SliJudgement:
    """What the gate says of one SLI, and by which numbers. `chance`: of this much evidence, were nothing wrong.

    `missing`: good requests that a pass still needs, if no other fails.
    """

    sli: str
    verdict: Verdict
    updated: Counts
    control: Counts
    limit: float
    chance: float
    missing: int = 0
    silent: bool = False
    suspicious: bool = False


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict, and what it stands on: guards that are broken, and every SLI."""

    verdict: Verdict
    guards: tuple[Guard, ...]
    slis: tuple[SliJudgement, ...]


def opened(settings: GateSettings, objectives: Iterable[Objective], baseline: Iterable[Sample] = ()) -> Gate:
    """A gate that has seen nothing of the update. `baseline`: what was counted before it, in `control`."""
    before: dict[str, Counts] = {}
    for sample in baseline:
        before[sample.sli] = before.get(sample.sli, NOTHING) + sample.control
    return Gate(settings, tuple(_watched(each, before.get(each.sli, NOTHING), settings) for each in objectives))


def _watched(objective: Objective, baseline: Counts, settings: GateSettings) -> Watched:
    limit = _limit(objective, baseline, settings)
    bearable = min(settings.shared * limit, _MOST) if objective.controlled else limit
    return Watched(
        sli=objective.sli,
        limit=limit,
        bearable=bearable,
        controlled=objective.controlled,
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
        return replace(seen, ticks=seen.ticks + 1, silent=seen.silent + 1)
    new, control = sample.updated, sample.control
    stake = _stake(seen.ticks, settings.horizon)
    return replace(
        seen,
        ticks=seen.ticks + 1,
        silent=0,
        updated=seen.updated + new,
        control=seen.control + control,
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


def _stake(tick: int, horizon: int) -> float:
    """The log of what is bet anew at a tick: half at first, the other half in equal parts until the horizon."""
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


def _mean(logs: Sequence[float]) -> float:
    highest = max(logs)
    if highest == _NEVER:
        return _NEVER
    return highest + math.log(sum(math.exp(log - highest) for log in logs) / len(logs))


def judged(gate: Gate, guards: Sequence[Guard] = ()) -> Judgement:
    """The verdict now. A broken guard fails at once; a gate without an SLI that counted anything is unknown."""
    slis = tuple(_judged(one, gate) for one in gate.watched)
    verdicts = {each.verdict for each in slis}
    if guards or Verdict.FAIL in verdicts:
        verdict = Verdict.FAIL
    else:
        verdict = Verdict.PASS if verdicts == {Verdict.PASS} else Verdict.UNKNOWN
    return Judgement(verdict, tuple(guards), slis)


def _judged(seen: Watched, gate: Gate) -> SliJudgement:
    settings, evidence = gate.settings, seen.evidence
    failed = evidence >= math.log(len(gate.watched) / settings.alpha)
    suspicious = evidence >= math.log(settings.suspicious)
    silent = seen.silent >= settings.silent
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
    )
