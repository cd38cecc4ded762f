"""Workloads of an add-on with too few pods, none, or that failed (HLT005, HLT006, HLT023).

Decided from counts and conditions; what findings on pods (pods.py) explain is not repeated. Called by check_health.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta

from addonctl.catalog import ClusterService
from addonctl.findings import finding, makes
from addonctl.health.case import Case, Told, seen, seen_event, seen_pod
from addonctl.health.complaints import UNANSWERED
from addonctl.health.known import remedies
from addonctl.health.known import shown as known_issues
from addonctl.health.unready import Reason, explained
from addonctl.model import Action, Condition, Event, Evidence, Finding, Note, ObjectRef, Pod, Severity, Workload
from addonctl.remediation import change, kubectl, undo

# A new pod that is not ready after this long blocks its rollout.
_ROLLOUT_GRACE = timedelta(minutes=2)
_STUCK = frozenset({("Progressing", "False"), ("ReplicaFailure", "True")})


def _that_count(case: Case) -> Iterator[Workload]:
    """Workloads that keep a number of pods running."""
    for workload in case.workloads:
        if workload.desired is not None and workload.kind not in ("Job", "CronJob"):
            yield workload


@makes("HLT005")
def short_of_pods(case: Case, told: Told) -> Iterator[Finding]:
    """Fewer pods available than desired, or a stuck rollout, if no finding on the pods explains it."""
    for workload in _that_count(case):
        troubles = case.pod_troubles.get(workload.ref)
        if not workload.desired or (troubles is not None and troubles.explain_a_shortage):
            continue
        available = workload.available if workload.available is not None else workload.ready
        if available is not None and (available < workload.desired or _held_up(case, workload)):
            yield _unavailable(case, workload, available, told)
        elif workload.paused and (workload.updated or 0) < workload.desired:
            yield _paused(case, workload)


def _conditions_of_stuck(workload: Workload) -> list[Condition]:
    return [condition for condition in workload.conditions if (condition.type, condition.status) in _STUCK]


def _held_up(case: Case, workload: Workload) -> bool:
    """Whether its rollout is stuck, although the old pods still serve."""
    if _conditions_of_stuck(workload):
        return True
    more = workload.total is not None and workload.total > (workload.desired or 0)
    return more and any(
        pod.created is not None and case.now - pod.created > _ROLLOUT_GRACE
        for pod in case.view.pods.get(workload.ref, ())
        if not pod.ready and not pod.deleting and pod.phase in ("Pending", "Running")
    )


def _paused(case: Case, workload: Workload) -> Finding:
    detail = f"its rollout is paused: {workload.updated} of {workload.desired} replicas are updated"
    resume = kubectl("rollout", "resume", workload.ref)
    fix = change(case.row, resume, f"unset spec.paused of {workload.ref}")
    return finding("HLT005", workload.ref, seen("workload", workload, detail), fix=fix)


def _unavailable(case: Case, workload: Workload, available: int, told: Told) -> Finding:
    stuck, refused = _conditions_of_stuck(workload), _refusals(case, workload)
    waiting = [pod for pod in case.view.pods.get(workload.ref, ()) if not pod.ready and pod.phase != "Succeeded"]
    unanswered = _webhooks_without_answer(case, (*(c.message for c in stuck), *(event.message for event in refused)))
    shown = [seen("workload", workload, _counts(workload, available)), *unanswered]
    shown += [_condition(workload, condition) for condition in stuck]
    shown += [seen_event(event) for event in refused if not any(_says(c.message, event) for c in stuck)]
    why = explained(case.view, waiting)
    shown += [seen_pod(pod, reason.text) for pod, reason in why]
    words = (container.last_words for pod in waiting for container in pod.containers)
    issues, anothers = case.known((*(reason.text for _, reason in why), *words)), _anothers(case, why)
    return finding(
        "HLT005",
        workload.ref,
        *shown,
        *known_issues(case.addon, issues),
        fix=(*remedies(issues), *_unstick(case, workload, refused=bool(unanswered), anothers=bool(anothers))),
        severity=_severity(case, workload, lost=available == 0 or bool(stuck)),
        cause=None if stuck or refused else _node_that_is_down(case, waiting, told) or anothers,
    )


def _severity(case: Case, workload: Workload, *, lost: bool) -> Severity | None:
    """`lost`: no pod is available, or no more will come."""
    if case.scene.is_young(workload):
        return Severity.INFO
    return Severity.REQUIRED if lost else None


def _anothers(case: Case, why: Sequence[tuple[Pod, Reason]]) -> str | None:
    """The finding on the add-on that all of its pods wait for."""
    causes = {case.scene.laid_to(reason.event, case.row) for _, reason in why}
    return causes.pop() if len(causes) == 1 else None


def _counts(workload: Workload, available: int) -> str:
    """The pods that it has; where those are enough, they are of the generation before."""
    said = f"{available} of {workload.desired} pods available"
    if available < (workload.desired or 0) or workload.updated is None:
        return said
    return f"{workload.updated} of {workload.desired} pods updated, {said}"


def _says(message: str, event: Event) -> bool:
    """Whether a condition's message is what an event tells as well."""
    return bool(message) and event.message.endswith(message)


def _webhooks_without_answer(case: Case, messages: Iterable[str]) -> list[Evidence]:
    """The webhooks that are asked for its pods and do not answer; causes.py knows what is wrong with them."""
    names = dict.fromkeys(name for message in messages for name in UNANSWERED.findall(message))
    configurations = ((name, ref) for name in names for ref in case.view.webhooks_named.get(name, ()))
    detail = "it is asked for every pod of this workload, and does not answer"
    return [Evidence(kind="webhook", subject=name, detail=detail, ref=ref) for name, ref in configurations]


def _unstick(case: Case, workload: Workload, *, refused: bool, anothers: bool) -> tuple[Action, ...]:
    """Where to look, and how to go back; what waits for a webhook, or for another add-on, comes back with that."""
    if refused:
        return (kubectl("rollout", "status", workload.ref, why="once the webhook answers, its pods are made:"),)
    if anothers:
        return (
            kubectl("rollout", "status", workload.ref, why="it comes back with the add-on that its pods wait for:"),
        )
    look = (kubectl("rollout", "status", workload.ref), kubectl("get", "events", "-n", workload.namespace))
    return (*look, *undo(case.row, workload.ref))


def _condition(workload: Workload, condition: Condition) -> Evidence:
    detail = condition.message or condition.reason
    return Evidence(kind="condition", subject=condition.type, detail=detail, ref=workload.ref)


def _refusals(case: Case, workload: Workload) -> list[Event]:
    """Events on a workload or its ReplicaSets that say why its pods cannot be created."""
    makers = case.view.makers.get(workload.ref, ())
    return [event for maker in makers for event in case.scene.warnings(maker) if event.reason == "FailedCreate"]


def _node_that_is_down(case: Case, waiting: Sequence[Pod], told: Told) -> str | None:
    """The finding on the nodes that took its pods down: certain if all of them ran there.

    Not for the pod network: without it no node becomes ready, so its pods may be the cause.
    """
    if case.addon is not None and ClusterService.POD_NETWORK in case.addon.provides:
        return None
    causes = [told.get(ObjectRef.of("Node", pod.node)) for pod in waiting]
    return causes[0] if causes and all(causes) else None


@makes("HLT006")
def scaled_to_zero(case: Case, told: Told) -> Iterator[Finding]:
    """Scaled to zero, or a DaemonSet that no node matches although every cluster needs the add-on."""
    severity = Severity.REQUIRED if case.is_system else None
    for workload in _that_count(case):
        if workload.desired or _idles(case, workload):
            continue
        if workload.kind != "DaemonSet":
            up = kubectl("scale", workload.ref, "--replicas=2", why="if it should run:")
            fix = change(case.row, up, f"if it should run, set spec.replicas of {workload.ref} to 2")
            yield finding("HLT006", workload.ref, seen("workload", workload, "replicas: 0"), fix=fix, severity=severity)
        elif _should_run_somewhere(case):
            shown = seen("workload", workload, "no node matches its nodeSelector or affinity")
            look = kubectl("get", workload.ref, "-o", "jsonpath={.spec.template.spec.nodeSelector}")
            yield finding("HLT006", workload.ref, shown, fix=(look,), severity=severity)


def _idles(case: Case, workload: Workload) -> bool:
    """Whether its operator keeps it at zero replicas until it is needed."""
    known = case.addon.fingerprints.workloads if case.addon else ()
    return any(each.idle and (each.kind, each.name) == (workload.kind, workload.name) for each in known)


def _should_run_somewhere(case: Case) -> bool:
    """Whether none of its DaemonSets runs although an EC2 node needs it; on other nodes AWS has it built in."""
    return (
        case.is_system
        and any(node.compute_type == "ec2" for node in case.view.snapshot.nodes)
        and not any(workload.desired for workload in case.workloads)
    )


@makes("HLT023")
def failed_jobs(case: Case, told: Told) -> Iterator[Finding]:
    """Failed Jobs of the add-on: chart hooks, migrations, certificates. Those of CronJobs run again anyway."""
    for job in case.workloads:
        failed = next((c for c in job.conditions if (c.type, c.status) == ("Failed", "True")), None)
        if job.kind == "Job" and failed is not None and not any(owner.kind == "CronJob" for owner in job.owners):
            detail = f"{failed.reason}: {failed.message}".strip(": ")
            fix = (kubectl("logs", job.ref), Note("Then run it again the way it was installed."))
            yield finding("HLT023", job.ref, seen("condition", job, detail), fix=fix)
