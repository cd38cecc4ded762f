"""The state of an object of a kind without a rule of its own, by how most controllers write a status.

The conventions are those of Kubernetes' API guidelines and of kstatus: the observed generation, conditions named after
a success or after a problem, a phase, counts of replicas, errors told. Nothing here is about one kind: what a kind
means by its own words alone (a number, a name that only it has) is unknown. Called by object_health.py.
"""

from dataclasses import replace

from addonctl.health.status_rules import (
    DEGRADED,
    FINE,
    HEALTHY,
    PROGRESSING,
    STALE,
    SUSPENDED,
    UNKNOWN,
    WAITING,
    Rule,
    State,
    attached,
    count,
    first,
    flag,
    meaning,
    phase,
    replicas,
    scaled,
    stale,
    suspended,
    text,
    told,
    when,
    why,
)
from addonctl.model import Condition, OtherObject


def by_conditions(it: OtherObject) -> State | None:
    """A status as most controllers write it: error conditions, a summary condition, a phase, counts."""
    return first(*IN_ORDER)(it) or (UNKNOWN, "status not understood")


def _broken(it: OtherObject) -> State | None:
    """A condition named after a problem that is True: `Stalled`, `FailedCreatePod`, `CatalogSourcesUnhealthy`."""
    found = next((c for c in it.conditions if c.status == "True" and _is_trouble(c.type.lower())), None)
    return (DEGRADED, why(found)) if found else None


def _is_trouble(name: str) -> bool:
    return name.endswith(_TROUBLES) or name.startswith(("failed", "invalid"))


def _halted(it: OtherObject) -> State | None:
    """A condition that is True and named after a halt: `Paused`, `Ignored`; or whose reason is one."""
    found = next((c for c in it.conditions if c.status == "True" and _is_halt(c)), None)
    found = found or next((c for c in it.conditions if c.reason.endswith("Paused")), None)
    return (SUSPENDED, why(found)) if found else None


def _is_halt(it: Condition) -> bool:
    return SUSPENDED in (meaning(it.type), meaning(it.reason))


def _at_work(it: OtherObject) -> State | None:
    """A condition that is True and named after work that goes on: `In-progress`, `Reconciling`."""
    found = next((c for c in it.conditions if c.status == "True" and meaning(c.type) is PROGRESSING), None)
    return (PROGRESSING, why(found)) if found else None


def _late(it: OtherObject) -> State | None:
    """A Deployment's way to say that its change has not gone on in time, or was given up."""
    found = next((c for c in it.conditions if c.type == "Progressing" and meaning(c.reason) is DEGRADED), None)
    return (DEGRADED, why(found)) if found else None


def _runs(it: OtherObject) -> State | None:
    """What is made to end, by the name of its kind, is at work while it runs."""
    if not it.kind.endswith(_ENDING):
        return None
    word = text(it, *_PHASES) or next(iter(it.words), "")
    running = word.lower() == "running" or any(c.type == "Running" and c.status == "True" for c in it.conditions)
    return (PROGRESSING, "it is running") if running and not _ended(it) else None


def _ended(it: OtherObject) -> bool:
    return any(c.type in _ENDED and c.status == "True" for c in it.conditions)


def _summed_up(it: OtherObject) -> State | None:
    """By the summary conditions, or by all that are named after a success; the worst of them counts."""
    named = [c for c in it.conditions if c.type in _SUMMARIES]
    named = named or [c for c in it.conditions if _is_success(c.type.lower())]
    said = [_of_summary(it, c) for c in named]
    if STALE in said or any(c.type in _ENDED and c.status == "True" for c in named):
        return STALE if STALE in said else FINE
    by_worst = (health for worst in (SUSPENDED, DEGRADED, PROGRESSING) for health in said if health[0] is worst)
    return next(by_worst, FINE if said else None)


def _is_success(name: str) -> bool:
    return name.endswith(_SUCCESSES) and not name.endswith(_TROUBLES)


def _of_summary(it: OtherObject, told: Condition) -> State:
    """False is a failure, unless something shows that work is in progress."""
    if told.observed_generation is not None and told.observed_generation < it.generation:
        return STALE
    if told.status == "True":
        return FINE
    if told.reason.endswith("Paused"):
        return SUSPENDED, why(told)
    reason, at_work = meaning(told.reason), _GOES_ON(it) or _ANY_PHASE(it) or FINE
    if told.severity == "Info" or (told.status != "False" and reason is not DEGRADED):
        return PROGRESSING, why(told)
    if reason is DEGRADED or told.severity == "Error" or told.message.lower().startswith(("error", "failed")):
        return DEGRADED, why(told)
    return PROGRESSING if PROGRESSING in (reason, at_work[0]) else DEGRADED, why(told)


def unless_fine(rule: Rule) -> Rule:
    """The problems that `rule` reports, so that other rules run before it can return healthy."""
    return lambda it: None if (said := rule(it)) == FINE else said


def _failed_phase(it: OtherObject) -> State | None:
    said = _ANY_PHASE(it)
    return said if said and said[0] is DEGRADED else None


def _nested(it: OtherObject) -> State | None:
    """By conditions further down: of parts, of listeners, of what it wraps; the worst of them counts."""
    said = [found for part in it.nested if (found := _summed_up(replace(it, conditions=part.conditions))) is not None]
    by_worst = (found for worst in (SUSPENDED, DEGRADED, PROGRESSING) for found in said if found[0] is worst)
    return next(by_worst, FINE if said else None)


def _words_inside(it: OtherObject) -> State | None:
    """By words of state further down; the worst of them counts."""
    said = [(health, word) for word in it.words if (health := _ACCEPTED.get(word) or meaning(word)) is not None]
    for worst in (DEGRADED, PROGRESSING, SUSPENDED):
        bad = next((word for health, word in said if health is worst), None)
        if bad is not None:
            return worst, f"a part of it is {bad}"
    return FINE if said else None


_ACCEPTED = {"Accepted": HEALTHY}  # by one of those that it is for; as the phase of a request it is a beginning


def _untold(it: OtherObject) -> State | None:
    """A status without anything in it is one that its controller has not filled yet."""
    return WAITING if it.is_empty or not it.has_status else None


def _counted(it: OtherObject) -> State | None:
    """By ready replicas, where the status says how many there are."""
    total, ready = count(it, "status.replicas"), count(it, "status.readyReplicas", "status.availableReplicas")
    if total is None or ready is None or count(it, "spec.replicas") is not None:
        return None
    return (PROGRESSING, f"{ready} of {total} replicas are ready") if ready < total else FINE


def _parts(it: OtherObject) -> State | None:
    return attached(to_all=False)(it) if it.parents else None


_TROUBLES = (
    "failed",
    "failure",
    "error",
    "erroroccurred",
    "unhealthy",
    "degraded",
    "stalled",
    "terminal",
    "invalid",
    "notready",
    "conflict",
    "errors",
)
_ENDED = frozenset({"Succeeded", "Successful", "Complete", "Completed"})
_SUMMARIES = _ENDED | {"Ready", "Available", "Healthy", "Synced", "Reconciled"}
_SUCCESSES = (
    "ready",
    "available",
    "healthy",
    "synced",
    "synchronized",
    "success",
    "succeeded",
    "applied",
    "reconciled",
    "accepted",
    "admitted",
    "programmed",
    "valid",
    "established",
    "deployed",
    "running",
)
_GOES_ON = when(PROGRESSING, "Progressing", "Reconciling", "Updating", "RollingUpdate", "InProgress")
_PHASES = (
    "status.phase",
    "status.state",
    "status.currentState",
    "status.status",
    "status.health.status",
    "status.health",
)
_ANY_PHASE = phase(*_PHASES)
_ENDING = ("Job", "Run", "Task", "Workflow", "Backup", "Restore", "Migration", "Import", "Export")
IN_ORDER: tuple[Rule, ...] = (
    suspended,
    stale,
    _halted,
    _broken,
    _late,
    _failed_phase,
    when(PROGRESSING, "Reconciling"),
    unless_fine(_summed_up),
    _runs,
    unless_fine(_ANY_PHASE),
    unless_fine(replicas),
    _summed_up,
    _parts,
    _ANY_PHASE,
    flag("status.ready"),
    flag("status.readyToUse"),
    flag("status.healthy", false=DEGRADED),
    replicas,
    scaled,
    _counted,
    _at_work,
    told(DEGRADED, "status.error", "status.error.message", "status.errorMessage", "status.errorDescription"),
    _nested,
    _words_inside,
    _untold,
)
"""The first that gives a state counts."""
