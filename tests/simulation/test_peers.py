"""Other ways of updating an add-on beside addonctl's, in the same simulated worlds: each does what it is known for."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from addonctl.sim.controllers import Behaviour
from addonctl.sim.faults import Drawn
from addonctl.sim.scenario import Scenario
from bench import updates_beside_peers as bench
from bench.peers import WAYS
from bench.updates_beside_peers import NEVER, Case, Left

PLAIN = Scenario(seed=1, kind="Deployment", instances=3, nodes=3, least=2)
OURS, HELM, EKS, KUBECTL, NOTHING = WAYS


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Behaviour], Case]:
    def play(way: str, does: Behaviour) -> Case:
        one = replace(PLAIN, does=does)
        monkeypatch.setattr(bench, "drawn", lambda seed, mix: one)
        return bench.played(1, bench.MIX, way, WAYS[way])

    return play


SOUND, NEVER_READY, WRONG = Behaviour(), Behaviour(gets_ready=False), Behaviour(wrong=0.5)
REFUSES, LATENT = Behaviour(rejects=True), Behaviour(wrong=1.0, sets_in_s=86_400)


@pytest.mark.parametrize(
    ("does", "left"),
    [
        (SOUND, dict.fromkeys((OURS, HELM, EKS, KUBECTL), Left.UPDATED)),
        (NEVER_READY, {OURS: Left.AS_BEFORE, HELM: Left.AS_BEFORE, EKS: Left.HARM, KUBECTL: Left.HARM}),
        (WRONG, {OURS: Left.AS_BEFORE, HELM: Left.HARM, EKS: Left.HARM, KUBECTL: Left.HARM}),
        (REFUSES, {OURS: Left.AS_BEFORE, HELM: Left.AS_BEFORE, EKS: Left.AS_BEFORE, KUBECTL: Left.HARM}),
        (LATENT, dict.fromkeys((OURS, HELM, EKS, KUBECTL), Left.LATENT)),
    ],
)
def test_what_each_way_leaves(played: Callable[[str, Behaviour], Case], does: Behaviour, left: dict[str, Left]) -> None:
    assert {way: played(way, does).left for way in left} == left


def test_harm_lasts_until_it_is_gone_and_nothing_is_lost_without_an_update(
    played: Callable[[str, Behaviour], Case],
) -> None:
    ours, helm, nothing = played(OURS, WRONG), played(EKS, WRONG), played(NOTHING, WRONG)
    assert ours.harm_s is not None
    assert 0 < ours.harm_s < 60 < NEVER == helm.harm_s
    assert ours.wrong * 10 < helm.wrong
    assert (nothing.left, nothing.harm_s, nothing.wrong, nothing.lost) == (Left.AS_BEFORE, None, 0, 0)
    for each in (ours, helm, nothing):  # one may be under way at the end
        assert each.asked == pytest.approx(1_800 * PLAIN.rps, abs=1)


def test_helm_puts_back_what_does_not_get_ready_when_its_wait_is_over(
    played: Callable[[str, Behaviour], Case],
) -> None:
    helm = played(HELM, NEVER_READY)
    assert helm.harm_s is not None
    assert 300 <= helm.harm_s < 330


def test_bounds_are_those_of_clopper_and_pearson() -> None:
    low, high = bench.bounds(4_971, 5_000)  # the share is printed with what a table of the distribution has
    assert (round(low, 5), round(high, 5)) == (0.99168, 0.99611)
    assert bench.bounds(10, 10)[1] == 1.0
    assert round(bench.bounds(10, 10)[0], 4) == 0.6915


def test_what_fails_in_eks_alone_does_not_befall_helm(monkeypatch: pytest.MonkeyPatch) -> None:
    one = replace(PLAIN, faults=(Drawn("slow updates", 130.0, 900.0, 1),))
    monkeypatch.setattr(bench, "drawn", lambda seed, mix: one)
    assert bench.played(1, bench.MIX, HELM, WAYS[HELM]).left is Left.UPDATED
