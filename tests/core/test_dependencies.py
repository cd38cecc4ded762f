"""What depends on what: edges between objects, then between add-ons; whom a failure hurts, in which order to update."""

from dataclasses import replace
from itertools import pairwise
from time import process_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addonctl import model
from addonctl.catalog import (
    AddOn,
    Catalog,
    ClusterService,
    EksInstall,
    Fingerprints,
    ImageFingerprint,
    Install,
    Requirement,
)
from addonctl.dependencies import AddOnRequirement, Dependencies, Dependency, admits, find_dangling, find_dependencies
from addonctl.inventory import take_inventory
from addonctl.model import (
    Affects,
    Edge,
    EdgeType,
    Finding,
    Installation,
    Inventory,
    LabelExpression,
    ObjectRef,
    Owner,
    Severity,
    Strength,
    Together,
    View,
    owners,
    selects,
)
from addonctl.render.commands import fix_text
from addonctl.versions import parse
from tests import odd
from tests.builders import addon, small_catalog, snapshot, workload

HARD, SOFT = Strength.HARD, Strength.SOFT
RUNNING, CHANGE = Affects.RUNNING, Affects.CHANGE


def catalog(*entries: AddOn) -> Catalog:
    return replace(small_catalog(), addons={entry.id: entry for entry in entries})


CATALOG = catalog(*(addon(name, f"acme/{name}") for name in ("app", "hook", "metrics", "driver", "third")))


def runs(name: str, *, namespace: str = "apps", labels: dict[str, str] | None = None, **more: Any) -> model.Workload:
    """A workload whose pods carry `labels`, or app=NAME; `more` goes to the pod template where it has such a field."""
    fields = {key: more.pop(key) for key in tuple(more) if key in model.PodTemplate.__dataclass_fields__}
    made = workload(name, f"acme/{name}:1.0", namespace=namespace, **more)
    return replace(made, template=replace(made.template, labels=labels or {"app": name}, **fields))


def row(name: str, *workloads: model.Workload, owner: Owner | None = None) -> Installation:
    return Installation(
        id=name,
        addon=name,
        name=name,
        version=parse("1.0"),
        owner=owner or owners.HelmRelease("apps", name),
        workloads=tuple(each.ref for each in workloads),
    )


def found(*rows: Installation, known: Catalog = CATALOG, **parts: Any) -> Dependencies:
    return find_dependencies(View(snapshot(**parts)), Inventory(installations=rows), known)


def dangling(*rows: Installation, known: Catalog = CATALOG, **parts: Any) -> tuple[Finding, ...]:
    view, inventory = View(snapshot(**parts)), Inventory(installations=rows)
    result = find_dependencies(view, inventory, known)
    return find_dangling(view, inventory, known, result.edges, result.owners)


def of(code: str, result: Dependencies) -> list[Finding]:
    return [item for item in result.findings if item.code == code]


def pairs(result: Dependencies) -> list[tuple[str, str, Strength, Affects]]:
    return [(each.source, each.target, each.strength, each.affects) for each in result.addons]


def gap(part: str) -> tuple[model.Gap, ...]:
    return (model.Gap(part=part, reason=model.GapReason.FORBIDDEN, detail="403"),)


# ── Selectors ───────────────────────────────────────────────────────────────────────────────────────────────────

KEYS, VALUES = st.sampled_from(["a", "b", ""]), st.sampled_from(["x", "y", ""])
LABELS = st.dictionaries(KEYS, VALUES, max_size=3)
EXPRESSIONS = st.builds(
    lambda key, operator, values: LabelExpression(key=key, operator=operator, values=tuple(values)),
    KEYS,
    st.sampled_from(["In", "NotIn", "Exists", "DoesNotExist"]),
    st.lists(VALUES, max_size=2),
)


def naive(wanted: dict[str, str], expressions: list[LabelExpression], labels: dict[str, str]) -> bool:
    """Selection as Kubernetes words it: a conjunction, each term by itself."""
    terms = [key in labels and labels[key] == value for key, value in wanted.items()]
    for each in expressions:
        carried = {labels[each.key]} if each.key in labels else set()
        terms.append(
            {
                "In": bool(carried & set(each.values)),
                "NotIn": not carried & set(each.values),
                "Exists": bool(carried),
                "DoesNotExist": not carried,
            }[each.operator]
        )
    return all(terms)


@given(LABELS, st.lists(EXPRESSIONS, max_size=3), LABELS)
def test_a_selector_selects_as_kubernetes_says(
    wanted: dict[str, str], expressions: list[LabelExpression], labels: dict[str, str]
) -> None:
    assert selects(wanted, expressions, labels) == naive(wanted, expressions, labels)


def test_an_empty_selector_selects_everything_and_an_absent_key_is_not_an_empty_value() -> None:
    assert selects({}, (), {})
    assert not selects({"a": ""}, (), {})
    assert selects({}, (LabelExpression(key="a", operator="NotIn", values=("x",)),), {}), (
        "NotIn takes what lacks the key"
    )


# ── Edges between objects ───────────────────────────────────────────────────────────────────────────────────────


def edges(kind: EdgeType, **parts: Any) -> list[tuple[str, str, Strength, Affects]]:
    listed = found(**parts).edges
    return [(str(e.source), str(e.target), e.strength, e.affects) for e in listed if e.type is kind]


def test_what_a_pod_refers_to() -> None:
    app = runs(
        "app",
        service_account="app",
        config_maps=("settings", "extra"),
        secrets=("token",),
        claims=("data",),
        priority_class="high",
        optional=("ConfigMap/extra",),
    )
    listed = {(e.type.value, str(e.target), e.strength, e.affects) for e in found(workloads=(app,)).edges}
    assert listed == {
        ("service-account", "ServiceAccount/apps/app", HARD, RUNNING),
        ("config-map", "ConfigMap/apps/settings", HARD, RUNNING),
        ("config-map", "ConfigMap/apps/extra", SOFT, RUNNING),
        ("secret", "Secret/apps/token", HARD, RUNNING),
        ("claim", "PersistentVolumeClaim/apps/data", HARD, RUNNING),
        ("priority-class", "PriorityClass/high", HARD, CHANGE),
    }


def test_an_optional_secret_of_the_same_name_does_not_make_a_config_map_optional() -> None:
    app = runs("app", config_maps=("same",), secrets=("same",), optional=("Secret/same",))
    assert edges(EdgeType.CONFIG_MAP, workloads=(app,))[0][2] is HARD
    assert edges(EdgeType.SECRET, workloads=(app,))[0][2] is SOFT


def test_a_service_selects_workloads_of_its_own_namespace_only() -> None:
    service = model.Service(name="app", namespace="apps", selector={"app": "app"})
    here, there = runs("app"), runs("app", namespace="elsewhere")
    assert edges(EdgeType.SELECTOR, services=(service,), workloads=(here, there)) == [
        ("Service/apps/app", "Deployment/apps/app", HARD, RUNNING)
    ]
    assert edges(EdgeType.SELECTOR, services=(replace(service, selector={}),), workloads=(here,)) == []


def test_a_budget_selects_by_expressions_and_without_a_selector_nothing() -> None:
    budget = model.DisruptionBudget(
        name="pdb", namespace="apps", selector={}, expressions=(LabelExpression(key="app", operator="Exists"),)
    )
    listed = edges(EdgeType.SELECTOR, disruption_budgets=(budget,), workloads=(runs("app"),))
    assert listed == [("PodDisruptionBudget/apps/pdb", "Deployment/apps/app", SOFT, RUNNING)]
    none = replace(budget, selector=None)
    assert edges(EdgeType.SELECTOR, disruption_budgets=(none,), workloads=(runs("app"),)) == []


def test_a_webhook_configuration_is_as_hard_as_its_hardest_webhook_for_each_service() -> None:
    def hook(name: str, service: str, policy: str) -> model.Webhook:
        target = model.ServiceTarget(namespace="apps", name=service, port=443 if policy == "Fail" else 8443)
        return model.Webhook(name=name, failure_policy=policy, service=target)

    outside = model.Webhook(name="d", url_host="hooks.example.com")
    configuration = model.WebhookConfiguration(
        kind="MutatingWebhookConfiguration",
        name="m",
        webhooks=(hook("a", "x", "Ignore"), hook("b", "x", "Fail"), hook("c", "y", "Ignore"), outside),
    )
    assert edges(EdgeType.WEBHOOK, webhook_configurations=(configuration,)) == [
        ("MutatingWebhookConfiguration/m", "Service/apps/x", HARD, RUNNING),
        ("MutatingWebhookConfiguration/m", "Service/apps/y", SOFT, RUNNING),
    ]


SERVICE = model.ServiceTarget(namespace="apps", name="app")


def test_what_the_api_server_calls() -> None:
    api = model.ApiService(name="v1.x.test", group="x.test", version="v1", service=SERVICE)
    local = model.ApiService(name="v1.apps", group="apps", version="v1")
    assert edges(EdgeType.API_SERVICE, api_services=(api, local)) == [
        ("APIService/v1.x.test", "Service/apps/app", HARD, RUNNING)
    ]
    crd = model.CustomResourceDefinition(name="xs.x.test", group="x.test", kind="X", conversion=SERVICE)
    assert [e[:2] for e in edges(EdgeType.CONVERSION, crds=(crd,))] == [
        ("CustomResourceDefinition/xs.x.test", "Service/apps/app")
    ]


def test_a_custom_resource_needs_its_definition_by_group_and_kind() -> None:
    crd = model.CustomResourceDefinition(name="xs.x.test", group="x.test", kind="X")
    mine = model.OtherObject(name="one", namespace="apps", api_version="x.test/v1beta1", kind="X")
    namesake = replace(mine, api_version="y.test/v1")
    assert [e[:2] for e in edges(EdgeType.CUSTOM_RESOURCE, crds=(crd,), others=(mine, namesake))] == [
        ("X/apps/one", "CustomResourceDefinition/xs.x.test")
    ]


def binding(
    *subjects: ObjectRef, role: ObjectRef | None = None, namespace: str = "apps", name: str = "bind"
) -> model.RoleBinding:
    role = role or ObjectRef(kind="Role", name="reader", group="rbac.authorization.k8s.io")
    return model.RoleBinding(name=name, namespace=namespace, role=role, subjects=subjects)


def account(name: str = "app", namespace: str = "apps") -> ObjectRef:
    return ObjectRef(kind="ServiceAccount", name=name, namespace=namespace)


CLUSTER_ROLE = ObjectRef(kind="ClusterRole", name="admin", group="rbac.authorization.k8s.io")


def test_a_binding_ties_accounts_to_a_role_of_its_scope() -> None:
    listed = edges(
        EdgeType.RBAC,
        role_bindings=(
            binding(account(), ObjectRef(kind="Group", name="devs")),
            binding(account(), role=CLUSTER_ROLE, namespace="apps"),
            binding(account(namespace=""), role=CLUSTER_ROLE, namespace="apps", name="same-namespace"),
            binding(account(), role=CLUSTER_ROLE, namespace=""),
        ),
    )
    assert {e[:2] for e in listed} == {
        ("ServiceAccount/apps/app", "Role/apps/reader"),
        ("ServiceAccount/apps/app", "ClusterRole/admin"),
    }


def test_an_account_refers_to_its_iam_role_and_pull_secrets() -> None:
    arn = "arn:aws:iam::111122223333:role/app"
    irsa = model.ServiceAccount(
        name="app", namespace="apps", annotations={"eks.amazonaws.com/role-arn": arn}, image_pull_secrets=("pull",)
    )
    assert edges(EdgeType.IRSA, service_accounts=(irsa,)) == [
        ("ServiceAccount/apps/app", f"IAMRole/{arn}", HARD, RUNNING)
    ]
    assert edges(EdgeType.SECRET, service_accounts=(irsa,)) == [
        ("ServiceAccount/apps/app", "Secret/apps/pull", HARD, CHANGE)
    ]
    assert edges(EdgeType.IRSA, service_accounts=(model.ServiceAccount(name="app", namespace="apps"),)) == []
    identity = model.PodIdentity(namespace="apps", service_account="app", role_arn=arn)
    listed = edges(EdgeType.POD_IDENTITY, eks=model.Eks(cluster=model.EksCluster(name="c"), pod_identities=(identity,)))
    assert [e[:2] for e in listed] == [("ServiceAccount/apps/app", f"IAMRole/{arn}")]


def test_storage_leads_from_claim_over_class_to_driver_and_affects_only_changes() -> None:
    parts: dict[str, Any] = {
        "volume_claims": (model.VolumeClaim(name="data", namespace="apps", storage_class="gp3"),),
        "storage_classes": (model.StorageClass(name="gp3", provisioner="ebs.csi.aws.com"),),
        "volume_snapshot_classes": (model.VolumeSnapshotClass(name="snap", driver="ebs.csi.aws.com"),),
        "workloads": (runs("db", kind="StatefulSet", storage_classes=("gp3",)),),
    }
    assert edges(EdgeType.STORAGE_CLASS, **parts) == [
        ("PersistentVolumeClaim/apps/data", "StorageClass/gp3", HARD, CHANGE),
        ("StatefulSet/apps/db", "StorageClass/gp3", HARD, CHANGE),
    ]
    assert [e[:2] for e in edges(EdgeType.CSI_DRIVER, **parts)] == [
        ("StorageClass/gp3", "CSIDriver/ebs.csi.aws.com"),
        ("VolumeSnapshotClass/snap", "CSIDriver/ebs.csi.aws.com"),
    ]


@pytest.mark.parametrize("provisioner", ["kubernetes.io/aws-ebs", "rancher.io/local-path", "local", ""])
def test_a_provisioner_that_is_no_csi_driver_refers_to_none(provisioner: str) -> None:
    """The name of a CSI driver is a domain name; one with a slash is an external provisioner's."""
    old = (model.StorageClass(name="old", provisioner=provisioner),)
    assert edges(EdgeType.CSI_DRIVER, storage_classes=old) == []
    assert dangling(storage_classes=old) == ()


def test_an_ingress_refers_to_services_certificates_and_its_class() -> None:
    ingress = model.Ingress(name="web", namespace="apps", ingress_class="alb", services=("web",), secrets=("tls",))
    listed = found(ingresses=(ingress,)).edges
    assert {(e.type, str(e.target)) for e in listed} == {
        (EdgeType.INGRESS, "Service/apps/web"),
        (EdgeType.SECRET, "Secret/apps/tls"),
        (EdgeType.INGRESS_CLASS, "IngressClass/alb"),
    }


def test_a_policy_binding_refers_to_its_policy_and_an_object_to_its_owners() -> None:
    bound = model.AdmissionPolicyBinding(name="b", policy="p")
    assert [e[:2] for e in edges(EdgeType.POLICY_BINDING, admission_policy_bindings=(bound,))] == [
        ("ValidatingAdmissionPolicyBinding/b", "ValidatingAdmissionPolicy/p")
    ]
    owner = ObjectRef(kind="Prometheus", name="main", group="monitoring.test")
    assert edges(EdgeType.OWNER, workloads=(runs("app", owners=(owner,)),))[0][:2] == (
        "Deployment/apps/app",
        "Prometheus/apps/main",
    )


def test_an_edge_found_twice_is_one() -> None:
    same = binding(account(), account())
    assert len(edges(EdgeType.RBAC, role_bindings=(same,))) == 1


# ── Admission ───────────────────────────────────────────────────────────────────────────────────────────────────

PODS = model.Rule(groups=("",), versions=("v1",), resources=("pods",), operations=("CREATE",), scope="*")


@pytest.mark.parametrize(
    ("rule", "asked"),
    [
        (PODS, True),
        (replace(PODS, groups=("*",), resources=("*",), operations=("*",)), True),
        (replace(PODS, resources=("*/*",), scope="Namespaced"), True),
        (replace(PODS, resources=("services", "pods")), True),
        (replace(PODS, resources=("pods/exec",)), False),
        (replace(PODS, operations=("UPDATE", "DELETE")), False),
        (replace(PODS, groups=("apps",)), False),
        (replace(PODS, scope="Cluster"), False),
        (model.Rule(), False),
    ],
)
def test_who_is_asked_when_a_pod_is_made(rule: model.Rule, asked: bool) -> None:
    assert admits(model.Webhook(name="h", rules=(rule,)), {}, {}) is asked


def test_selectors_of_namespace_and_object_must_both_select() -> None:
    hook = model.Webhook(name="h", rules=(PODS,), namespace_labels={"inject": "on"}, object_labels={"app": "x"})
    assert admits(hook, {"inject": "on"}, {"app": "x"})
    assert not admits(hook, {}, {"app": "x"})
    assert not admits(hook, {"inject": "on"}, {})


def guard(service: str = "hook", **more: Any) -> model.WebhookConfiguration:
    """A webhook on pods behind a Service of namespace `apps` (none, if empty); `more` overrides."""
    target = model.ServiceTarget(namespace="apps", name=service) if service else None
    given: dict[str, Any] = {"service": target, "rules": (PODS,)}
    hook = model.Webhook(name="guard.example.com", **(given | more))
    return model.WebhookConfiguration(kind="ValidatingWebhookConfiguration", name="guard", webhooks=(hook,))


HOOK = runs("hook")
HOOK_SERVICE = model.Service(name="hook", namespace="apps", selector={"app": "hook"})


def guarded(configuration: model.WebhookConfiguration, *others: model.Workload, **parts: Any) -> Dependencies:
    """The add-on `hook` serves the webhook; each of `others` is an add-on of its own."""
    rows = [row("hook", HOOK), *(row(each.name, each) for each in others)]
    return found(
        *rows, workloads=(HOOK, *others), services=(HOOK_SERVICE,), webhook_configurations=(configuration,), **parts
    )


def test_an_addon_whose_pods_a_webhook_admits_depends_on_its_server_for_changes() -> None:
    assert pairs(guarded(guard(), runs("app"))) == [("app", "hook", HARD, CHANGE)]


@pytest.mark.parametrize(
    "more",
    [{"failure_policy": "Ignore"}, {"has_match_conditions": True}],
    ids=["ignored when it fails", "may not be asked after all"],
)
def test_a_webhook_that_may_be_passed_over_is_a_soft_dependency(more: dict[str, Any]) -> None:
    assert pairs(guarded(guard(**more), runs("app"))) == [("app", "hook", SOFT, CHANGE)]


def test_a_workload_that_belongs_to_no_addon_depends_on_webhooks_that_refuse_alone() -> None:
    def asked(policy: str) -> set[str]:
        result = found(
            row("hook", HOOK),
            workloads=(HOOK, runs("shop")),
            services=(HOOK_SERVICE,),
            webhook_configurations=(guard(failure_policy=policy),),
        )
        return {str(e.source) for e in result.edges if e.type is EdgeType.ADMISSION}

    assert asked("Fail") == {"Deployment/apps/hook", "Deployment/apps/shop"}
    assert asked("Ignore") == {"Deployment/apps/hook"}


def test_a_webhook_that_must_admit_its_own_pods_is_found() -> None:
    (item,) = of("DEP001", guarded(guard()))
    assert (item.subject, item.severity) == (HOOK.ref, Severity.REQUIRED)
    assert "operator: NotIn, values: [apps]" in fix_text(item)


def test_two_webhooks_in_the_way_of_one_workload_are_one_finding() -> None:
    first = guard()
    second = replace(first, name="second", webhooks=(first.webhooks[0], replace(first.webhooks[0], name="other")))
    result = found(
        row("hook", HOOK),
        workloads=(HOOK,),
        services=(HOOK_SERVICE,),
        webhook_configurations=(first, second),
    )
    (item,) = of("DEP001", result)
    assert [str(each.ref) for each in item.evidence] == [
        "ValidatingWebhookConfiguration/guard",
        "ValidatingWebhookConfiguration/second",
        "ValidatingWebhookConfiguration/second",
    ]
    assert len(item.fix) == 2, "one change a configuration"


def test_what_git_holds_is_changed_in_git() -> None:
    application = owners.ArgoApplication("argocd", "hook")
    result = found(
        row("hook", HOOK, owner=application),
        workloads=(HOOK,),
        services=(HOOK_SERVICE,),
        webhook_configurations=(guard(),),
    )
    (item,) = of("DEP001", result)
    (change,) = item.fix
    assert isinstance(change, model.GitChange)
    assert (change.owner, "values: [apps]" in change.change) == (application, True)


def outside(key: str, *values: str) -> dict[str, Any]:
    return {"namespace_expressions": (LabelExpression(key=key, operator="NotIn", values=values),)}


@pytest.mark.parametrize(
    "configuration",
    [
        guard(**outside("kubernetes.io/metadata.name", "kube-system", "apps")),
        guard(namespace_labels={"guarded": "yes"}),
        guard(object_expressions=(LabelExpression(key="app", operator="NotIn", values=("hook",)),)),
        guard(failure_policy="Ignore"),
        guard(has_match_conditions=True),
        guard(rules=(replace(PODS, resources=("services",)),)),
        guard(service="elsewhere"),
        guard(service="", url_host="hooks.example.com"),
    ],
    ids=[
        "its namespace left out",
        "only labelled namespaces",
        "its pods left out",
        "ignored when it fails",
        "match conditions",
        "not about pods",
        "served by another",
        "served outside",
    ],
)
def test_a_webhook_that_does_not_stand_in_its_own_way_is_silent(configuration: model.WebhookConfiguration) -> None:
    assert of("DEP001", guarded(configuration)) == []


def test_another_deployment_of_the_addon_may_wait_for_the_webhook() -> None:
    worker = runs("hook-worker", labels={"app": "worker"})
    result = found(
        row("hook", HOOK, worker),
        workloads=(HOOK, worker),
        services=(HOOK_SERVICE,),
        webhook_configurations=(guard(object_labels={"app": "worker"}),),
    )
    assert of("DEP001", result) == []


LABELLED = guard(**outside("guard.example.com/ignore", "true"))


def test_a_namespace_that_is_labelled_out_is_silent_and_one_that_is_not_is_found() -> None:
    labelled = model.Namespace(name="apps", labels={"guard.example.com/ignore": "true"})
    assert of("DEP001", guarded(LABELLED, namespaces=(labelled,))) == []
    assert len(of("DEP001", guarded(LABELLED, namespaces=(model.Namespace(name="apps"),)))) == 1


@pytest.mark.parametrize(
    "parts",
    [{"gaps": gap("namespaces")}, {"cluster": model.Cluster(name="chart", source="files")}],
    ids=["forbidden", "files hold no namespace"],
)
def test_labels_of_a_namespace_that_was_not_read_are_unknown_not_absent(parts: dict[str, Any]) -> None:
    assert of("DEP001", guarded(LABELLED, **parts)) == []
    assert len(of("DEP001", guarded(guard(**outside("kubernetes.io/metadata.name", "b")), **parts))) == 1, "its name is"


# ── From objects to add-ons ─────────────────────────────────────────────────────────────────────────────────────


def test_a_claim_leads_over_a_class_that_is_nobodys_to_the_drivers_addon() -> None:
    driver = addon("driver", "acme/driver")
    driver = replace(
        driver,
        fingerprints=Fingerprints(images=(ImageFingerprint(path="acme/driver"),), csi_drivers=("disk.csi.test",)),
    )
    db = runs("app", kind="StatefulSet", claims=("data",))
    result = found(
        row("app", db),
        row("driver"),
        known=catalog(addon("app", "acme/app"), driver),
        workloads=(db,),
        volume_claims=(model.VolumeClaim(name="data", namespace="apps", storage_class="fast"),),
        storage_classes=(model.StorageClass(name="fast", provisioner="disk.csi.test"),),
        csi_drivers=(model.CsiDriver(name="disk.csi.test"),),
    )
    assert pairs(result) == [("app", "driver", HARD, CHANGE)]
    assert [edge.type for edge in result.addons[0].via if isinstance(edge, Edge)] == [
        EdgeType.STORAGE_CLASS,
        EdgeType.CSI_DRIVER,
    ]


def test_an_addon_does_not_depend_on_itself() -> None:
    app = runs("app", service_account="app")
    service = model.Service(name="app", namespace="apps", selector={"app": "app"})
    assert found(row("app", app), workloads=(app,), services=(service,)).addons == ()


def test_what_leads_to_an_addons_pods_is_its_own() -> None:
    app = runs("app", service_account="app", claims=("data",))
    service = model.Service(name="s", namespace="apps", selector={"app": "app"})
    owners = found(
        row("app", app),
        workloads=(app,),
        services=(service,),
        webhook_configurations=(guard(service="s"),),
        disruption_budgets=(model.DisruptionBudget(name="pdb", namespace="apps", selector={"app": "app"}),),
        autoscalers=(model.Autoscaler(name="hpa", namespace="apps", target=app.ref),),
    ).owners
    assert {ref.kind for ref, owner in owners.items() if owner == "app"} == {
        "Deployment",
        "Service",
        "ValidatingWebhookConfiguration",
        "PodDisruptionBudget",
        "HorizontalPodAutoscaler",
        "ServiceAccount",
        "PersistentVolumeClaim",
    }


def test_a_service_with_a_wrong_selector_is_known_by_its_label() -> None:
    app = runs("app", labels={"app": "app", "k8s-app": "app"})
    lost = model.Service(name="s", namespace="apps", labels={"k8s-app": "app"}, selector={"app": "typo"})
    ref = ObjectRef(kind="Service", name="s", namespace="apps")
    assert found(row("app", app), workloads=(app,), services=(lost,)).owners.get(ref) == "app"
    for other in (replace(lost, namespace="b"), replace(lost, labels={"k8s-app": "b"}), replace(lost, selector={})):
        assert "app" not in [
            owner
            for ref, owner in found(row("app", app), workloads=(app,), services=(other,)).owners.items()
            if ref.kind == "Service"
        ]


def test_sharing_a_service_account_is_no_dependency() -> None:
    one, two = runs("app", service_account="default"), runs("third", service_account="default")
    assert found(row("app", one), row("third", two), workloads=(one, two)).addons == ()


def test_an_autoscaled_addon_goes_on_without_metrics() -> None:
    """Without metrics nothing is scaled; what runs, runs."""
    app, metrics = runs("app"), runs("metrics")
    result = found(
        row("app", app),
        row("metrics", metrics),
        workloads=(app, metrics),
        services=(model.Service(name="metrics", namespace="apps", selector={"app": "metrics"}),),
        api_services=(
            model.ApiService(
                name="v1beta1.metrics.k8s.io",
                group="metrics.k8s.io",
                version="v1beta1",
                service=model.ServiceTarget(namespace="apps", name="metrics"),
            ),
        ),
        autoscalers=(model.Autoscaler(name="app", namespace="apps", target=app.ref),),
    )
    ((source, target, strength, _),) = pairs(result)
    assert (source, target, strength) == ("app", "metrics", SOFT)


def test_what_an_operator_made_runs_on_without_the_operator() -> None:
    operator = addon("driver", "acme/driver", crd_groups=("mon.test",))
    made = runs("app", kind="StatefulSet", owners=(ObjectRef(kind="Monitor", name="main", group="mon.test"),))
    result = found(
        row("app", made),
        row("driver"),
        known=catalog(addon("app", "acme/app"), operator),
        workloads=(made,),
        crds=(model.CustomResourceDefinition(name="monitors.mon.test", group="mon.test", kind="Monitor"),),
        others=(model.OtherObject(name="main", namespace="apps", api_version="mon.test/v1", kind="Monitor"),),
    )
    ((source, target, _, affects),) = pairs(result)
    assert (source, target, affects) == ("app", "driver", CHANGE)


def test_several_reasons_are_one_dependency_as_strong_as_the_strongest() -> None:
    needs = addon("app", "acme/app", requires=(Requirement(text="its hook", addon="hook", hard=False),))
    app = runs("app")
    result = found(
        row("app", app),
        row("hook", HOOK),
        known=catalog(needs, addon("hook", "acme/hook")),
        workloads=(app, HOOK),
        services=(HOOK_SERVICE,),
        webhook_configurations=(guard(**outside("app", "x")),),
    )
    ((_, _, strength, affects),) = pairs(result)
    assert (strength, affects) == (HARD, CHANGE), "0.5 weighs more than the soft requirement's 0.3"
    assert {type(reason) for reason in result.addons[0].via} == {Edge, AddOnRequirement}


def needing(*requirements: Requirement) -> Catalog:
    return catalog(addon("app", "acme/app", requires=requirements), addon("hook", "acme/h"), addon("third", "acme/t"))


def test_what_the_catalog_requires_is_a_dependency_where_it_is_there() -> None:
    hard = Requirement(text="x", addon="hook", alternatives=("third",))
    assert pairs(found(row("app"), row("hook"), known=needing(hard))) == [("app", "hook", HARD, RUNNING)]
    assert pairs(found(row("app"), row("third"), known=needing(hard))) == [("app", "third", HARD, RUNNING)]
    assert pairs(found(row("app"), row("hook"), known=needing(replace(hard, hard=False))))[0][2] is SOFT
    assert found(row("app"), known=needing(hard)).addons == ()
    assert found(row("app"), row("hook"), known=needing(Requirement(text="in words"))).addons == ()


# ── The platform ────────────────────────────────────────────────────────────────────────────────────────────────

PLATFORM = catalog(
    addon("aws-vpc-cni", "acme/aws-vpc-cni", provides=(ClusterService.POD_NETWORK,)),
    addon("cilium", "acme/cilium", provides=(ClusterService.POD_NETWORK, ClusterService.SERVICE_NETWORK)),
    addon("kube-proxy", "acme/kube-proxy", provides=(ClusterService.SERVICE_NETWORK,), system=True),
    addon("coredns", "acme/coredns", provides=(ClusterService.CLUSTER_DNS,)),
    addon("app", "acme/app"),
    addon("cloud", "acme/cloud", install=Install(eks=EksInstall(name="cloud", requires_iam=True))),
)
AWS = owners.AwsManaged("EKS Auto Mode")
EKS = owners.EksAddon("vpc-cni")


def platform(
    *more: model.Workload, without: str = "", owner: Owner = EKS, names: tuple[str, ...] = ("aws-vpc-cni", "kube-proxy")
) -> list[tuple[str, str, Affects]]:
    node = [runs(name, kind="DaemonSet", host_network=True) for name in names]
    listed = [each for each in (*node, runs("coredns"), *more) if each.name != without]
    rows = [row(each.name, each, owner=None if each in more else owner) for each in listed]
    result = found(*rows, known=PLATFORM, workloads=tuple(listed))
    return [(each.source, each.target, each.affects) for each in result.addons if each.source in {m.name for m in more}]


def test_pods_need_the_pod_and_service_network_to_start_and_those_that_call_aws_dns() -> None:
    assert platform(runs("app")) == [("app", "aws-vpc-cni", CHANGE), ("app", "kube-proxy", CHANGE)]
    assert platform(runs("cloud")) == [
        ("cloud", "aws-vpc-cni", CHANGE),
        ("cloud", "coredns", RUNNING),
        ("cloud", "kube-proxy", CHANGE),
    ]


def test_on_the_nodes_own_network_nothing_is_needed_and_what_is_not_there_neither() -> None:
    assert platform(runs("app", host_network=True)) == []
    assert platform(runs("app"), without="kube-proxy") == [("app", "aws-vpc-cni", CHANGE)]
    assert platform(runs("app"), owner=AWS) == [], "what AWS runs is no installation that could fail here"


def test_who_offers_a_network_is_the_catalogs_word() -> None:
    cilium = [("app", "cilium", CHANGE)]
    assert platform(runs("app"), names=("cilium",)) == cilium
    both = platform(runs("app"), names=("cilium", "kube-proxy"))
    assert both == [*cilium, ("app", "kube-proxy", CHANGE)], "beside what every cluster has, cilium only adds to it"


# ── Blast radius ────────────────────────────────────────────────────────────────────────────────────────────────


def depends(source: str, target: str, strength: Strength = HARD, affects: Affects = RUNNING) -> Dependency:
    return Dependency(source=source, target=target, strength=strength, affects=affects, via=())


def radius(start: str, *dependencies: Dependency) -> list[tuple[str, float, tuple[str, ...]]]:
    listed = Dependencies(edges=(), addons=dependencies).blast_radius(start)
    return [(impact.id, round(impact.weight, 6), impact.path) for impact in listed]


@pytest.mark.parametrize(
    ("strength", "affects", "weight"),
    [(HARD, RUNNING, 1.0), (HARD, CHANGE, 0.5), (SOFT, RUNNING, 0.3), (SOFT, CHANGE, 0.1)],
)
def test_the_weight_of_one_step(strength: Strength, affects: Affects, weight: float) -> None:
    assert radius("a", depends("b", "a", strength, affects)) == [("b", weight, ("a", "b"))]


def test_weights_multiply_along_the_way_and_the_way_is_told() -> None:
    chain = (depends("b", "a", HARD, CHANGE), depends("c", "b", SOFT))
    assert radius("a", *chain) == [("b", 0.5, ("a", "b")), ("c", 0.15, ("a", "b", "c"))]


def test_below_the_minimum_the_way_ends_and_what_lies_behind_is_not_reached() -> None:
    chain = (depends("b", "a", SOFT), depends("c", "b", SOFT, CHANGE), depends("d", "c"))
    assert radius("a", *chain) == [("b", 0.3, ("a", "b"))], "0.3 × 0.1 is less than 0.05"
    edge = (depends("b", "a", HARD, CHANGE), depends("c", "b", SOFT, CHANGE))
    assert [found[0] for found in radius("a", *edge)] == ["b", "c"], "0.5 × 0.1 is just enough"


def test_the_strongest_way_counts_though_it_is_longer() -> None:
    ways = (depends("c", "a", SOFT), depends("b", "a"), depends("c", "b"), depends("d", "c"))
    assert radius("a", *ways) == [
        ("b", 1.0, ("a", "b")),
        ("c", 1.0, ("a", "b", "c")),
        ("d", 1.0, ("a", "b", "c", "d")),
    ]


def test_the_worst_comes_first_then_by_name() -> None:
    assert [found[0] for found in radius("a", depends("z", "a"), depends("m", "a", SOFT), depends("b", "a"))] == [
        "b",
        "z",
        "m",
    ]


def test_a_circle_ends_and_what_nobody_depends_on_hurts_nobody() -> None:
    assert radius("a", depends("b", "a"), depends("a", "b")) == [("b", 1.0, ("a", "b"))]
    assert radius("b", depends("b", "a")) == []
    assert radius("unknown", depends("b", "a")) == []


DEPENDENCIES = st.lists(
    st.builds(
        depends,
        st.sampled_from("abcde"),
        st.sampled_from("abcde"),
        st.sampled_from(list(Strength)),
        st.sampled_from([RUNNING, CHANGE]),
    ),
    max_size=12,
)


@given(DEPENDENCIES)
def test_every_way_told_is_a_way_and_its_weight_the_product_of_its_steps(listed: list[Dependency]) -> None:
    weights: dict[tuple[str, str], float] = {}
    for each in listed:
        step = (each.target, each.source)
        weights[step] = max(weights.get(step, 0.0), each.weight)
    reached = Dependencies(edges=(), addons=tuple(listed)).blast_radius("a")
    assert len({impact.id for impact in reached} | {"a"}) == len(reached) + 1, "each once, never itself"
    for impact in reached:
        product = 1.0
        for step in pairwise(impact.path):
            product *= weights[step]
        assert (impact.path[0], impact.path[-1]) == ("a", impact.id)
        assert impact.weight == pytest.approx(product)
        assert 0.05 <= impact.weight + 1e-9 <= 1.0 + 1e-9


# ── Order and cycles ────────────────────────────────────────────────────────────────────────────────────────────


def chained(*needs: tuple[str, str, bool]) -> Dependencies:
    """Add-ons that require each other: (who, whom, hard)."""
    names = sorted({name for who, whom, _ in needs for name in (who, whom)})
    entries = [
        addon(
            name,
            f"acme/{name}",
            requires=tuple(Requirement(text="x", addon=whom, hard=hard) for who, whom, hard in needs if who == name),
        )
        for name in names
    ]
    return found(*(row(name) for name in names), known=catalog(*entries))


def test_targets_come_before_what_depends_on_them() -> None:
    result = chained(("a", "b", True), ("b", "c", True), ("d", "c", False))
    assert result.order.index("c") < result.order.index("b") < result.order.index("a")
    assert result.order.index("c") < result.order.index("d")
    assert (result.cycles, of("DEP002", result)) == ((), [])


DNS = catalog(
    *(addon(name, f"acme/{name}") for name in ("app", "hook")),
    addon(
        "driver",
        "acme/driver",
        provides=(ClusterService.CLUSTER_DNS,),
        comes_with=("Service/kube-system/kube-dns",),
    ),
)


def test_pods_on_the_pod_network_resolve_names_and_may_go_on_without() -> None:
    dns = model.Service(name="kube-dns", namespace="kube-system", selector={"app": "driver"})
    answers = runs("driver", namespace="kube-system")
    app, on_host = runs("app"), runs("hook", host_network=True)
    rows = (row("driver", answers), row("app", app), row("hook", on_host))
    parts: dict[str, Any] = {"workloads": (answers, app, on_host), "services": (dns,), "known": DNS}
    assert pairs(found(*rows, **parts)) == [("app", "driver", SOFT, RUNNING)]
    assert pairs(found(*rows, **parts, cluster=model.Cluster(name="f", source="files"))) == []
    assert pairs(found(*rows, **(parts | {"services": (replace(dns, name="dns"),)}))) == []
    assert pairs(found(*rows, **(parts | {"known": CATALOG}))) == [], "nobody is known to answer"


def test_what_depends_on_nothing_is_in_the_order_too() -> None:
    assert set(found(row("app"), row("hook")).order) == {"app", "hook"}


def test_a_circle_that_is_soft_somewhere_is_opened_there_and_not_told() -> None:
    result = chained(("a", "b", True), ("b", "c", False), ("c", "a", True))
    assert result.order == ("b", "a", "c"), "b needs c but softly: b may go before c"
    assert of("DEP002", result) == [], "with less, b can start first"


def test_a_circle_that_is_hard_all_around_is_told() -> None:
    result = chained(("a", "b", True), ("b", "c", True), ("c", "a", True))
    (item,) = of("DEP002", result)
    assert (item.subject, item.severity) == (Together(("a", "b", "c"), circle=True), Severity.INFO)
    (cycle,) = result.cycles
    assert set(pairwise(cycle)) == {("a", "b"), ("b", "c"), ("c", "a")}, "each depends on the next"
    assert set(result.order) == {"a", "b", "c"}


@pytest.mark.parametrize(("policy", "told"), [("Fail", ["app ↔ hook"]), ("Ignore", [])])
def test_a_circle_is_opened_where_only_changes_are_hurt_and_not_told_where_those_pass(
    policy: str, told: list[str]
) -> None:
    """The hook cannot run without the app; the app's pods are admitted by the hook: the app is updated first."""
    app = runs("app")
    needs = addon("hook", "acme/hook", requires=(Requirement(text="its data", addon="app"),))
    result = found(
        row("hook", HOOK),
        row("app", app),
        known=catalog(needs, addon("app", "acme/app")),
        workloads=(HOOK, app),
        services=(HOOK_SERVICE,),
        webhook_configurations=(guard(object_labels={"app": "app"}, failure_policy=policy),),
    )
    assert result.order == ("app", "hook")
    assert [str(item.subject) for item in of("DEP002", result)] == told


def test_two_circles_are_two_findings_and_circles_that_share_an_addon_one_knot() -> None:
    apart = chained(("a", "b", True), ("b", "a", True), ("c", "d", True), ("d", "c", True))
    assert [str(item.subject) for item in of("DEP002", apart)] == ["a ↔ b", "c ↔ d"]
    (knot,) = of("DEP002", chained(("a", "b", True), ("b", "a", True), ("b", "c", True), ("c", "b", True)))
    assert (str(knot.subject), len(knot.evidence)) == ("a ↔ b ↔ c", 2)


# ── Size ────────────────────────────────────────────────────────────────────────────────────────────────────────


def large(count: int, namespaces: int) -> tuple[View, Inventory]:
    """Workloads, each with a Service, an account and a webhook over it; half of the Services select nothing."""
    workloads, services = [], []
    for number in range(count):
        name, namespace = f"app-{number}", f"team-{number % namespaces}"
        labels = {"app": name, "team": "shop", "tier": "web"}
        workloads.append(runs(name, namespace=namespace, labels=labels, service_account=name))
        selector = labels if number % 2 else {**labels, "tier": "typo"}
        services.append(model.Service(name=name, namespace=namespace, labels={"app": name}, selector=selector))
    hook = model.Webhook(
        name="guard.example.com",
        service=model.ServiceTarget(namespace="team-0", name="app-0"),
        rules=(PODS,),
    )
    configuration = model.WebhookConfiguration(kind="ValidatingWebhookConfiguration", name="guard", webhooks=(hook,))
    view = View(snapshot(workloads=tuple(workloads), services=tuple(services), webhook_configurations=(configuration,)))
    rows = tuple(row(each.name, each) for each in workloads[: count // 10])
    return view, Inventory(installations=rows)


def seconds(count: int, namespaces: int) -> float:
    """CPU time of all edges and of what is missing, the best of three."""
    best = float("inf")
    for _ in range(3):
        view, inventory = large(count, namespaces)
        start = process_time()
        result = find_dependencies(view, inventory, CATALOG)
        lost = find_dangling(view, inventory, CATALOG, result.edges, result.owners)
        best = min(best, process_time() - start)
        assert len(result.edges) > count
        assert len(lost) > count // 20
    return best


def test_one_namespace_takes_about_as_long_as_many() -> None:
    one, many = seconds(1_000, 1), seconds(1_000, 100)
    assert one <= 2 * many + 0.05, f"{one:.2f} s in one namespace, {many:.2f} s in a hundred"


# ── Odd snapshots ───────────────────────────────────────────────────────────────────────────────────────────────


@given(st.integers(0, 2**32))
def test_odd_snapshots_never_stop_it_and_its_order_is_of_all_installations(seed: int) -> None:
    world, known = View(odd.snapshot(seed)), small_catalog()
    inventory = take_inventory(world, known)
    result = find_dependencies(world, inventory, known)
    ids = {each.id for each in inventory.installations}
    assert set(result.order) == ids
    assert len(result.order) == len(ids)
    assert set(result.owners.values()) <= ids
    assert all({each.source, each.target} <= ids and each.source != each.target for each in result.addons)
    assert len(set(result.edges)) == len(result.edges)
    lost = find_dangling(world, inventory, known, result.edges, result.owners)
    assert len({item.id for item in lost}) == len(lost), "one finding of a code on a subject"


def test_the_same_snapshot_gives_the_same_answer() -> None:
    edge: tuple[Edge, ...] = ()
    for _ in range(2):
        result = guarded(guard(), runs("app"), runs("third"))
        edge = edge or result.edges
        assert (result.edges, result.order) == (edge, result.order)
