"""One Lease an installation, in its cluster: two runs never work on one add-on, wherever each is carried out.

The API server decides who is first: a run applies the Lease under a field manager of its own, and another manager's
holder is a conflict. A Lease is never taken from its holder, also when that has died in the middle: only who has its
journal knows how far it was. Called by executor.py.
"""

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from functools import cache
from typing import Any

from addonctl.errors import Conflict, Invalid, NotFound
from addonctl.model import ObjectRef
from addonctl.model.run import Run
from addonctl.ports import ObjectReader, ObjectWriter

NAMESPACE = "kube-system"
"""Where they are."""
# It is renewed so often, and three times that without a sign says that its holder has died.
_RENEW_S = 15


def take(reader: ObjectReader, writer: ObjectWriter, run: Run, now: datetime) -> None:
    """Takes the Lease of the run's present step, or renews it. Raises Invalid where another run holds it."""
    try:
        _apply(writer, run, now)
    except Conflict as held:
        raise Invalid(*_held(reader, run, now)) from held


def keep(writer: ObjectWriter, run: Run, since: datetime, now: datetime) -> None:
    """Renews it where that is due, by the time of the last look."""
    if now.timestamp() // _RENEW_S > since.timestamp() // _RENEW_S:
        renew(writer, run, now)


def renew(writer: ObjectWriter, run: Run, now: datetime) -> None:
    with suppress(Conflict):  # somebody deleted it and another run took it: the journal's holder still goes to its end
        _apply(writer, run, now)


def free(reader: ObjectReader, writer: ObjectWriter, run: Run) -> None:
    """Gives back all that the run holds."""
    for lease in {of(step.installation) for step in run.plan.steps[: run.step + 1]}:
        try:
            found = reader.get(lease)
        except NotFound:
            continue
        if found.document["spec"].get("holderIdentity") == run.id:
            writer.delete(found.ref, uid=found.uid)


def _apply(writer: ObjectWriter, run: Run, now: datetime) -> None:
    installation = run.at_work_on.installation
    document: Mapping[str, Any] = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": of(installation).name,
            "namespace": NAMESPACE,
            "annotations": {"addonctl/installation": installation},
        },
        "spec": {
            "holderIdentity": run.id,
            "leaseDurationSeconds": 3 * _RENEW_S,
            "renewTime": f"{now:%Y-%m-%dT%H:%M:%S.%f}Z",
        },
    }
    writer.apply(document, manager=f"addonctl-{run.id}")


def _held(reader: ObjectReader, run: Run, now: datetime) -> tuple[str, str]:
    """What to say of a Lease that another run holds, and what to do."""
    installation = run.at_work_on.installation
    try:
        found = reader.get(of(installation))
    except NotFound:
        return f"Another run has just ended on {installation}", "Try again."
    spec = found.document["spec"]
    holder, renewed = spec.get("holderIdentity", "?"), spec.get("renewTime", "")
    silent_s = (now - datetime.fromisoformat(renewed)).total_seconds() if renewed else 0
    if silent_s <= 3 * _RENEW_S:
        return f"Run {holder} is at work on {installation}", f"Wait for it, or `addonctl cancel {holder}`."
    return (
        f"Run {holder} stopped in the middle of {installation}, {silent_s:.0f} s ago",
        f"`addonctl resume {holder}` where it was started; if its journal is lost, look at the add-on and then "
        f"`kubectl delete lease {found.ref.name} -n {NAMESPACE}`.",
    )


@cache
def of(installation: str) -> ObjectRef:
    name = f"addonctl-{hashlib.sha256(installation.encode()).hexdigest()[:12]}"
    return ObjectRef(kind="Lease", name=name, namespace=NAMESPACE, group="coordination.k8s.io")
