"""Load balancers that could be one, and those that have nothing behind them."""

from collections.abc import Iterator, Sequence
from math import ceil

from addonctl.cost import balancer_type
from addonctl.model import Action, CommandLine, Delete, Evidence, Ingress, Note, ObjectRef, Service
from addonctl.model.opportunity import Frees, NotJudged, Opportunity, Saving
from addonctl.opportunities.case import Case, Found, estimates, usd_micros
from addonctl.remediation import change_of, kubectl

SHARED, IDLE, ORPHANED = "shared-load-balancers", "idle-load-balancers", "orphaned-load-balancers"

_GROUP = "alb.ingress.kubernetes.io/group.name"
_CLASS = "kubernetes.io/ingress.class"
_CONTROLLER = "ingress.k8s.aws/alb"
_RULES = 100  # of an Application Load Balancer, by AWS's default quota


def shared(case: Case) -> Iterator[Found]:
    """Of the AWS Load Balancer Controller: Ingresses with a load balancer each, by who may reach it."""
    ours = {each.name for each in case.view.snapshot.ingress_classes if each.controller == _CONTROLLER}
    by_scheme: dict[bool, list[Ingress]] = {}
    for ingress in case.view.snapshot.ingresses:
        named = ingress.ingress_class or ingress.annotations.get(_CLASS, "")
        if ingress.load_balancers and (named in ours or named == "alb"):
            by_scheme.setdefault(ingress.load_balancers[0].startswith("internal-"), []).append(ingress)
    for internal, ingresses in by_scheme.items():
        yield from _sharing(case, ingresses, internal=internal)


def _sharing(case: Case, ingresses: Sequence[Ingress], *, internal: bool) -> Iterator[Found]:
    """Those without a group, into the largest group that there is, else into a new one."""
    alone = [each for each in ingresses if _GROUP not in each.annotations]
    groups: dict[str, int] = {}
    for each in ingresses:
        if _GROUP in each.annotations:
            groups[each.annotations[_GROUP]] = groups.get(each.annotations[_GROUP], 0) + len(each.services)
    name = max(groups, key=lambda group: groups[group], default="internal" if internal else "shared")
    now = len({each.load_balancers[0] for each in alone})
    rules = sum(len(each.services) for each in alone) + groups.get(name, 0)
    needed = ceil(max(rules, 1) / _RULES) - (name in groups)
    if now <= needed:
        return
    price = case.prices.of("elb.application")
    yield Opportunity(
        kind=SHARED,
        what=f"{now} {'internal' if internal else 'internet-facing'} Ingresses into IngressGroup {name}",
        about=tuple(each.ref for each in alone),
        evidence=tuple(
            Evidence(kind="ingress", subject=str(each.ref), detail=each.load_balancers[0], ref=each.ref)
            for each in alone
        ),
        saving=Saving(
            frees=Frees.CHARGES,
            usd_micros=(now - needed) * usd_micros(price),
            estimated=estimates(price.estimated, "without capacity units, which stay, and public addresses"),
        ),
        do=tuple(action for each in alone for action in _grouped(case, each, name)),
        undo=tuple(action for each in alone for action in _grouped(case, each, "")),
    )


def _grouped(case: Case, ingress: Ingress, group: str) -> tuple[Action, ...]:
    """An Ingress in a group, or without one."""
    change = f"{_GROUP}={group}" if group else f"{_GROUP}-"
    wanted = f"annotate {ingress.ref} with {change}" if group else f"take annotation {_GROUP} from {ingress.ref}"
    return change_of(case.owner_of(ingress), kubectl("annotate", ingress.ref, change), wanted)


# ── With nothing behind them ────────────────────────────────────────────────────────────────────────────────────


def idle(case: Case) -> Iterator[Found]:
    """Load balancers whose Services have no pods, ready or not, and none to come."""
    serving: dict[str, bool] = {}
    first: dict[str, Service | Ingress] = {}
    for thing, hosts, services in _fronted(case):
        for host in hosts:
            first.setdefault(host, thing)
            serving[host] = serving.get(host, False) or any(_serves(case, each) for each in services)
    for host, serves in serving.items():
        if not serves and host.endswith((".amazonaws.com", ".amazonaws.com.cn")):
            yield _idle(case, first[host], host)


def _fronted(case: Case) -> Iterator[tuple[Service | Ingress, Sequence[str], Sequence[ObjectRef]]]:
    """What has load balancers: itself, their host names, the Services that they lead to."""
    for service in case.view.snapshot.services:
        yield service, service.load_balancers, (service.ref,)
    for ingress in case.view.snapshot.ingresses:
        behind = [ObjectRef.of("Service", name, ingress.namespace) for name in ingress.services]
        yield ingress, ingress.load_balancers, behind


def _serves(case: Case, service: ObjectRef) -> bool:
    """Whether anything is, or may come, behind a Service: a workload at zero, or who fills one without a selector."""
    known = case.view.services.get(service)
    if known is None:
        return not case.view.absent(service)
    backends = case.view.backends(service)
    if backends is None or backends.ready or backends.not_ready or not known.selector:
        return True
    return bool(case.view.behind.get(service))


def _idle(case: Case, thing: Service | Ingress, host: str) -> Opportunity:
    owner = case.assessment.dependencies.owners.get(thing.ref, "")
    price = case.prices.of(f"elb.{balancer_type(host, thing.ref)}")
    delete = Delete(target=thing.ref, save_first=True)
    return Opportunity(
        kind=IDLE,
        what=str(thing.ref),
        installation=owner,
        about=(thing.ref,),
        evidence=(Evidence(kind="endpoints", subject=host, detail="no pod is behind it", ref=thing.ref),),
        saving=Saving(
            frees=Frees.CHARGES,
            usd_micros=usd_micros(price),
            estimated=estimates(price.estimated, "without capacity units, data and public addresses"),
        ),
        do=change_of(case.owner_of(thing), delete, f"take {thing.ref} out"),
        undo=(Note(f"Apply {thing.name}.yaml, which was saved before: its load balancer will have another name."),),
    )


def orphaned(case: Case) -> Iterator[Found]:
    """What AWS has for objects that are gone is only known to AWS; its tags tell."""
    eks = case.view.snapshot.eks
    if eks is None:
        return
    name, region = eks.cluster.name, ("--region", case.view.region) if case.view.region else ()
    tagged = ("--tag-filters", f"Key=elbv2.k8s.aws/cluster,Values={name}")
    balancers = ("get-resources", "--resource-type-filters", "elasticloadbalancing", *tagged)
    free = ("--filters", "Name=status,Values=available", f"Name=tag:kubernetes.io/cluster/{name},Values=owned")
    look = (
        CommandLine(("aws", "resourcegroupstaggingapi", *balancers, *region), why="those that no object names:"),
        CommandLine(("aws", "ec2", "describe-volumes", *free, *region), why="those that no PersistentVolume names:"),
    )
    yield NotJudged(kind=ORPHANED, reason="AWS's own lists of load balancers and volumes are not read", look=look)
