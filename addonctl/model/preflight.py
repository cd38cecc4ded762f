"""What is read for one step of a plan beyond a Snapshot, before it starts: plain results, never a setting's value.

None means that it was not read, never that there is nothing; `unread` says why. Judged by addonctl/preflight.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from addonctl.model.cluster import ObjectRef
from addonctl.model.live import Right


class Fact(StrEnum):
    """What can be read for a step."""

    CONFIGURATION = "configuration"  # whether it is valid for the versions of both ends
    FIELDS = "fields"  # whose the fields of the step's objects are
    STORED_VERSIONS = "stored versions"  # of its CRDs, now
    RIGHTS = "rights"  # that carrying it out takes


@dataclass(frozen=True, slots=True)
class Violation:
    """One place where a configuration does not match a schema. `message` names the rule, never the value."""

    path: str
    message: str


@dataclass(frozen=True, slots=True)
class ForeignField:
    """A field of a step's object that somebody else than its owner set, and that its owner may set as well."""

    ref: ObjectRef
    manager: str
    field: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFacts:
    """`configuration`: version → violations of its schema; a version that is missing was not read.

    `lacking`: rights that carrying it out takes, and that whoever asks does not have.
    """

    configuration: Mapping[str, tuple[Violation, ...]] | None = None
    fields: tuple[ForeignField, ...] | None = None
    stored_versions: Mapping[str, tuple[str, ...]] | None = None  # by the name of the CRD
    lacking: tuple[Right, ...] | None = None
    unread: Mapping[Fact, str] = field(default_factory=dict)  # why


NOTHING_READ = StepFacts()
