"""How to read the status of an object: rules to combine.

A rule takes the conditions, phases and counts of one object and returns healthy, progressing, degraded or suspended,
with Argo CD's meanings, or None if they say nothing. Used by object_health.py, by object_rules.py, whose table of kinds
combines them, and by general_rules.py for kinds that the table does not have.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

from addonctl.model import Condition, ConditionsOf, Health, OtherObject

State = tuple[Health, str]  # with the reason, empty where it is healthy
Rule = Callable[[Any], State | None]
"""Returns the state that a status shows; None if it shows none."""

HEALTHY, PROGRESSING, SUSPENDED = Health.HEALTHY, Health.PROGRESSING, Health.SUSPENDED
DEGRADED, UNKNOWN = Health.DEGRADED, Health.UNKNOWN
FINE: State = (HEALTHY, "")
WAITING: State = (PROGRESSING, "no status reported yet")
STALE: State = (PROGRESSING, "its newest spec has not been observed yet")


def find(conditions: Iterable[Condition], name: str) -> Condition | None:
    return next((condition for condition in conditions if condition.type == name), None)


def why(condition: Condition) -> str:
    """A condition for a person: its message, or else its type, status and reason."""
    if condition.message.strip():
        return " ".join(condition.message.split())
    return f"{condition.type} is {condition.status}" + (f" ({condition.reason})" if condition.reason else "")


# ── Building blocks for the rules of custom resources ───────────────────────────────────────────────────────────


def condition(name: str, *, false: Health = DEGRADED, pending: tuple[str, ...] = ()) -> Rule:
    """By one condition: True is healthy, Unknown progressing, False `false`, or progressing for `pending` reasons."""

    def rule(it: Any) -> State | None:
        found = find(it.conditions, name)
        if found is None:
            return None
        if found.status == "True":
            return FINE
        late = found.status != "False" or found.reason in pending or found.severity == "Info"
        return PROGRESSING if late else false, why(found)

    return rule


def when(health: Health, *names: str, status: str = "True") -> Rule:
    """`health` when one of these conditions is True (or `status`)."""

    def rule(it: Any) -> State | None:
        found = next((c for c in it.conditions if c.status == status and c.type in names), None)
        return (health, "" if health is HEALTHY else why(found)) if found else None

    return rule


def because(health: Health, *reasons: str) -> Rule:
    """`health` when a condition gives one of these reasons."""

    def rule(it: Any) -> State | None:
        found = next((c for c in it.conditions if c.reason in reasons), None)
        return (health, why(found)) if found else None

    return rule


def every_condition(it: Any) -> State | None:
    """For kinds without a summary condition: degraded if any is False, progressing if any is not True yet."""
    if not it.conditions:
        return None
    return when(DEGRADED, *(c.type for c in it.conditions), status="False")(it) or next(
        ((PROGRESSING, why(c)) for c in it.conditions if c.status != "True"), FINE
    )


def phase(*paths: str, **own: Health) -> Rule:
    """By the word in the first of these fields that is set; `own` words are the kind's, the others are common."""

    def rule(it: OtherObject) -> State | None:
        word = text(it, *paths)
        if not word:
            return None
        health = own.get(_plain(word)) or meaning(word)
        if health is None:
            return None
        if health is HEALTHY:
            return FINE
        more = message(it)
        return health, f"it is {word}" + (f": {more}" if more and more != word else "")

    return rule


def flag(path: str, *, false: Health = PROGRESSING) -> Rule:
    """By a boolean field."""

    def rule(it: OtherObject) -> State | None:
        value = it.fields.get(path)
        if value not in ("true", "false"):
            return None
        return FINE if value == "true" else (false, message(it) or f"{path.rpartition('.')[2]} is false")

    return rule


def told(health: Health, *paths: str) -> Rule:
    """`health` when one of these fields is set; its text is the reason."""

    def rule(it: OtherObject) -> State | None:
        said = text(it, *paths)
        return (health, said) if said else None

    return rule


def observed(it: OtherObject) -> State | None:
    """For kinds whose status only has the observed generation."""
    if it.observed_generation is None:
        return None
    return STALE if it.observed_generation < it.generation else FINE


def stale(it: OtherObject) -> State | None:
    late = it.observed_generation is not None and it.observed_generation < it.generation
    return STALE if late else None


def suspended(it: OtherObject) -> State | None:
    """Suspended by its user."""
    switched = next((path for path in _SWITCHES if it.fields.get(path) == "true"), None)
    return (SUSPENDED, f"{switched} is true") if switched else when(SUSPENDED, "Paused", "Suspended")(it)


_SWITCHES = (
    "spec.suspend",
    "spec.suspended",
    "spec.paused",
    "spec.updateStrategy.paused",
    "spec.updateStrategy.rollingUpdate.paused",
    "status.paused",
)


def first(*rules: Rule) -> Rule:
    """The first rule that gives a state; None if none does."""

    def rule(it: Any) -> State | None:
        return next((said for each in rules if (said := each(it)) is not None), None)

    return rule


def must(*rules: Rule) -> Rule:
    """Like `first`, for kinds that always have a status: without one, they are waiting for their controller."""
    return first(*rules, lambda it: WAITING)


def attached(*, to_all: bool = True) -> Rule:
    """Gateway API: its own conditions and those by parent or listener; those of an older generation do not count.

    A parent with only such conditions is progressing. Without `to_all` it is ignored: a route keeps former parents.
    """

    def rule(it: OtherObject) -> State | None:
        own = [ConditionsOf(parent="", conditions=it.conditions)] if it.conditions else []
        parts = [(part.parent, _fresh(part.conditions, it.generation)) for part in (*own, *it.parents)]
        fresh = [(f"{parent}: " if parent else "", c) for parent, conditions in parts for c in conditions]
        if not fresh:
            return None
        for health, troubles in _GATEWAY_TROUBLES:
            for prefix, c in fresh:
                if (c.type, c.status) in troubles:
                    return health, prefix + why(c)
        late = next((parent for parent, conditions in parts if not conditions), None) if to_all else None
        return FINE if late is None else (PROGRESSING, f"it waits for {late or 'its controller'}")

    return rule


_GATEWAY_TROUBLES = (
    (DEGRADED, {("Accepted", "False"), ("ResolvedRefs", "False"), ("Conflicted", "True")}),
    (
        PROGRESSING,
        {(name, status) for name in ("Accepted", "ResolvedRefs", "Programmed") for status in ("False", "Unknown")},
    ),
)


def _fresh(conditions: Iterable[Condition], generation: int) -> list[Condition]:
    return [c for c in conditions if not generation or c.observed_generation in (None, generation)]


def by_pod(it: OtherObject) -> State | None:
    """Gatekeeper: each of its pods reports the generation it observed, and its errors."""
    if not it.parents:
        return None
    for part in it.parents:
        for c in part.conditions:
            if c.type == "Error":
                return DEGRADED, f"{part.parent}: {why(c)}"
    late = [part for part in it.parents if not _fresh(part.conditions, it.generation)]
    return STALE if late else FINE


def steps(*names: str) -> Rule:
    """By conditions that become True one after the other: progressing until all are."""

    def rule(it: Any) -> State | None:
        if not it.conditions:
            return None
        reached = {c.type for c in it.conditions if c.status == "True"}
        due = next((name for name in names if name not in reached), None)
        return (PROGRESSING, f"it waits to be {due.lower()}") if due else FINE

    return rule


def scaled(it: OtherObject) -> State | None:
    """For an operator that writes its ready replicas as `ready/wanted`."""
    ready, slash, wanted = it.fields.get("status.scale.statusReplicas", "").partition("/")
    if not slash or not ready.isdecimal() or not wanted.isdecimal():
        return None
    if int(ready) >= int(wanted):
        return FINE
    return (PROGRESSING if int(ready) else DEGRADED), f"{ready} of {wanted} replicas are ready"


def replicas(it: OtherObject) -> State | None:
    """By the replica counts that workloads write."""
    wanted, updated = count(it, "spec.replicas"), count(it, "status.updatedReplicas")
    ready = count(it, "status.availableReplicas", "status.readyReplicas", "status.updatedReadyReplicas")
    if wanted is None or ready is None:
        return None
    if updated is not None and updated < wanted:
        return PROGRESSING, f"{updated} of {wanted} replicas are updated"
    return (PROGRESSING, f"{ready} of {wanted} replicas are available") if ready < wanted else FINE


def any_ready(it: OtherObject) -> State | None:
    """For kinds that run one pod."""
    ready = count(it, "status.readyReplicas")
    if ready is None:
        return None
    return FINE if ready else (PROGRESSING, "its pod is not ready")


def count(it: OtherObject, *paths: str) -> int | None:
    said = text(it, *paths)
    return int(said) if said.isdecimal() else None


def text(it: OtherObject, *paths: str) -> str:
    """The first of these fields that is set."""
    return next((it.fields[path] for path in paths if path in it.fields), "")


def message(it: OtherObject) -> str:
    return " ".join(text(it, *_MESSAGES).split())


_MESSAGES = (
    "status.message",
    "status.error.message",
    "status.errorMessage",
    "status.failureReason",
    "status.error",
    "status.health.message",
    "status.applicationState.errorMessage",
    "status.conditionStatus.message",
    "status.reason",
)


# ── Words ───────────────────────────────────────────────────────────────────────────────────────────────────────

_WORDS: Mapping[str, Health] = {
    **dict.fromkeys(
        """
        active applied approved attached available bound complete completed connected deployed done enabled
        established exists finished green healthy initialized installed ok online operational processed provisioned
        ready reconciled running succeeded success successful synced up valid
        """.split(),
        HEALTHY,
    ),
    **dict.fromkeys(
        "accepted init minimumreplicasunavailable new prepared queued submitted yellow".split(), PROGRESSING
    ),
    **dict.fromkeys(
        """
        aborted broken canceled cancelled crashed degraded denied errored expired failedvalidation failing invalid
        lost notsynced red rejected stalled timeout unavailable unhealthy unrecoverable warning
        """.split(),
        DEGRADED,
    ),
    **dict.fromkeys(("disabled", "hibernated", "ignored", "paused", "stopped", "suspended"), SUSPENDED),
    "notfound": Health.MISSING,
}
"""Phases and reasons as controllers spell them, letters and digits only, in lower case."""


@lru_cache(maxsize=4096)
def _plain(word: str) -> str:
    return "".join(filter(str.isalnum, word.lower()))


def meaning(word: str) -> Health | None:
    """The state that a phase or reason means: by the table, or by its start or end (`WaitingForLoad`, `SyncFailed`).

    Of a sentence where a word is expected, its words count: `Resource is being created`, `Credentials are not set`.
    """
    first, _, more = word.partition(",")
    said = first if more else word  # a word, and after it a sentence
    return _of_word(_plain(said)) or _of_sentence(said)


def _of_sentence(said: str) -> Health | None:
    words = [_plain(word) for word in said.split()]
    if len(words) < 2:
        return None
    if words[0].startswith(_BEGUN) or not _UNDER_WAY.isdisjoint(words):
        return PROGRESSING
    found = [_of_word(word) for word in words]
    if DEGRADED in found or not _DENIALS.isdisjoint(words):
        return DEGRADED
    return PROGRESSING if PROGRESSING in found else None


_UNDER_WAY = frozenset({"being", "yet"})
_DENIALS = frozenset({"cannot", "not", "unable"})


def _of_word(word: str) -> Health | None:
    if word in _WORDS:
        return _WORDS[word]
    if word.startswith(_BEGUN) or ("not" in word and word.endswith(("ready", "complete", "available"))):
        return PROGRESSING
    if word.endswith(("failed", "error", "failure", "exceeded", "aborted")) or word.startswith(_FAILED):
        return DEGRADED
    return PROGRESSING if word.endswith("ing") and not word.endswith("missing") else None


_FAILED = ("failed", "failing", "invalid")
_BEGUN = (
    "creating",
    "finalizing",
    "inprogress",
    "initializing",
    "pending",
    "provisioning",
    "updating",
    "waiting",
)
