"""What an add-on should serve but does not: Services, webhooks, APIs, CRDs, CAs (HLT008 to HLT012, HLT026).

Decided from Services and their backends. If the pods behind a Service, or the Service itself, are known to be down,
that finding is set as the cause. Called by check_health, for each installation and for objects that belong to none.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from addonctl.catalog import Catalog
from addonctl.findings import finding, makes
from addonctl.health.case import Case, Scene, Told, labels_in_words, seen
from addonctl.health.reaching import way_out
from addonctl.model import (
    Action,
    ApiService,
    CustomResourceDefinition,
    Delete,
    Evidence,
    Finding,
    InstallationRef,
    Note,
    ObjectRef,
    Patch,
    Port,
    Service,
    ServiceTarget,
    Severity,
    Subject,
    View,
    WebhookConfiguration,
    Workload,
)
from addonctl.remediation import change, kubectl

# Most certificates are renewed a month ahead, but some controllers renew theirs a week or a day before expiry, so
# nothing is required until one has expired.
_EXPIRES_SOON, _EXPIRES_NOW = timedelta(days=30), timedelta(days=7)
_SHOWN = 5  # of many alike commands
WEBHOOKS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
_CRD = "CustomResourceDefinition"
_CRD_TROUBLES = frozenset({("Established", "False"), ("NamesAccepted", "False"), ("Terminating", "True")})


# ── Services ────────────────────────────────────────────────────────────────────────────────────────────────────


def services(case: Case, told: Told) -> Iterator[Finding]:
    """Services of the add-on without ready endpoints."""
    for ref in case.owned("Service"):
        service = case.view.services.get(ref)
        if service is not None and service.selector:
            yield from _leads_nowhere(case.scene, service, told, matters=case.is_system, near=case.workloads)


def orphan_services(scene: Scene, told: Told) -> Iterator[Finding]:
    """Services without ready endpoints that belong to no add-on: those that the API server calls, and cluster DNS."""
    called, system = scene.view.called_by_server, _system_services(scene.catalog)
    for ref in sorted({*called, *system}, key=str):
        service = scene.view.services.get(ref)
        if service is not None and service.selector and ref not in scene.owners:
            yield from _leads_nowhere(scene, service, told, matters=ref not in called, near=())


def _system_services(catalog: Catalog) -> set[ObjectRef]:
    return {
        ObjectRef.of(kind, name, namespace)
        for addon in catalog.addons.values()
        if addon.system
        for kind, namespace, name in addon.own_objects()
        if kind == "Service"
    }


@makes("HLT008")
def _leads_nowhere(
    scene: Scene, service: Service, told: Told, *, matters: bool, near: Sequence[Workload]
) -> Iterator[Finding]:
    """`near`: workloads that a Service which selects none was probably meant to select."""
    behind = scene.view.backends(service.ref)
    if behind is None or scene.is_young(service):
        return
    if behind.ready:
        yield from _dead_ports(scene, service, behind.ready_ports, matters=matters)
        return
    selected = scene.view.behind.get(service.ref, ())
    if selected and all(workload.desired == 0 for workload in selected):
        return  # already reported on the workload
    labels = labels_in_words(service.selector)
    detail = "no pod behind it is ready" if selected else f"its selector {labels} selects no workload"
    refuses = scene.view.called_by_server.get(service.ref, False)
    fix: tuple[Action, ...] = (kubectl("get", "pods", "-n", service.namespace, "-l", labels),)
    if not selected:
        fix = _selector_of(scene, service.ref, [*near, *_alike(scene.view, service)]) or fix
    yield finding(
        "HLT008",
        service.ref,
        seen("service", service, detail),
        fix=fix,
        severity=Severity.REQUIRED if matters or refuses else None,
        cause=_pods_down(selected, told),
    )


def _pods_down(workloads: Sequence[Workload], told: Told) -> str | None:
    """The finding on the workloads behind a Service: certain if all that should run are down."""
    kept = [workload for workload in workloads if workload.kind not in ("Job", "CronJob")]
    causes = [told.get(workload.ref) for workload in kept if workload.desired != 0]
    causes = causes or [told.get(workload.ref) for workload in kept]
    return causes[0] if causes and all(causes) else None


def _selector_of(scene: Scene, ref: ObjectRef, near: Sequence[Workload]) -> tuple[Action, ...]:
    """Changes a selector so that it selects the first of these workloads; empty if there is none."""
    if not near:
        return ()
    said = f"the pods of {near[0].ref} have the labels {labels_in_words(near[0].template.labels)}: fix the selector"
    return change(scene.owner(ref), kubectl("edit", ref, why=said), f"{said} of {ref}")


def _alike(view: View, service: Service) -> list[Workload]:
    """Workloads that match most of the selector of a Service that selects none: probably the intended ones."""
    shared = Counter(
        workload.ref
        for key, value in service.selector.items()
        for workload in view.selected(service.namespace, {key: value})
    )
    return [view.workloads[ref] for ref, _ in shared.most_common()]


def _dead_ports(scene: Scene, service: Service, answered: frozenset[str], *, matters: bool) -> Iterator[Finding]:
    """Ports of a Service that match no port of its pods: if all of them do not, or any if the cluster depends on it."""
    dead = [port for port in service.ports if port.name not in answered]
    if dead and (matters or len(dead) == len(service.ports)):
        detail = f"targetPort of {', '.join(map(_port_in_words, dead))} matches no container port"
        by_hand = kubectl("edit", service.ref, why="name a port of its pods as targetPort:")
        fix = change(scene.owner(service.ref), by_hand, f"the targetPort of {service.ref} names a port of its pods")
        severity = Severity.REQUIRED if matters else None
        yield finding("HLT008", service.ref, seen("service", service, detail), fix=fix, severity=severity)


def _port_in_words(port: Port) -> str:
    return f"{port} ({port.target})" if port.target else str(port)


# ── What the API server calls ───────────────────────────────────────────────────────────────────────────────────


def called_by_the_server(case: Case, told: Told) -> Iterator[Finding]:
    """Webhooks, aggregated APIs and conversions that the add-on should serve but does not."""
    for ref in case.owned(*WEBHOOKS, "APIService"):
        yield from _unanswered(case.scene, ref, told)
    by_target: dict[ServiceTarget, list[ObjectRef]] = {}
    for ref in case.owned(_CRD):
        for call in case.view.calls_of.get(ref, ()):
            by_target.setdefault(call.target, []).append(ref)
    for target, crds_there in by_target.items():
        subject = InstallationRef(case.row.id, case.row.addon, topic=f"conversion at {target.namespace}/{target.name}")
        yield from _not_converted(case.scene, subject, target, crds_there, told)


def nobodys(scene: Scene, told: Told) -> Iterator[Finding]:
    """The same for add-ons of which nothing else is left, or that were not recognised."""
    for thing in (*scene.view.snapshot.webhook_configurations, *scene.view.snapshot.api_services):
        if thing.ref not in scene.owners:
            yield from _unanswered(scene, thing.ref, told)
    for call in scene.view.calls:
        if call.source.kind == _CRD and call.source not in scene.owners:
            yield from _not_converted(scene, call.source, call.target, [call.source], told)


def _unanswered(scene: Scene, ref: ObjectRef, told: Told) -> Iterator[Finding]:
    match scene.view.objects.get(ref):
        case WebhookConfiguration() as configuration:
            yield from _webhook_unanswered(scene, configuration, told)
        case ApiService() as api:
            yield from _api_unavailable(scene, api, told)


@makes("HLT009")
def _webhook_unanswered(scene: Scene, configuration: WebhookConfiguration, told: Told) -> Iterator[Finding]:
    dead = [
        (hook, hook.service, why)
        for hook in configuration.webhooks
        if hook.service is not None and (why := _dead_end(scene.view, hook.service))
    ]
    if not dead or scene.is_young(configuration):
        yield from _webhook_unreached(scene, configuration)
        return
    shown = (
        Evidence(
            kind="webhook",
            subject=hook.name,
            detail=f"Service {target.namespace}/{target.name} {why}, failurePolicy {hook.failure_policy}",
            ref=configuration.ref,
        )
        for hook, target, why in dead
    )
    refuses = any(hook.failure_policy == "Fail" for hook, _, _ in dead)
    yield finding(
        "HLT009",
        configuration.ref,
        *shown,
        fix=_let_requests_through(scene, configuration.ref),
        severity=Severity.REQUIRED if refuses else Severity.RECOMMENDED,
        cause=_common_cause([_behind(scene.view, target, told) for _, target, _ in dead]),
    )


def _webhook_unreached(scene: Scene, configuration: WebhookConfiguration) -> Iterator[Finding]:
    """Its pods are ready, and still others' objects tell again and again that it does not answer."""
    told_of = [
        (hook, hook.service, scene.complaints[hook.name])
        for hook in configuration.webhooks
        if hook.service is not None and hook.name in scene.complaints and hook.service.ref in scene.view.services
    ]
    if not told_of:
        return
    shown = [
        Evidence(
            kind="webhook",
            subject=hook.name,
            detail=f"pods behind Service {target.namespace}/{target.name} are ready, and it does not answer, as "
            f"{len(complaints)} object{'s' * (len(complaints) > 1)} say: {complaints[0].subject}: "
            f"{complaints[0].message}",
            ref=configuration.ref,
        )
        for hook, target, complaints in told_of
    ]
    refuses = any(hook.failure_policy == "Fail" for hook, _, _ in told_of)
    fix = way_out(told_of[0][2][0].message) or kubectl("describe", configuration.ref)
    severity = Severity.REQUIRED if refuses else Severity.RECOMMENDED
    yield finding("HLT009", configuration.ref, *shown, fix=(fix,), severity=severity)


@makes("HLT026")
def _not_converted(
    scene: Scene, subject: Subject, target: ServiceTarget, crds_there: Sequence[ObjectRef], told: Told
) -> Iterator[Finding]:
    """CRDs whose objects are to be converted where nothing answers."""
    why = _dead_end(scene.view, target) or _absence(scene.view, target)
    defined = (scene.view.objects.get(ref) for ref in crds_there)
    if why and not all(crd is not None and scene.is_young(crd) for crd in defined):
        detail = f"its versions are converted at Service {target.namespace}/{target.name}, which {why}"
        shown = (seen("crd", ref, detail) for ref in crds_there)
        fix, cause = _convert_again(scene, target, crds_there), _behind(scene.view, target, told)
        yield finding("HLT026", subject, *shown, fix=fix, cause=cause)


def _absence(view: View, target: ServiceTarget) -> str:
    """That a Service does not exist, and where one of its name is; empty if it exists or Services were not read."""
    if target.ref in view.services or view.gap("services") is not None or view.snapshot.cluster.namespace:
        return ""
    moved = view.moved(target)
    return "does not exist" + (f"; there is {moved.namespace}/{moved.name}" if moved else "")


def _convert_again(scene: Scene, target: ServiceTarget, crds_there: Sequence[ObjectRef]) -> tuple[Action, ...]:
    """Calls the Service where it is, brings its pods back, or gives conversion up."""
    owner, moved = scene.owner(crds_there[0]), scene.view.moved(target)
    if moved is not None:
        place = {"namespace": moved.namespace, "name": moved.name}
        body = {"spec": {"conversion": {"webhook": {"clientConfig": {"service": place}}}}}
        said = f"its Service is {moved.namespace}/{moved.name}: let it be converted there"
        by_hand = [Patch(target=ref, body=body, why=f"{said}:") for ref in crds_there]
        return tuple(action for each in by_hand for action in change(owner, each, f"{said} ({each.target})"))[:_SHOWN]
    if target.ref in scene.view.services:
        labels = labels_in_words(scene.view.services[target.ref].selector)
        look = ("get", "pods", "-n", target.namespace, *(("-l", labels) if labels else ()))
        return (kubectl(*look, why="bring the pods behind its Service back:"),)
    return (
        Note(
            "Switch the webhooks of the add-on on again. Where no object is stored in another version than the newest, "
            "the CRD's conversion strategy may be None instead."
        ),
    )


def _let_requests_through(scene: Scene, ref: ObjectRef) -> tuple[Action, ...]:
    why = "bring its pods back; if requests are refused and nothing else helps, save and delete it:"
    by_hand = Delete(target=ref, save_first=True, why=why)
    in_git = f"bring its pods back; if nothing else helps, take {ref} out until they are ready"
    return change(scene.owner(ref), by_hand, in_git)


def _common_cause(causes: Sequence[str | None]) -> str | None:
    return causes[0] if causes and all(cause == causes[0] for cause in causes) else None


def _behind(view: View, target: ServiceTarget, told: Told) -> str | None:
    """The finding that explains why a Service does not answer: one on the Service, or on all workloads it selects."""
    behind = view.backends(target.ref)
    if target.ref not in view.services or behind is None:
        return None
    if target.ref in told:
        return told[target.ref]
    return None if behind.ready else _pods_down(view.behind.get(target.ref, ()), told)


def _dead_end(view: View, target: ServiceTarget) -> str:
    """Why a port of a Service does not answer, in words; empty if it does or if that is not known."""
    service, behind = view.services.get(target.ref), view.backends(target.ref)
    if service is None or behind is None:
        return ""
    if behind.ready == 0:
        return "has no ready pod"
    if not service.ports:
        return ""
    named = [port.name for port in service.ports if port.number == target.port]
    if not named:
        return f"has no port {target.port}"
    answered = not service.selector or not behind.ready_ports.isdisjoint(named)
    return "" if answered else f"has a port {target.port} whose targetPort matches no container port"


@makes("HLT010")
def _api_unavailable(scene: Scene, api: ApiService, told: Told) -> Iterator[Finding]:
    available = next((c for c in api.conditions if c.type == "Available"), None)
    # A missing Service is reported by the inventory (INV005).
    if available is None or available.status == "True" or available.reason == "ServiceNotFound" or scene.is_young(api):
        return
    shown = [seen("apiservice", api, f"{available.reason}: {available.message}")]
    behind = scene.view.backends(api.service.ref) if api.service else None
    cause = told.get(api.ref) or (_behind(scene.view, api.service, told) if api.service else None)
    if api.service and behind and behind.ready and cause is None:
        shown.append(seen("service", api.service.ref, f"{behind.ready} of the pods behind it are ready"))
        fix = way_out(available.message) or kubectl("describe", api.ref, why="its pods are ready; what it answers:")
    else:
        fix = kubectl("describe", api.ref, why="bring the pods behind its Service back:")
    yield finding("HLT010", api.ref, *shown, fix=(fix,), cause=cause)


@makes("HLT011")
def crds(case: Case, told: Told) -> Iterator[Finding]:
    """CRDs that the API server does not serve."""
    for ref in case.owned(_CRD):
        crd = case.view.objects.get(ref)
        if isinstance(crd, CustomResourceDefinition) and not case.scene.is_young(crd):
            wrong = [c for c in crd.conditions if (c.type, c.status) in _CRD_TROUBLES]
            shown = (seen("crd", crd, f"{c.type} {c.status}: {c.message or c.reason}") for c in wrong)
            if wrong:
                yield finding("HLT011", crd.ref, *shown)


# ── Certificates ────────────────────────────────────────────────────────────────────────────────────────────────


@makes("HLT012")
def certificates(case: Case, told: Told) -> Iterator[Finding]:
    """CA bundles of webhooks, APIServices and conversions that expire soon; of several of one object, the first."""
    for ref, ends in _first_ends(case).items():
        left = ends - case.now
        if left < _EXPIRES_SOON:
            verb = "ended" if left < timedelta() else "ends"
            shown = seen("certificate", ref, f"its CA bundle {verb} on {ends:%Y-%m-%d %H:%M} UTC")
            severity = Severity.REQUIRED if left < timedelta() else Severity.INFO if left > _EXPIRES_NOW else None
            yield finding("HLT012", ref, shown, severity=severity)


def _first_ends(case: Case) -> Mapping[ObjectRef, datetime]:
    """When the first CA bundle of each object expires; a bundle expires with the last of its certificates."""
    found = {}
    for ref in case.owned(*WEBHOOKS, "APIService", _CRD):
        ends = _ends(case.view.objects.get(ref))
        if ends:
            found[ref] = min(ends)
    return found


def _ends(thing: object) -> list[datetime]:
    match thing:
        case WebhookConfiguration():
            return [hook.ca_expires for hook in thing.webhooks if hook.ca_expires is not None]
        case ApiService(ca_expires=ends) | CustomResourceDefinition(conversion_ca_expires=ends):
            return [ends] if ends is not None else []
    return []
