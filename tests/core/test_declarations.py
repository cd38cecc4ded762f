"""What documents and records declare, and how it is joined to what runs."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
import yaml

from addonctl import declarations, model, terraform
from addonctl.catalog import ChartTable, ChartVersions
from addonctl.inventory import take_inventory
from addonctl.model import DeclaredBy, Place, State, View, owners
from tests.builders import small_catalog, snapshot, workload

COREDNS = "registry.k8s.io/coredns/coredns:v1.12.4"
TABLE = ChartVersions(name="coredns", as_of=date(2026, 11, 1), source="test", versions={"1.43.0": "1.12.4"})
KNOWN = replace(small_catalog(), charts=ChartTable(charts=(TABLE,), rebuilders=("bitnami",)))


def inventory(**parts: Any) -> model.Inventory:
    return take_inventory(View(snapshot(**parts)), KNOWN)


def of(text: str, file: str = "repo/file.yaml") -> tuple[model.Declaration, ...]:
    return declarations.of_document(yaml.safe_load(text), Place(file))


def application(name: str = "dns", **fields: Any) -> model.Application:
    given: dict[str, Any] = {"chart": "coredns", "target_revision": "1.43.0", "destination_namespace": "kube-system"}
    return model.Application(name=name, namespace="argocd", **(given | fields))


# ── ApplicationSets ─────────────────────────────────────────────────────────────────────────────────────────────────

SET = """
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: addons, namespace: argocd}
spec:
  generators: [%s]
  template:
    spec:
      source: {repoURL: https://charts.example.org, chart: '{{chart}}', targetRevision: '{{%sversion}}'}
      destination: {%s, namespace: kube-system}
"""
HERE = "server: https://kubernetes.default.svc"


def declared_by_set(generator: str, to: str = HERE, values: str = "") -> list[tuple[str, str, str]]:
    text = SET % (generator, values, to)
    return [(each.chart, each.version, each.destination) for each in of(text)]


def test_a_list_declares_what_is_written_in_its_elements() -> None:
    generator = "list: {elements: [{chart: coredns, version: 1.43.0}, {chart: keda, version: 2.17.0}]}"
    assert declared_by_set(generator) == [("coredns", "1.43.0", ""), ("keda", "2.17.0", "")]


def test_a_matrix_joins_the_parameters_of_its_generators() -> None:
    generator = """matrix: {generators: [
      {list: {elements: [{chart: coredns}, {chart: keda}]}}, {list: {elements: [{version: 1.0.0}]}}]}"""
    assert declared_by_set(generator) == [("coredns", "1.0.0", ""), ("keda", "1.0.0", "")]


def test_a_merge_has_the_usual_version_and_that_of_each_selection() -> None:
    generator = """merge: {mergeKeys: [server], generators: [
      {clusters: {values: {version: 1.43.0}}},
      {clusters: {selector: {matchLabels: {environment: prod}}, values: {version: 1.42.0}}}]}"""
    text = (SET % (generator, "values.", "name: '{{name}}'")).replace("'{{chart}}'", "coredns")
    assert [(each.version, each.destination) for each in of(text)] == [
        ("1.43.0", "clusters of addons"),
        ("1.42.0", "clusters with environment=prod"),
    ]


def test_what_a_generator_does_not_tell_stays_a_template_and_says_so() -> None:
    (said,) = of(SET % ("git: {repoURL: x, files: []}", "", HERE))
    assert (said.chart, said.version) == ("{{chart}}", "{{version}}")
    assert declarations.pinned(said.version) is None
    assert declarations.why_not_pinned(said) == "it is templated: {{version}}"


def test_a_matrix_of_long_lists_ends() -> None:
    elements = ", ".join(f"{{chart: c{number}, version: 1.0.0}}" for number in range(300))
    inner = f"{{list: {{elements: [{elements}]}}}}"
    assert len(declared_by_set(f"matrix: {{generators: [{inner}, {inner}, {inner}]}}")) <= 200


# ── Other documents ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_eksctl_declares_addons_and_kubernetes() -> None:
    text = """
    apiVersion: eksctl.io/v1alpha5
    kind: ClusterConfig
    metadata: {name: demo, region: eu-central-1, version: "1.33"}
    addons: [{name: vpc-cni, version: v1.19.2}, {name: coredns}]
    """
    first, second = of(text)
    assert (first.eks_addon, first.version, first.owner) == ("vpc-cni", "v1.19.2", owners.EksAddon("vpc-cni"))
    assert declarations.why_not_pinned(second) == "no version is declared: the newest counts"
    assert declarations.kubernetes_of(yaml.safe_load(text)) == ("demo", "1.33")


def test_a_chart_declares_its_dependencies_and_itself_only_to_who_applies_it() -> None:
    text = (
        "{name: platform, version: 1.0.0, dependencies: [{name: coredns, version: 1.43.0, repository: https://x.org}]}"
    )
    itself, inner = of(text, "repo/charts/platform/Chart.yaml")
    assert declarations.is_itself(itself)
    assert not declarations.is_itself(inner)
    alone = inventory(declarations=(itself, inner))
    (row,) = alone.declared
    assert (row.addon, row.state, str(row.version)) == ("coredns", State.DECLARED, "1.12.4")
    assert isinstance(row.owner, owners.Undetermined)
    applied = application(chart="", path="charts/platform", repository="https://git.example.org/x")
    (row,) = inventory(declarations=(itself, inner), applications=(applied,)).declared
    assert row.owner == owners.ArgoApplication("argocd", "dns")


def test_a_chart_that_wraps_an_addons_declares_it() -> None:
    text = (
        "{name: coredns, version: 0.1.0, dependencies: [{name: coredns, version: 1.43.0, repository: https://x.org}]}"
    )
    (row,) = inventory(declarations=of(text, "addons/coredns/Chart.yaml")).declared
    assert (row.addon, str(row.chart_version)) == ("coredns", "1.43.0")


def test_a_copy_of_an_addons_own_chart_declares_nothing_by_itself() -> None:
    text = (
        "{name: coredns, version: 1.43.0, dependencies: [{name: ingress, version: 1.0.0, repository: https://x.org}]}"
    )
    copied = of(text, "charts/coredns/Chart.yaml")
    assert inventory(declarations=copied).declared == ()
    applied = application(chart="", path="charts/coredns", repository="https://git.example.org/x")
    (row,) = inventory(declarations=copied, applications=(applied,)).declared
    assert (row.addon, str(row.version)) == ("coredns", "1.12.4")


def test_a_chart_of_an_addons_name_that_gathers_its_charts_declares_them() -> None:
    text = (
        "{name: base, version: 0.1.0, dependencies: [{name: istiod, version: 1.28.0, repository: https://x.org/istio}]}"
    )
    (row,) = inventory(declarations=of(text.replace("name: base", "name: istiod-all"), "x/Chart.yaml")).declared
    gathered = inventory(declarations=of(text.replace("name: base", "name: istiod"), "x/Chart.yaml")).declared
    assert [each.addon for each in gathered] == [row.addon] == ["istio"]


def test_kustomizations_and_the_bridge_declare_charts() -> None:
    (inflated,) = of("helmCharts: [{name: coredns, version: 1.43.0, repo: https://u:p@x.org}]", "a/kustomization.yaml")
    assert (inflated.by, inflated.chart, inflated.repository) == (DeclaredBy.KUSTOMIZE, "coredns", "https://x.org")


def test_a_bridge_declares_what_is_switched_on_anywhere() -> None:
    values = yaml.safe_load("""
    dns: {chartName: coredns, chartRepository: https://x.org, defaultVersion: 1.43.0}
    keda: {enabled: false, chartRepository: https://x.org, defaultVersion: 2.17.0}
    velero: {enabled: false, chartRepository: https://x.org, defaultVersion: 10.0.0}
    global: {chartRepository: ''}
    """)
    assert declarations.is_bridge(values)
    switched_on = set(declarations.enabled(yaml.safe_load("keda: {enabled: true}\nvelero: {enabled: false}")))
    found = declarations.of_bridge(values, Place("addons.yaml"), switched_on)
    assert [(each.by, each.name, each.chart) for each in found] == [
        (DeclaredBy.BRIDGE, "dns", "coredns"),
        (DeclaredBy.BRIDGE, "keda", "keda"),
    ]


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("~1.43", "the range ~1.43 is declared"),
        ("1.x", "the range 1.x is declared"),
        ("1.43", "the range 1.43 is declared"),
        ("main", "the branch or tag main is declared"),
        ("${VERSION}", "it is templated: ${VERSION}"),
        ("latest", "latest is declared"),
    ],
)
def test_a_version_that_is_not_pinned_stays_as_it_is_written(written: str, why: str) -> None:
    (row,) = inventory(applications=(application(target_revision=written),)).declared
    assert (row.version, row.version_unknown_reason) == (None, why)


# ── Terraform ───────────────────────────────────────────────────────────────────────────────────────────────────────

TERRAFORM = """
resource "helm_release" "dns" {
  name       = "dns" # the release
  repository = "https://coredns.github.io/helm"
  chart      = "coredns"
  version    = "1.43.0"
  set {
    name  = "a"
    value = "}"
  }
}
resource "aws_eks_addon" "cni" {
  addon_name    = "vpc-cni"
  addon_version = var.cni
}
module "eks" {
  source  = "terraform-aws-modules/eks/aws"
  version = "~> 20.0"
  cluster_addons = {
    coredns    = { most_recent = false, addon_version = "v1.12.4-eksbuild.1" }
    kube-proxy = {}
  }
}
module "addons" {
  source = "aws-ia/eks-blueprints-addons/aws"
  enable_metrics_server = true
  metrics_server = { chart_version = "3.12.0" }
  enable_karpenter = false
}
"""


def test_terraform_declares_what_is_written_out_and_its_modules_are_counted() -> None:
    found = [(each.chart or each.eks_addon, each.version) for each in terraform.declared(TERRAFORM, Place("main.tf"))]
    assert found == [
        ("coredns", "1.43.0"),
        ("vpc-cni", "${var.cni}"),
        ("coredns", "v1.12.4-eksbuild.1"),
        ("kube-proxy", ""),
        ("metrics-server", "3.12.0"),
    ]
    assert list(terraform.modules(TERRAFORM)) == ["terraform-aws-modules/eks/aws", "aws-ia/eks-blueprints-addons/aws"]


def test_terraform_that_ends_in_the_middle_is_read_as_far_as_it_goes() -> None:
    for end in range(0, len(TERRAFORM), 7):
        list(terraform.declared(TERRAFORM[:end], Place("main.tf")))


# ── Joined to what runs ─────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_declared_and_does_not_run_is_a_row_that_is_never_healthy() -> None:
    found = inventory(applications=(application(),))
    assert found.installations == ()
    (row,) = found.declared
    assert (row.addon, row.state, str(row.version), str(row.chart_version)) == (
        "coredns",
        State.DECLARED,
        "1.12.4",
        "1.43.0",
    )
    assert row.owner == owners.ArgoApplication("argocd", "dns")


def test_what_is_declared_for_this_cluster_joins_what_runs() -> None:
    found = inventory(applications=(application(),), workloads=(workload("coredns", COREDNS, namespace="kube-system"),))
    assert found.declared == ()
    (row,) = found.installations
    assert [each.version for each in row.declarations] == ["1.43.0"]
    assert row.owner == owners.ArgoApplication("argocd", "dns")
    assert found.findings == ()


def test_what_is_declared_for_another_cluster_is_never_this_ones() -> None:
    elsewhere = application(destination="prod-eu-2", destination_in_cluster=False)
    found = inventory(applications=(elsewhere,), workloads=(workload("coredns", COREDNS, namespace="kube-system"),))
    (row,) = found.installations
    assert (row.declarations, row.claims) == ((), ())
    (other,) = found.declared
    assert (other.destination, other.state) == ("prod-eu-2", State.DECLARED)


def test_a_declared_version_that_does_not_run_is_a_finding_within_one_kind_of_number() -> None:
    runs = workload("coredns", COREDNS.replace("v1.12.4", "v1.11.1"), namespace="kube-system")
    (item,) = inventory(applications=(application(),), workloads=(runs,)).findings
    assert (item.code, item.evidence[0].detail) == ("INV010", "coredns 1.43.0 is declared, v1.11.1 runs")
    unmapped = application(target_revision="1.44.0")  # the table does not have it: there is nothing to compare
    assert inventory(applications=(unmapped,), workloads=(runs,)).findings == ()


def test_charts_are_compared_as_charts_where_both_are_known() -> None:
    labels = {"helm.sh/chart": "coredns-1.42.0"}
    runs = workload("coredns", COREDNS, namespace="kube-system", labels=labels)
    (item,) = inventory(applications=(application(),), workloads=(runs,)).findings
    assert item.evidence[0].detail == "coredns 1.43.0 is declared, 1.42.0 runs"


def test_who_numbers_charts_of_that_name_otherwise_is_not_looked_up() -> None:
    theirs = application(repository="https://charts.bitnami.com/bitnami")
    (row,) = inventory(applications=(theirs,)).declared
    assert (row.version, str(row.chart_version)) == (None, "1.43.0")


def test_an_application_set_whose_applications_are_there_declares_nothing_more() -> None:
    (said,) = of(SET % ("list: {elements: [{chart: coredns, version: 1.43.0}]}", "", HERE))
    set_ref = model.ObjectRef(group="argoproj.io", kind="ApplicationSet", namespace="argocd", name="addons")
    (row,) = inventory(declarations=(said,), applications=(application(owners=(set_ref,)),)).declared
    assert [each.by for each in row.declarations] == [DeclaredBy.APPLICATION]
    assert len(inventory(declarations=(said,)).declared) == 1


def test_what_the_catalog_does_not_have_is_listed() -> None:
    listed = model.Declaration(by=DeclaredBy.EKSCTL, name="demo", eks_addon="vendor_agent")
    found = inventory(applications=(application(chart="shop", target_revision="1.0.0"),), declarations=(listed,))
    assert found.declared == ()
    assert [each.what for each in found.not_in_catalog] == ["shop", "vendor_agent"]


def test_a_chart_that_flux_has_from_an_oci_repository_is_that_of_its_address() -> None:
    source = model.FluxSource(
        kind="OCIRepository", name="dns", namespace="flux-system", url="oci://ghcr.io/x/coredns", reference="tag 1.43.0"
    )
    release = model.FluxHelmRelease(
        name="dns", namespace="flux", chart="dns", source="OCIRepository/dns", release="dns", target_namespace="dns"
    )
    (row,) = inventory(flux_helm_releases=(release,), flux_sources=(source,)).declared
    assert (row.addon, str(row.version), row.owner) == ("coredns", "1.12.4", owners.FluxHelmRelease("flux", "dns"))
