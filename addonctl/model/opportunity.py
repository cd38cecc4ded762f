"""What could cost less: opportunities, what each saves a month, and the Actions that take it and undo it.

Found by opportunities/, from what was read; what cannot be judged from it is said as well.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from addonctl.model.action import Action
from addonctl.model.cluster import ObjectRef
from addonctl.model.finding import Due, Evidence


class Frees(StrEnum):
    """What a saving is of."""

    CHARGES = "charges"  # AWS charges less as soon as it is done
    ROOM = "room on nodes"  # money once fewer or smaller nodes do
    ADDRESSES = "addresses"  # of subnets, which cost nothing and run out


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """What is saved a month. `usd_micros` is None where that is not known, and `unknown` says why.

    `estimated` says what a figure rests on that was not read; empty if nothing.
    """

    frees: Frees
    usd_micros: int | None = None
    estimated: str = ""
    unknown: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opportunity:
    """One change that saves. `kind` is its entry in the table; `what` names what it is about.

    `installation` is whose cost it is, empty where it is no add-on's; `about` are the objects that would change.
    """

    kind: str
    what: str
    saving: Saving
    installation: str = ""
    about: tuple[ObjectRef, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    do: tuple[Action, ...] = ()
    undo: tuple[Action, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NotJudged:
    """A kind of opportunity that what was read does not decide, and where to look."""

    kind: str
    reason: str
    installation: str = ""
    look: tuple[Action, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OpportunityKind:
    """What one kind is: its title, how its saving is reckoned, what must hold before and after, when to do it."""

    id: str
    title: str
    cost_model: str
    guard: str
    due: Due


@dataclass(frozen=True, slots=True, kw_only=True)
class Opportunities:
    """All that were found, those that save most first, and what could not be judged."""

    found: tuple[Opportunity, ...] = ()
    not_judged: tuple[NotJudged, ...] = ()

    def of(self, installations: Collection[str]) -> "Opportunities":
        """Those of some installations."""
        return Opportunities(
            found=tuple(each for each in self.found if each.installation in installations),
            not_judged=tuple(each for each in self.not_judged if each.installation in installations),
        )

    def usd_micros(self, frees: Frees) -> int:
        """What those of one sort save together a month, as far as it is known."""
        return sum(each.saving.usd_micros or 0 for each in self.found if each.saving.frees is frees)
