"""Updates from beginning to end as `addonctl runs RUN` tells them, kept in golden files: what goes well, and what not.

The production code carries them out in the simulated world, where a second takes none; each is the same every time.
`pytest tests/stories --renew` writes the files anew.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from addonctl.adapters.values_files import parsed
from addonctl.configuring import Configuring
from addonctl.executor import Executor
from addonctl.model.journal import Asked
from addonctl.model.plan import Plan, Step, Wave
from addonctl.model.run import Approved, Cancelled, Limits, Paused, Phase, Resumed, Run
from addonctl.render import live
from addonctl.sim.controllers import Behaviour
from addonctl.sim.journal import HOLD_S, Shelf, SimJournal
from addonctl.values import Values
from addonctl.versions import Version
from addonctl.worker import Worker
from tests.simulation.update import Cluster, Died, Eks, Mortal

GOLDEN = Path(__file__).parent / "golden-updates"
_LIMITS = Limits(apply_s=600)


@dataclass(frozen=True)
class Story:
    """`asks`: what people ask when the run is first in a phase; `dies`: the phase in which its worker is killed.

    With `values` the version stays, and those are given.
    """

    name: str
    ends: Phase
    version: Mapping[str, Any] = field(default_factory=dict)
    step: Mapping[str, Any] = field(default_factory=dict)
    asks: Mapping[Phase, tuple[Asked, ...]] = field(default_factory=dict)
    dies: Phase | None = None
    eks_fails: str = ""
    values: Values = field(default_factory=dict)


class _Alone(Eks):
    configuration = '{"replicaCount": 1}'


_ANA = "ana@laptop"
_BAD = {"bad_share": 0.3}
_ALONE: Mapping[str, Any] = {"keeper": _Alone}
_OF_ONE = (Wave(instances=1, canary=True), Wave(instances=0))
STORIES = (
    Story("a-sound-version", Phase.UPDATED),
    Story("node-by-node", Phase.UPDATED, {"kind": "DaemonSet"}),
    Story("wrong-answers", Phase.ROLLED_BACK, _BAD),
    Story("the-only-instance", Phase.UPDATED, _ALONE, {"waves": _OF_ONE}),
    Story("the-only-instance-answers-wrongly", Phase.ROLLED_BACK, {**_ALONE, **_BAD}, {"waves": _OF_ONE}),
    Story("no-image", Phase.ROLLED_BACK, {"behaviour": Behaviour(is_there=False)}),
    Story("crashes", Phase.ROLLED_BACK, {"behaviour": Behaviour(crashes_after_s=2)}),
    Story("never-ready", Phase.ROLLED_BACK, {"behaviour": Behaviour(gets_ready=False)}),
    Story("eks-says-failed", Phase.ROLLED_BACK, eks_fails="AdmissionRequestDenied"),
    Story("planned-for-another-version", Phase.REFUSED, step={"from_version": Version.of("v0.9.0-eksbuild.1")}),
    Story(
        "approved",
        Phase.UPDATED,
        step={"undo": (), "irreversible": "AWS offers no dns v1.0.0-eksbuild.1 any more"},
        asks={Phase.APPROVAL: (Approved(_ANA),)},
    ),
    Story("another-configuration", Phase.UPDATED, values={"level": "debug", "replicaCount": 4}),
    Story(
        "a-configuration-that-breaks-it",
        Phase.ROLLED_BACK,
        {"others": {"eks/dns:broken": Behaviour(crashes_after_s=2)}},
        values={"tag": "broken"},
    ),
    Story(
        "a-configuration-and-its-worker-killed",
        Phase.UPDATED,
        values={"corefile": "a map that no pod is replaced for"},
        dies=Phase.APPLY,
    ),
    Story("cancelled", Phase.CANCELLED, asks={Phase.SOAK: (Cancelled(_ANA),)}),
    Story("paused-and-resumed", Phase.UPDATED, asks={Phase.SOAK: (Paused(_ANA), Resumed("ben@laptop"))}),
    *(
        Story(f"worker-killed-while-{phase}", Phase.UPDATED, dies=phase)
        for phase in (Phase.PREFLIGHT, Phase.CHECKPOINT, Phase.BASELINE, Phase.APPLY, Phase.SOAK, Phase.VERIFY)
    ),
    Story("worker-killed-while-rolling-back", Phase.ROLLED_BACK, _BAD, dies=Phase.ROLLING_BACK),
)


def carried_out(story: Story) -> tuple[Run, SimJournal]:
    """The run at its end, and the journal; where its worker was killed, the next one took it."""
    cluster, shelf, left = Cluster(5, **story.version), Shelf(), [story.dies]
    cluster.eks.fails_next = story.eks_fails

    def dies() -> bool:
        (kept,) = shelf.kept.values()
        return bool(left and kept.run.phase is left[0] and left.pop())

    for number in (1, 2):
        name = f"worker-{number}"
        journal = Mortal(shelf, name, cluster.hands.clock, dies)
        worker = Worker(name, Executor(cluster.hands), journal, cluster.hands.clock, _asking(story, journal))
        try:
            run = journal.take() if number > 1 else worker.begin("dns-1", _plan(cluster, story), _ANA, limits=_LIMITS)
            assert run is not None
            return worker.drive(run), journal
        except Died:
            cluster.world.advance(HOLD_S + 1)
    raise AssertionError(f"{story.name} did not end")


def _plan(cluster: Cluster, story: Story) -> Plan:
    plan = cluster.plan()
    step: Step = replace(plan.steps[0], **story.step)
    if story.values:
        step = replace(step, to_version=step.from_version)
        change = Configuring(cluster.hands, parsed).change(plan.cluster, step, story.values)
        step = replace(step, configuration=change)
        return replace(plan, goal="dns/kube-system/dns to another configuration", steps=(step,))
    return replace(plan, goal=f"dns/kube-system/dns to {step.to_version}", steps=(step,))


def _asking(story: Story, journal: SimJournal) -> Callable[[Run], None]:
    """Asks each thing once, one after each move."""
    waiting = {phase: list(asked) for phase, asked in story.asks.items()}

    def told(run: Run) -> None:
        if waiting.get(run.phase):
            journal.ask(run.id, waiting[run.phase].pop(0))

    return told


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_it_is_told_as_it_was_the_last_time(
    story: Story, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    run, journal = carried_out(story)
    assert run.phase is story.ends, run.why
    live.run_details(run, journal.lines(run.id))
    told, file = capsys.readouterr().out, GOLDEN / f"{story.name}.txt"
    if request.config.getoption("--renew"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(told)
    assert told == file.read_text()


def test_every_file_is_of_a_story() -> None:
    assert {file.stem for file in GOLDEN.glob("*.txt")} == {story.name for story in STORIES}
