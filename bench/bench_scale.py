"""Claims: 4,000 workloads in one namespace are judged in at most twice the time of 4,000 in a hundred namespaces.

Documents grow with what they hold: four times the objects and findings take at most five times as long to write.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import partial

from addonctl.adapters import knowledge
from addonctl.adapters.sources import snapshot_file
from addonctl.assessment import Assessment, assess
from addonctl.catalog import Catalog
from addonctl.ecosystem import ecosystem
from addonctl.inventory import take_inventory
from addonctl.model import (
    Cluster,
    Condition,
    Container,
    DisruptionBudget,
    EndpointSlice,
    LabelExpression,
    Namespace,
    Node,
    ObjectRef,
    OtherObject,
    Pod,
    PodTemplate,
    Revision,
    Rule,
    Service,
    ServiceAccount,
    ServiceTarget,
    Snapshot,
    View,
    Webhook,
    WebhookConfiguration,
    Workload,
)
from addonctl.model.forecast import Unknown
from addonctl.render import documents
from addonctl.render.sarif import sarif
from bench.measure import least_cpu_s, table

DAY = date(2026, 11, 24)
WORKLOADS, HOOKS = 4_000, 20
OBJECTS, FINDINGS = 50_000, 2_000
ADDON = "registry.example.com/ingress-nginx/controller:v1.14.0"  # one add-on of which a cluster may have many


def workload(number: int, namespace: str, image: str) -> Workload:
    name = f"app-{number}"
    labels = {"app": name, "team": "shop", "tier": "web"}
    template = PodTemplate(labels=labels, containers=(Container(name="app", image=image),), service_account=name)
    return Workload(
        kind="Deployment",
        name=name,
        namespace=namespace,
        labels={"app.kubernetes.io/managed-by": "Helm"},
        annotations={"meta.helm.sh/release-name": name, "meta.helm.sh/release-namespace": namespace},
        template=template,
        selector=labels,
        desired=1,
        ready=1,
    )


def hooks() -> tuple[WebhookConfiguration, ...]:
    """Webhooks over pods, most of them for some namespaces only."""
    rule = Rule(groups=("",), versions=("v1",), resources=("pods",), operations=("CREATE",))
    made = []
    for number in range(HOOKS):
        only = LabelExpression(key="kubernetes.io/metadata.name", operator="In", values=(f"team-{number}",))
        hook = Webhook(
            name=f"hook-{number}.example.com",
            service=ServiceTarget(namespace="team-0", name=f"app-{number}"),
            rules=(rule,),
            namespace_expressions=(only,),
        )
        made.append(WebhookConfiguration(kind="ValidatingWebhookConfiguration", name=hook.name, webhooks=(hook,)))
    return tuple(made)


def cluster(count: int, namespaces: int, *, addons: int = 10, others: int = 0) -> Snapshot:
    """Workloads with all that usually stands beside each; `addons`: one in so many is an add-on without an account."""
    places = [f"team-{number % namespaces}" for number in range(count)]
    numbered = list(enumerate(places))
    workloads = tuple(
        workload(n, place, ADDON if n % addons == 0 else f"registry.example.com/app-{n}:1.0") for n, place in numbered
    )
    revisions, pods = [], []
    for each in workloads:
        made = ObjectRef.of("ReplicaSet", f"{each.name}-5d78c9869d", each.namespace)
        revisions.append(Revision(kind="ReplicaSet", name=made.name, namespace=each.namespace, owners=(each.ref,)))
        pods.append(
            Pod(
                name=f"{made.name}-x2x4z",
                namespace=each.namespace,
                labels=each.template.labels,
                owners=(made,),
                phase="Running",
                ready=True,
            )
        )
    return Snapshot(
        taken=datetime(2026, 11, 24, tzinfo=UTC),
        cluster=Cluster(name="large", kubernetes="v1.34.2"),
        nodes=(Node(name="node-1", kubelet_version="v1.34.2"),),
        namespaces=tuple(Namespace(name=f"team-{number}") for number in range(namespaces)),
        workloads=workloads,
        revisions=tuple(revisions),
        pods=tuple(pods),
        services=tuple(
            # One in ten selects nothing: a typing error.
            Service(
                name=each.name,
                namespace=each.namespace,
                labels={"app": each.name},
                selector=dict(each.template.labels) if n % 10 != 9 else {"app": each.name, "tier": "typo"},
            )
            for n, each in enumerate(workloads)
        ),
        endpoint_slices=tuple(
            EndpointSlice(name=each.name, namespace=each.namespace, service=each.name, ready=1) for each in workloads
        ),
        disruption_budgets=tuple(
            DisruptionBudget(name=each.name, namespace=each.namespace, selector={"app": each.name})
            for each in workloads
        ),
        service_accounts=tuple(
            ServiceAccount(name=each.name, namespace=each.namespace) for n, each in enumerate(workloads) if n % addons
        ),
        webhook_configurations=hooks(),
        others=tuple(
            OtherObject(
                name=f"cert-{number}",
                namespace=f"team-{number % namespaces}",
                api_version="cert-manager.io/v1",
                kind="Certificate",
                has_status=True,
                conditions=(Condition(type="Ready", status="True"),),
            )
            for number in range(others)
        ),
    )


def judged(snapshot: Snapshot, catalog: Catalog) -> Assessment:
    """Everything, from the indexes on."""
    view = View(snapshot)
    with snapshot_file.without_collector():
        return assess(view, take_inventory(view, catalog), catalog, day=DAY)


def namespaces(catalog: Catalog) -> None:
    one, many, half = cluster(WORKLOADS, 1), cluster(WORKLOADS, 100), cluster(WORKLOADS // 2, 1)
    took, spread, of_half = (least_cpu_s(partial(judged, each, catalog), 3) for each in (one, many, half))
    table(
        f"judging {WORKLOADS:,} workloads, each with Service, budget, account and pod; {HOOKS} webhooks",
        [
            ("", "CPU seconds", "ratio"),
            ("in 100 namespaces", f"{spread:.2f}", "1.0"),
            ("in one namespace", f"{took:.2f}", f"{took / spread:.2f} (aim 2)"),
            ("half of them in one", f"{of_half:.2f}", f"{took / of_half:.2f} times that for twice as many (aim 2.5)"),
        ],
    )


def filled(share: int, catalog: Catalog) -> Assessment:
    """A judged cluster with that share of the objects and findings: a missing account is two findings an add-on."""
    workloads = OBJECTS // 5 // share
    whole = judged(cluster(workloads, 100, addons=10, others=workloads * 11 // 10), catalog)
    assert len(whole.objects) * share >= OBJECTS, f"{len(whole.objects)} objects"
    assert len(whole.findings) * share >= FINDINGS, f"{len(whole.findings)} findings"
    return whole


def written(make: Callable[[Assessment], object], assessment: Assessment) -> str:
    with snapshot_file.without_collector():
        return documents.dump(make(assessment), "json")


def rendering(catalog: Catalog) -> None:
    whole, quarter = filled(1, catalog), filled(4, catalog)
    rows = [("", f"{len(quarter.objects):,} objects", f"{len(whole.objects):,} objects", "ratio")]
    made: dict[str, Callable[[Assessment], object]] = {
        "health": documents.health_document,
        "analysis": lambda each: documents.analysis_document(each, ecosystem(each, Unknown("not asked for"))),
        "dependencies": documents.dependencies_document,
        "SARIF": sarif,
    }
    for name, make in made.items():
        small, large = (least_cpu_s(partial(written, make, each), 5) for each in (quarter, whole))
        rows.append((name, f"{small:.3f} s", f"{large:.3f} s", f"{large / small:.1f} (aim 5)"))
    table(f"documents, with {len(quarter.findings):,} and {len(whole.findings):,} findings", rows)


def main() -> None:
    catalog = knowledge.load()
    namespaces(catalog)
    rendering(catalog)


if __name__ == "__main__":
    main()
