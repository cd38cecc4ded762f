"""What every hand can do, and what it takes."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol, cast

from addonctl import ports
from addonctl.model import ObjectRef, live
from addonctl.model.checkpoint import Checkpoint
from addonctl.model.plan import Step
from addonctl.model.run import OwnerState
from addonctl.versions import parse


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """The ways to one cluster that changing it takes."""

    reader: ports.ObjectReader
    writer: ports.ObjectWriter
    eks: ports.EksAddons
    eks_writer: ports.EksAddonWriter
    checkpoints: ports.Checkpoints
    signals: ports.Signals
    clock: ports.Clock
    gitops: ports.GitOpsWriter
    helm: ports.HelmReleases
    helm_writer: ports.HelmWriter
    manifests: ports.ManifestReader
    assessor: ports.Assessor | None = None  # None: only the instances and the SLIs are watched
    configurations: ports.Checkpoints | None = None  # None: none is changed

    def fenced(self, check: Callable[[], None]) -> "Ports":
        """The same, where `check` is asked before anything is written, and may raise."""
        writers = ("writer", "eks_writer", "gitops", "helm_writer")
        return replace(self, **{name: cast(Any, _Fenced(getattr(self, name), check)) for name in writers})


@dataclass(frozen=True, slots=True)
class _Fenced:
    """A writing port that asks first."""

    port: object
    check: Callable[[], None]

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.port, name)

        def asked(*given: Any, **named: Any) -> Any:
            self.check()
            return method(*given, **named)

        return asked


class Superseded(Exception):
    """Another worker has taken the run: this one writes nothing more for it."""


class NotYet(Exception):
    """What was asked for is under way; ask again in `seconds`."""

    def __init__(self, what: str, seconds: float) -> None:
        super().__init__(what)
        self.seconds = seconds


class GivenUp(NotYet):
    """It is not under way any more: its owner has given it up, and has to be asked for it again."""


@dataclass(frozen=True, slots=True)
class Present:
    """What the owner has now: a version, and why it cannot be changed just now, if so.

    `busy`: that is something that ends by itself.
    """

    version: str
    unsettled: str = ""
    busy: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What an owner keeps of an installation, for the checkpoint; what it does not have is None.

    `objects`: that its change would write, beside those of the step.
    """

    eks: live.Addon | None = None
    helm: live.Release | None = None
    manager: live.Object | None = None
    objects: tuple[live.Object, ...] = ()

    def checkpoint(
        self,
        cluster: str,
        step: Step,
        version: str,
        taken: datetime,
        found: Iterable[live.Object] = (),
        applied: tuple[ObjectRef, ...] | None = None,
    ) -> Checkpoint:
        """Of a step's installation, with the objects `found` of it beside those that its owner keeps."""
        return Checkpoint(
            cluster=cluster,
            installation=step.installation,
            addon=step.addon,
            taken=taken,
            owner=step.owner,
            version=version,
            eks=self.eks,
            helm=self.helm,
            manager=self.manager,
            objects=tuple({each.ref: each for each in (*found, *self.objects)}.values()),
            applied=applied,
        )


def as_written(step: Step, version: str) -> str:
    """A version as the step writes it: `v1.2.0` and `1.2.0` are the same."""
    found = parse(version)
    same = (each for each in (step.from_version, step.to_version) if each is not None and each == found)
    return str(next(same, version))


def goal_of(step: Step, ports: Ports) -> Checkpoint | None:
    """The state with the configuration that a step is to bring; None where it stays as it is."""
    if step.configuration is None:
        return None
    assert ports.configurations is not None, "who plans a change of configuration keeps it"
    return ports.configurations.load(step.configuration.goal)


class Hand(Protocol):
    """One step's owner. `before` is the checkpoint of the step; a ticket is what the owner gave for a change."""

    def present(self) -> Present: ...

    def kept(self) -> Kept:
        """What the owner keeps now, losslessly."""
        ...

    def applied(self) -> tuple[live.Object, ...]:
        """What the owner has applied by now, as far as that can be told: see applied.py."""
        ...

    def hold(self, before: Checkpoint) -> None:
        """Makes the owner leave alone what is set for a while: the temporary settings, and old templates put back.

        Called before any of them is set, until `let_go`; what undoes it is in `before`.
        """
        ...

    def let_go(self, before: Checkpoint, token: str) -> None:
        """Undoes `hold`, exactly. Called when the temporary settings have been taken away."""
        ...

    def change(self, before: Checkpoint, token: str) -> str:
        """Tells the owner the step's version and configuration, with all else as it is; the ticket. Does not wait."""
        ...

    def revert(self, before: Checkpoint, token: str) -> str:
        """Tells the owner the checkpoint's state, unless it has it already. Raises NotYet while it is busy."""
        ...

    def state(self, ticket: str) -> tuple[OwnerState, str]:
        """How far the change with this ticket is."""
        ...

    def differences(self, before: Checkpoint) -> Iterator[str]:
        """What the owner keeps otherwise than the checkpoint has it, in words."""
        ...
