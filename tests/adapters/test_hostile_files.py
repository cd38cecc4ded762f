"""Files of any content: no crash, and no more time than their size explains."""

import time
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from addonctl import classification, declarations, terraform
from addonctl.adapters.decoding import Decoder
from addonctl.adapters.files import File
from addonctl.adapters.sources import manifests
from addonctl.inventory import take_inventory
from addonctl.model import Cluster, Place, Snapshot, View
from tests.builders import NOW, small_catalog

CATALOG = small_catalog()
DECODER = Decoder(CATALOG)
BYTES, SECONDS_MAX = 1 << 18, 1.0
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def read(*files: File) -> Snapshot:
    collection = manifests.Collection(DECODER)
    for file in files:
        collection.add(file)
    return collection.snapshot(Cluster(name="files", source="files"), NOW)


# ── Time ────────────────────────────────────────────────────────────────────────────────────────────────────────────

UNITS = {
    "expressions that do not end": "{{",
    "values that do not end": "{{ .Values.a |",
    "ERB that does not end": "<%=",
    "braces": "{",
    "brackets": "[",
    "quotes": '"',
    "logs that do not end": "==== START logs for x\n",
    "conflicts": "<<<<<<< a\n",
    "keys": "a: ",
    "spaces": " ",
    "broken JSON": '{"kind"\n',
    "nested JSON": '{"a":',
}
BLOCKS = {
    "modules that do not end": 'module "x" {\n',
    "remarks that do not end": "/*",
    "quotes": '"',
    "maps that do not end": "a = {",
    "resources": 'resource "helm_release" "x" {\n chart = "a"\n}\n',
    "one long line": "a = x " + " " * 50,
}


def within_time(*files: File) -> None:
    began = time.process_time()
    read(*files)
    assert time.process_time() - began < SECONDS_MAX


@pytest.mark.parametrize("unit", UNITS.values(), ids=UNITS)
def test_what_is_repeated_takes_no_more_time_than_its_size(unit: str) -> None:
    body = (unit * (BYTES // len(unit))).encode()
    within_time(File("x.yaml", body=body))
    within_time(File("c/Chart.yaml", body=b"name: c\n"), File("c/templates/x.yaml", body=b"argoproj.io/\n" + body))


@pytest.mark.parametrize("unit", BLOCKS.values(), ids=BLOCKS)
def test_terraform_takes_no_more_time_than_its_size(unit: str) -> None:
    body = (unit * (BYTES // len(unit))).encode()
    within_time(File("x.tf", body=body))
    within_time(File("x.tf", body=b'module "a" {\n source = "eks-addons"\n' + body))


# ── Content ─────────────────────────────────────────────────────────────────────────────────────────────────────────

WORDS = st.sampled_from(
    """
    apiVersion kind metadata name namespace spec source sources chart targetRevision repoURL path destination server
    generators list elements clusters values selector matchLabels matchExpressions matrix merge mergeKeys template
    dependencies version repository helmCharts repo addons karpenter chartRepository chartName defaultVersion enabled
    argoproj.io/v1alpha1 ApplicationSet Application HelmRelease ClusterConfig eksctl.io/v1alpha5 coredns cert-manager
    helm.toolkit.fluxcd.io/v2 kustomize.config.k8s.io/v1beta1 {{chart}} {{.values.version}} ${VERSION} 1.43.0 ~1.2
    """.split()
)
SCALARS = st.one_of(WORDS, st.text(max_size=8), st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.one_of(WORDS, SCALARS), inner, max_size=6)),
    max_leaves=30,
)
HEADS = st.sampled_from(
    [
        {},
        {"apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet"},
        {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application"},
        {"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease"},
        {"apiVersion": "eksctl.io/v1alpha5", "kind": "ClusterConfig"},
    ]
)
KEYS = ("metadata", "spec", "generators", "template", "dependencies", "helmCharts", "addons", "name", "version")
FILES = st.sampled_from(["x.yaml", "Chart.yaml", "kustomization.yaml", "values.yaml"])


@QUICK
@given(head=HEADS, body=st.dictionaries(st.sampled_from(KEYS), VALUES), file=FILES)
def test_no_document_breaks_what_reads_declarations(head: dict[str, Any], body: dict[str, Any], file: str) -> None:
    value, place = {**head, **body}, Place(file)
    found = [*declarations.of_template(value, place), *declarations.of_bridge(value, place, ())]
    for each in found:
        assert each.what
        assert all(isinstance(text, str) for text in (each.chart, each.version, each.namespace, each.destination))
    declarations.kubernetes_of(value)
    list(declarations.enabled(value))


@QUICK
@given(head=HEADS, body=st.dictionaries(st.sampled_from(KEYS), VALUES), file=FILES)
def test_no_file_breaks_the_inventory(head: dict[str, Any], body: dict[str, Any], file: str) -> None:
    text = yaml.safe_dump({**head, **body}, allow_unicode=True)
    snapshot = read(File(file, body=text.encode(errors="replace")))
    found = take_inventory(View(snapshot), CATALOG)
    assert found.installations == ()
    for row in found.declared:
        assert row.version is None or row.declarations
        assert any(each.chart or each.eks_addon or each.path for each in row.declarations)


@QUICK
@given(
    st.lists(st.sampled_from(['module "a"', "resource", '"helm_release"', "{", "}", "=", '"', "#", "\n", "/*", ","]))
)
def test_no_terraform_breaks_its_reader(pieces: list[str]) -> None:
    text = " ".join(pieces)
    list(terraform.declared(text, Place("main.tf")))
    list(terraform.modules(text))


@QUICK
@given(st.text(alphabet="{}.Values| default\"a\n-x'", max_size=200), VALUES)
def test_no_template_breaks_what_fills_it(text: str, values: Any) -> None:
    filled = classification.filled(text, values if isinstance(values, dict) else {})
    assert isinstance(filled, str)
