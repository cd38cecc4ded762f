"""What files declare is read from them, and the table of charts from indexes."""

from datetime import date
from pathlib import Path

import pytest

from addonctl.adapters import chart_table
from addonctl.adapters.decoding import Decoder
from addonctl.adapters.sources import manifests
from addonctl.catalog import ChartTable
from addonctl.errors import BadInput
from addonctl.model import DeclaredBy, Snapshot
from tests.builders import NOW, small_catalog

DECODER = Decoder(small_catalog())


def read(folder: Path, files: dict[str, str]) -> Snapshot:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return manifests.read([str(folder)], DECODER, taken=NOW)


TEMPLATE = """
{{- if .Values.dns.enabled }}
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: dns
  namespace: {{ .Values.namespace | default "argocd" }}
spec:
  destination: {server: '{{ .Values.server | default "https://kubernetes.default.svc" }}', namespace: kube-system}
  source:
    repoURL: https://coredns.github.io/helm
    chart: coredns
    targetRevision: %s
    helm:
      values: |
        {{- toYaml .Values.dns.values | nindent 8 }}
{{- end }}
"""


@pytest.mark.parametrize(
    ("expression", "version"),
    [
        ("{{ .Values.dns.version }}", "1.43.0"),
        ("{{ .Values.dns.version | quote }}", "1.43.0"),
        ('{{ .Values.dns.other | default "1.42.0" }}', "1.42.0"),
        ("{{ .Values.dns.other }}", "${.Values.dns.other}"),
        ('{{ include "version" . }}', "${include version .}"),
    ],
)
def test_a_template_declares_with_its_charts_values(tmp_path: Path, expression: str, version: str) -> None:
    files = {
        "apps/Chart.yaml": "name: apps\nversion: 0.1.0\n",
        "apps/values.yaml": "dns: {enabled: true, version: 1.43.0}\n",
        "apps/templates/dns.yaml": TEMPLATE % expression,
    }
    found = [each for each in read(tmp_path, files).declarations if each.by is DeclaredBy.APPLICATION]
    assert [(each.home, each.chart, each.version, each.destination) for each in found] == [
        ("argocd", "coredns", version, "")
    ]


def test_sets_are_read_from_lists_and_json_too(tmp_path: Path) -> None:
    one = '{"apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet", "metadata": {"name": "a"}, "spec": %s}'
    template = '{"spec": {"source": {"chart": "coredns", "targetRevision": "{{v}}"}}}'
    spec = f'{{"generators": [{{"list": {{"elements": [{{"v": "1.43.0"}}]}}}}], "template": {template}}}'
    files = {"one.json": one % spec, "list.json": f'{{"kind": "List", "apiVersion": "v1", "items": [{one % spec}]}}'}
    assert [each.version for each in read(tmp_path, files).declarations] == ["1.43.0", "1.43.0"]


ENV = "apiVersion: eksctl.io/v1alpha5\nkind: ClusterConfig\nmetadata: {name: %s, version: '%s'}\n"


def test_one_declared_cluster_gives_name_and_kubernetes_and_two_give_none(tmp_path: Path) -> None:
    one = read(tmp_path, {"a.yaml": ENV % ("demo", "1.33")})
    assert (one.cluster.name, one.cluster.kubernetes) == ("demo", "1.33")
    two = read(tmp_path, {"b.yaml": ENV % ("other", "1.34")})
    assert two.cluster.kubernetes == ""


def test_terraform_is_read_and_its_modules_are_counted(tmp_path: Path) -> None:
    module = 'module "eks" {\n  source = "terraform-aws-modules/eks/aws"\n  cluster_addons = { coredns = {} }\n}\n'
    snapshot = read(tmp_path, {"main.tf": module, "other.tf": module})
    assert snapshot.intake is not None
    assert snapshot.intake.modules == {"terraform-aws-modules/eks/aws": 2}
    assert [(each.eks_addon, each.place and each.place.line) for each in snapshot.declarations] == [("coredns", 1)] * 2


INDEX = """apiVersion: v1
entries:
  other:
  - version: 9.9.9
    appVersion: 1.0.0
  coredns:
  - annotations:
      artifacthub.io/changes: |
        - kind: changed
          description: "version: 7.7.7"
    appVersion: 1.12.4
    version: 1.43.0
    dependencies:
    - name: x
      version: 3.0.0
  - appVersion: v1.12.0
    version: v1.42.0
  - appVersion: latest
    version: 1.41.0
  - appVersion: 1.12.0
    version: 1.44.0-rc.1
generated: "2026-08-01T00:00:00Z"
"""


def test_an_index_says_which_application_a_version_of_a_chart_has(tmp_path: Path) -> None:
    (tmp_path / "index.yaml").write_text(INDEX)
    (found,) = chart_table.read([str(tmp_path / "index.yaml")], {"coredns", "absent"}, date(2026, 8, 1))
    assert dict(found.versions) == {"1.43.0": "1.12.4", "1.42.0": "1.12.0"}
    assert [str(each) for each in found.span] == ["1.42.0", "1.43.0"]


def test_what_is_no_index_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("kind: Pod\n")
    with pytest.raises(BadInput, match="is no index of charts"):
        chart_table.read([str(tmp_path / "x.yaml")], {"coredns"}, date(2026, 8, 1))


def test_ones_own_table_is_beside_the_packaged_one_and_stays(tmp_path: Path) -> None:
    (newer,) = chart_table.of_index(INDEX, {"coredns"}, date(2026, 8, 1), "mine")
    chart_table.save([newer], tmp_path)
    table = chart_table.known(tmp_path).of("coredns")
    assert table is not None
    assert (table.source, table.versions["1.43.0"]) == ("mine", "1.12.4")
    assert chart_table.known(None).of("coredns") != table
    (tmp_path / chart_table.FILE_NAME).write_bytes(b"no gzip")
    with pytest.raises(BadInput, match="is damaged"):
        chart_table.known(tmp_path)


def test_a_chart_of_another_source_takes_the_place_of_the_one_before() -> None:
    (first,) = chart_table.of_index(INDEX, {"coredns"}, date(2026, 8, 1), "a")
    (same,) = chart_table.of_index(INDEX.replace("1.43.0", "1.50.0"), {"coredns"}, date(2026, 9, 1), "a")
    (other,) = chart_table.of_index(INDEX.replace("1.43.0", "1.50.0"), {"coredns"}, date(2026, 9, 1), "b")
    table = chart_table.merged(ChartTable(), [first])
    assert sorted(chart_table.merged(table, [same]).charts[0].versions) == ["1.42.0", "1.43.0", "1.50.0"]
    assert sorted(chart_table.merged(table, [other]).charts[0].versions) == ["1.42.0", "1.50.0"]


def test_the_packaged_table_knows_what_is_sure() -> None:
    table = chart_table.known(None)
    nginx, dns = table.of("ingress-nginx"), table.of("external-dns")
    assert nginx is not None
    assert nginx.versions["4.12.0"] == "1.12.0"
    assert dns is not None
    assert dns.versions["1.14.3"] == "0.14.0"
