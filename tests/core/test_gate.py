"""The gate: its bets are fair when the update is harmless, it fails what is broken, and it never passes the unknown."""

import math
import random
from collections.abc import Iterator
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addonctl.gate import _likelihood, _stake, _worse, judged, observed, opened
from addonctl.model import Counts, GateSettings, Guard, Judgement, Objective, Sample, Verdict
from tests.builders import NOW

DNS = Objective(sli="dns")
ALONE = Objective(sli="dns", controlled=False)
SETTINGS = GateSettings()
_TICK = timedelta(seconds=5)


def _chances(requests: int, share: float) -> Iterator[tuple[Counts, float]]:
    for failed in range(requests + 1):
        yield Counts(requests, failed), math.comb(requests, failed) * share**failed * (1 - share) ** (requests - failed)


def _samples(*counts: tuple[Counts, Counts], sli: str = "dns") -> Iterator[tuple[Sample, ...]]:
    for tick, (updated, control) in enumerate(counts):
        yield (Sample(sli=sli, at=NOW + tick * _TICK, updated=updated, control=control),)


def _judge(*counts: tuple[Counts, Counts], objective: Objective = DNS, given: GateSettings = SETTINGS) -> Judgement:
    gate = opened(given, [objective])
    for samples in _samples(*counts):
        gate = observed(gate, samples)
    return judged(gate)


def _drawn(seed: int, ticks: int, requests: int, updated: float, control: float) -> Iterator[tuple[Counts, Counts]]:
    chance = random.Random(seed)
    for _ in range(ticks):
        yield tuple(  # type: ignore[misc]
            Counts(requests, sum(chance.random() < share for _ in range(requests))) for share in (updated, control)
        )


# ── Fair bets ───────────────────────────────────────────────────────────────────────────────────────────────────


@given(
    n1=st.integers(1, 12),
    n0=st.integers(1, 12),
    share=st.floats(0.001, 0.6),
    part=st.floats(0, 1),
    times=st.sampled_from((2.0, 5.0, 100.0)),
)
def test_comparing_with_the_others_wins_nothing_on_average(
    n1: int, n0: int, share: float, part: float, times: float
) -> None:
    """Enumerated: for every rate of the others, and every rate of ours up to 1.5 times as high."""
    ours = min(1.5 * share, 1.0) * part
    mean = sum(
        math.exp(_worse(times, new, control, 1.5)) * chance * other
        for new, chance in _chances(n1, ours)
        for control, other in _chances(n0, share)
    )
    assert mean <= 1 + 1e-9


@given(n=st.integers(1, 40), share=st.floats(0, 0.01), bet=st.sampled_from((0.02, 0.2, 0.99)))
def test_comparing_with_the_objective_wins_nothing_on_average(n: int, share: float, bet: float) -> None:
    assert sum(math.exp(_likelihood(bet, 0.01, seen)) * chance for seen, chance in _chances(n, share)) <= 1 + 1e-9


def test_harmless_rollouts_pass_and_none_fails() -> None:
    """Forty rollouts of ten minutes whose failures are within the objective: at most 0.04 of them may fail."""
    verdicts = [_judge(*_drawn(seed, 120, 20, 0.004, 0.004)).verdict for seed in range(40)]
    assert set(verdicts) == {Verdict.PASS}


def test_what_troubles_both_alike_is_no_evidence_against_the_update() -> None:
    """Within the ratio, with a baseline that fails its objective already."""
    gate = opened(SETTINGS, [DNS], [Sample(sli="dns", at=NOW, updated=Counts(), control=Counts(1000, 80))])
    for samples in _samples(*_drawn(3, 120, 20, 0.08, 0.08)):
        gate = observed(gate, samples)
    assert judged(gate).verdict is not Verdict.FAIL


# ── What is broken fails ────────────────────────────────────────────────────────────────────────────────────────


def _ticks_to_fail(updated: float, control: float, requests: int, seed: int, objective: Objective = DNS) -> int:
    gate = opened(SETTINGS, [objective])
    for tick, samples in enumerate(_samples(*_drawn(seed, 360, requests, updated, control)), start=1):
        gate = observed(gate, samples)
        if judged(gate).verdict is Verdict.FAIL:
            return tick
    raise AssertionError("never failed")


@pytest.mark.parametrize(
    ("updated", "requests", "most"),
    [(1.0, 5, 2), (0.2, 100, 2), (0.1, 100, 4), (0.05, 100, 8)],
    ids=["nothing answers, 1/s", "20 % fail, 20/s", "10 % fail, 20/s", "5 % fail, 20/s"],
)
def test_harm_is_found_within_ticks_of_five_seconds(updated: float, requests: int, most: int) -> None:
    found = sorted(_ticks_to_fail(updated, 0.002, requests, seed) for seed in range(15))
    assert found[7] <= most


def test_without_a_control_the_objective_is_enough() -> None:
    assert _ticks_to_fail(0.2, 0.0, 25, 1, ALONE) <= 4


def test_harm_from_the_start_is_found_as_soon_where_nobody_was_asked_in_the_first_ticks() -> None:
    harm = [(Counts(50, 10), Counts(50))] * 3
    assert _judge(*[(Counts(), Counts(50))] * 5, *harm).slis[0].chance == _judge(*harm).slis[0].chance


def test_harm_that_sets_in_late_is_found_too() -> None:
    clean = [(Counts(100), Counts(100))] * 200
    assert _judge(*clean).verdict is Verdict.PASS
    assert _judge(*clean, *_drawn(5, 6, 100, 0.2, 0.0)).verdict is Verdict.FAIL


def test_a_broken_guard_fails_whatever_was_counted() -> None:
    gate = opened(SETTINGS, [DNS])
    for samples in _samples(*[(Counts(100), Counts(100))] * 20):
        gate = observed(gate, samples)
    guard = Guard(code="HLT001", subject="Deployment/kube-system/coredns", detail="restarts")
    assert judged(gate, [guard]).verdict is Verdict.FAIL
    assert judged(gate, [guard]).guards == (guard,)


def test_each_of_several_slis_needs_more_evidence() -> None:
    """One alpha for the rollout: each of 501 SLIs has as small a share of it."""
    bad = [(Counts(20, 7), Counts(20))]
    alone = opened(GateSettings(alpha=0.02), [DNS])
    many = opened(GateSettings(alpha=0.02), [DNS, *(Objective(sli=f"other-{n}") for n in range(500))])
    for samples in _samples(*bad):
        alone, many = observed(alone, samples), observed(many, samples)
    assert judged(alone).verdict is Verdict.FAIL
    assert judged(many).verdict is not Verdict.FAIL


# ── Unknown never passes ────────────────────────────────────────────────────────────────────────────────────────


def test_nothing_watched_and_nothing_counted_are_unknown() -> None:
    assert judged(opened(SETTINGS, [])).verdict is Verdict.UNKNOWN
    assert judged(opened(SETTINGS, [DNS])).verdict is Verdict.UNKNOWN


def test_a_pass_needs_requests_and_says_how_many_are_missing() -> None:
    few = _judge((Counts(10), Counts(10)))
    assert (few.verdict, few.slis[0].missing) == (Verdict.UNKNOWN, 22)
    enough = _judge((Counts(10), Counts(10)), (Counts(few.slis[0].missing), Counts()))
    assert (enough.verdict, enough.slis[0].missing) == (Verdict.PASS, 0)


def test_an_sli_that_falls_silent_no_longer_passes() -> None:
    gate = opened(SETTINGS, [DNS])
    for samples in _samples(*[(Counts(100), Counts(100))] * 3):
        gate = observed(gate, samples)
    assert judged(gate).verdict is Verdict.PASS
    for _ in range(SETTINGS.silent):
        gate = observed(gate, [])
    assert judged(gate).verdict is Verdict.UNKNOWN
    assert judged(gate).slis[0].silent


def test_suspicion_holds_before_there_is_proof() -> None:
    judgement = _judge(*[(Counts(400), Counts(400))] * 2, (Counts(40, 10), Counts(40)))
    assert judgement.slis[0].suspicious
    assert judgement.verdict is Verdict.UNKNOWN


def test_hours_of_calm_do_not_outweigh_a_bad_tick() -> None:
    judgement = _judge(*[(Counts(400), Counts(400))] * 100, (Counts(40, 5), Counts(40)))
    assert judgement.verdict is Verdict.UNKNOWN
    assert judgement.slis[0].missing > 0


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30)), max_size=30))
def test_any_counts_give_a_verdict_with_its_numbers(ticks: list[tuple[int, int, int]]) -> None:
    counts = [(Counts(n, min(k, n)), Counts(m)) for n, k, m in ticks]
    found = _judge(*counts)
    assert found.slis[0].updated == sum((new for new, _ in counts), Counts())
    assert 0 <= found.slis[0].chance <= 1
    assert not (found.slis[0].missing and found.verdict is Verdict.PASS)


def test_more_failures_than_requests_cannot_be() -> None:
    with pytest.raises(AssertionError, match="3 of 2 requests"):
        Counts(2, 3)


# ── Its numbers ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_limit_is_the_objective_or_what_the_baseline_had() -> None:
    before = [Sample(sli="dns", at=NOW, updated=Counts(), control=Counts(500, failed)) for failed in (30, 50)]
    harmless = [Sample(sli="dns", at=NOW, updated=Counts(), control=Counts(1000, 10))]
    assert opened(SETTINGS, [DNS], harmless).watched[0].limit == 0.01, "as many as may fail are no reason for more"
    (troubled,) = opened(SETTINGS, [DNS], before).watched
    assert troubled.limit == pytest.approx(1.5 * (80 + 2 * math.sqrt(80) + 2) / 1000)
    hopeless = [Sample(sli="dns", at=NOW, updated=Counts(), control=Counts(100, 100))]
    assert opened(SETTINGS, [DNS], hopeless).watched[0].limit == 0.9


def test_failures_alone_count_from_five_times_the_objective_where_there_is_a_control() -> None:
    assert (opened(SETTINGS, [DNS]).watched[0].bearable, len(opened(SETTINGS, [DNS]).watched[0].bad)) == (0.05, 4)
    assert (opened(SETTINGS, [ALONE]).watched[0].bearable, len(opened(SETTINGS, [ALONE]).watched[0].bad)) == (0.01, 6)


def test_ticks_and_silence_are_counted() -> None:
    gate = opened(SETTINGS, [DNS])
    seen = []
    for samples in ([], [], [Sample(sli="dns", at=NOW, updated=Counts(3))], []):
        gate = observed(gate, samples)
        seen.append((gate.watched[0].ticks, gate.watched[0].silent))
    assert seen == [(0, 1), (0, 2), (1, 0), (1, 1)]


def test_without_answers_of_the_others_nothing_is_compared() -> None:
    assert _worse(5.0, Counts(10, 9), Counts(), 1.5) == 0
    assert _worse(5.0, Counts(), Counts(10, 9), 1.5) == 0
    assert _worse(5.0, Counts(10, 9), Counts(10), 1.5) > 1


def test_no_more_good_is_kept_than_twice_what_a_pass_needs() -> None:
    gate = opened(SETTINGS, [DNS])
    for samples in _samples(*[(Counts(1000), Counts(1000))] * 3):
        gate = observed(gate, samples)
    assert gate.watched[0].good == pytest.approx(2 * math.log(20))


@pytest.mark.parametrize(("baseline", "missing"), [((0, 100), 32), ((10, 100), 7), ((20, 100), 5), ((50, 100), 5)])
def test_where_the_baseline_fails_a_pass_asks_for_no_better(baseline: tuple[int, int], missing: int) -> None:
    failed, requests = baseline
    before = [Sample(sli="dns", at=NOW, updated=Counts(), control=Counts(requests, failed))]
    assert judged(opened(SETTINGS, [DNS], before)).slis[0].missing == missing


def test_the_stakes_of_a_rollout_add_up_to_one() -> None:
    horizon = 100
    assert sum(math.exp(_stake(tick, horizon)) for tick in range(horizon)) == pytest.approx(1, abs=0.01)
    assert _stake(horizon, horizon) == -math.inf


def test_what_an_sli_says_is_of_all_that_was_counted() -> None:
    found = _judge((Counts(100, 1), Counts(50)), (Counts(100), Counts(50))).slis[0]
    assert (found.updated, found.control, found.limit) == (Counts(200, 1), Counts(100), 0.01)
    assert 0 < found.chance <= 1
    assert judged(opened(SETTINGS, [DNS])).slis[0].chance == 1


# ── Additional SLIs ─────────────────────────────────────────────────────────────────────────────────────────────

OF_USERS = Objective(sli="dns-responses", additional=True, of_users=True)
OF_ONE = Objective(sli="webhook-calls", controlled=False, additional=True, of_users=True)


def _beside_probes(*counts: tuple[Counts, Counts], objective: Objective = OF_USERS, every: int = 6) -> Judgement:
    """Probes that are fine at every tick, and what real traffic counted at each sixth."""
    gate = opened(SETTINGS, [DNS, objective])
    for tick, (updated, control) in enumerate(counts):
        probed = (Sample(sli="dns", at=NOW + tick * _TICK, updated=Counts(50), control=Counts(50)),)
        counted = (Sample(sli=objective.sli, at=NOW + tick * _TICK, updated=updated, control=control),)
        gate = observed(gate, (*probed, *counted))
        for _ in range(every - 1):
            gate = observed(gate, probed)
    return judged(gate)


def test_an_additional_sli_that_fails_fails_the_gate_within_minutes() -> None:
    bad = [(Counts(3000, 900), Counts(9000, 9))]
    assert _beside_probes(*bad * 2).verdict is not Verdict.PASS
    assert _beside_probes(*bad * 4).verdict is Verdict.FAIL


def test_one_burst_of_real_traffic_proves_nothing() -> None:
    calm = (Counts(3000, 3), Counts(9000, 9))
    assert _beside_probes(calm, (Counts(3000, 600), Counts(9000, 9)), calm).verdict is not Verdict.FAIL


@pytest.mark.parametrize(
    ("updated", "control"),
    [(Counts(3000, 900), Counts(9000, 2700)), (Counts(3000, 120), Counts(9000, 9)), (Counts(3000, 900), Counts())],
    ids=["all fail alike", "worse, and within bounds", "nobody to compare with"],
)
def test_what_users_ask_for_must_be_worse_than_the_others_and_bad(updated: Counts, control: Counts) -> None:
    assert _beside_probes(*[(updated, control)] * 40).verdict is Verdict.PASS


def test_what_only_one_instance_does_is_judged_by_its_objective() -> None:
    assert _beside_probes(*[(Counts(50, 40), Counts())] * 4, objective=OF_ONE).verdict is Verdict.FAIL
    assert _beside_probes(*[(Counts(5000, 20), Counts())] * 40, objective=OF_ONE).verdict is Verdict.PASS


def test_what_is_asked_from_nodes_fails_where_nobody_is_left_to_compare_with() -> None:
    """Once all nodes have the new version: one of twenty leads nowhere, for 30 s; each is asked once a second."""
    nodes = Objective(sli="service-network", controlled=False, additional=True)
    assert _beside_probes(*[(Counts(100), Counts())] * 60, objective=nodes, every=1).verdict is Verdict.PASS
    assert _beside_probes(*[(Counts(100, 5), Counts())] * 6, objective=nodes, every=1).verdict is Verdict.FAIL
    assert _beside_probes(*[(Counts(10, 1), Counts()), *[(Counts(10), Counts())] * 20], objective=nodes).verdict is (
        Verdict.PASS
    )


def test_nobody_waits_for_an_additional_sli() -> None:
    silent = _beside_probes(*[(Counts(), Counts())] * 10)
    assert silent.verdict is Verdict.PASS
    assert (silent.slis[1].verdict, silent.slis[1].silent) == (Verdict.UNKNOWN, True)
    assert [each.sli for each in silent.slis if each.decides] == ["dns"]


def test_suspicion_of_an_additional_sli_holds_until_it_falls_silent() -> None:
    suspicious = [(Counts(3000, 3), Counts(9000, 9)), *[(Counts(3000, 900), Counts(9000, 9))] * 2]
    held = _beside_probes(*suspicious)
    assert held.slis[1].suspicious
    assert held.verdict is Verdict.UNKNOWN
    assert _beside_probes(*suspicious, *[(Counts(), Counts())] * 5).verdict is Verdict.PASS


@pytest.mark.parametrize("objective", [OF_USERS, OF_ONE], ids=["beside others", "alone"])
@pytest.mark.parametrize("seed", range(3))
def test_healthy_updates_with_real_traffic_in_bursts_are_never_failed(seed: int, objective: Objective) -> None:
    """Each pod gets a client now and then whose names fail: a third of what it answers in that half minute."""
    chance = random.Random(seed)
    for _ in range(30):
        ticks = []
        for _ in range(20):
            shares = [0.3 if chance.random() < 0.1 else 0.005 for _ in range(4)]
            counts = [Counts(2000, sum(chance.random() < share for _ in range(200)) * 10) for share in shares]
            ticks.append((counts[0], sum(counts[1:], Counts()) if objective.controlled else Counts()))
        assert _beside_probes(*ticks, objective=objective).verdict is not Verdict.FAIL
