"""The contract of ports.HelmReleases and ports.HelmWriter: a real helm against a real API server, and a simulated one.

Both leave the Secrets that HelmSecrets reads. Releases hold ConfigMaps and Secrets only, so they are ready
at once; one chart holds a Deployment, which a bare API server never makes ready.
"""

import base64
import json
import os
import shutil
import stat
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from addonctl import ports
from addonctl.adapters.helm_binary import HelmBinary, HelmSecrets
from addonctl.errors import BadInput, Broken, Conflict, Invalid, NotFound, NotReachable, TimedOut
from addonctl.model import ObjectRef, live
from addonctl.sim.helm import Chart, Render, SimHelm
from addonctl.sim.store import Store
from tests.cluster import build
from tests.contracts.conftest import Api
from tests.contracts.test_objects import SIDES
from tests.contracts.test_objects import Side as Objects
from tests.contracts.test_objects import side as objects_side

objects = objects_side
REAL = pytest.mark.parametrize("objects", SIDES[:1], indirect=True)
SECRET = "hunter2-hunter2"
VALUES = {"greeting": "hello", "password": SECRET, "deep": {"list": [1, "two", {"three": 3.5}], "off": False}}
_TEMPLATE = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data:
  greeting: {{ .Values.greeting | quote }}
  default: {{ .Values.default | quote }}
---
apiVersion: v1
kind: Secret
metadata: {name: {{ .Release.Name }}}
stringData: {password: {{ .Values.password | quote }}}
"""
_BROKEN = '{{ fail (printf "this chart does not like %s" .Values.password) }}\n'
_NEVER_READY = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}}
spec:
  selector: {matchLabels: {app: x}}
  template:
    metadata: {labels: {app: x}}
    spec: {containers: [{name: x, image: "registry.local/none:1"}]}
"""


def program() -> str:
    """The helm that was built for the cluster tests, else the one on PATH."""
    return str(build.HELM.folder / "helm") if build.HELM.built else shutil.which("helm") or ""


@dataclass(frozen=True)
class Side:
    """The ports; `charts` holds greeter-1.0.0, greeter-2.0.0, broken and never-ready."""

    reader: ports.HelmReleases
    writer: ports.HelmWriter
    namespace: str
    charts: Path

    def upgrade(self, version: str = "2.0.0", **more: Any) -> live.Release:
        wanted: dict[str, Any] = {"values": VALUES, "timeout_s": 30, "version": ""}
        chart = str(self.charts / f"greeter-{version}")
        return self.writer.upgrade(self.namespace, "one", **({"chart": chart} | wanted | more))

    @property
    def newest(self) -> live.Release:
        return self.reader.history(self.namespace, "one")[-1]


def write_chart(folder: Path, version: str, template: str) -> None:
    (folder / "templates").mkdir(parents=True)
    chart = {
        "apiVersion": "v2",
        "name": folder.name.partition("-")[0],
        "version": version,
        "appVersion": f"app {version}",
    }
    (folder / "Chart.yaml").write_text(yaml.safe_dump(chart))
    (folder / "values.yaml").write_text(f"default: of {version}\ngreeting: none\npassword: none\n")
    (folder / "templates" / "all.yaml").write_text(template)


@pytest.fixture(scope="session")
def charts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("charts")
    for version in ("1.0.0", "2.0.0"):
        write_chart(folder / f"greeter-{version}", version, _TEMPLATE)
    write_chart(folder / "broken", "3.0.0", _BROKEN)
    write_chart(folder / "never-ready", "3.0.0", _NEVER_READY)
    return folder


@pytest.fixture
def side(
    request: pytest.FixtureRequest, objects: Objects, charts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Side]:
    """One release, `one`, of greeter 1.0.0."""
    if objects.store is not None:
        yield simulated_side(objects, objects.store, charts)
        return
    if not program():
        pytest.skip("the helm side needs helm on PATH (or python -m tests.cluster build)")
    for name in ("HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    yield from real_side(request.getfixturevalue("api"), objects, charts, tmp_path)


def real_side(api: Api, objects: Objects, charts: Path, tmp_path: Path) -> Iterator[Side]:
    reader = HelmSecrets(objects.reader)
    side = Side(reader, HelmBinary(reader, api.kubeconfig, program=program()), objects.namespace, charts)
    (tmp_path / "values.json").write_text(json.dumps(VALUES))
    values = tmp_path / "values.json"
    install = [
        program(),
        "install",
        "one",
        f"{charts}/greeter-1.0.0",
        f"--namespace={side.namespace}",
        "-f",
        f"{values}",
    ]
    subprocess.run([*install, f"--kubeconfig={api.kubeconfig}"], check=True, timeout=60, capture_output=True)
    (tmp_path / "values.json").unlink()
    yield side
    side.writer.uninstall(side.namespace, "one", timeout_s=30)


def simulated_side(objects: Objects, store: Store, charts: Path) -> Side:
    """The same charts, as functions."""

    def greeter(version: str) -> Render:
        def render(release: str, namespace: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
            texts = {"greeting": values.get("greeting", "none"), "default": f"of {version}"}
            password = {"password": str(values.get("password", "none"))}
            named = {"apiVersion": "v1", "metadata": {"name": release}}
            return [named | {"kind": "ConfigMap", "data": texts}, named | {"kind": "Secret", "stringData": password}]

        return render

    def broken(release: str, namespace: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        raise Invalid(f"this chart does not like {values.get('password')}")

    def never_ready(release: str, namespace: str, values: Mapping[str, Any]) -> list[Any]:
        return [yaml.safe_load(_NEVER_READY.replace("{{ .Release.Name }}", release))]

    renders = {"greeter-1.0.0": greeter("1.0.0"), "greeter-2.0.0": greeter("2.0.0")}
    table = {
        (str(charts / folder), ""): Chart(
            name=folder.partition("-")[0], version=version, app_version=f"app {version}", render=render
        )
        for folder, render in (renders | {"broken": broken, "never-ready": never_ready}).items()
        for version in (folder.rpartition("-")[2] if folder in renders else "3.0.0",)
    }
    helm = SimHelm(store, table)
    helm.install(objects.namespace, "one", chart=str(charts / "greeter-1.0.0"), version="", values=VALUES)
    return Side(HelmSecrets(objects.reader), helm, objects.namespace, charts)


def test_what_helm_has_recorded(side: Side) -> None:
    (first,) = side.reader.history(side.namespace, "one")
    assert (first.name, first.namespace, first.revision, first.status) == ("one", side.namespace, 1, "deployed")
    assert (first.chart, first.chart_version, first.app_version) == ("greeter", "1.0.0", "app 1.0.0")
    assert first.updated is not None
    assert first.values == VALUES, "what the user set, and nothing of the chart's own"
    assert SECRET not in repr(first)
    documents = list(yaml.safe_load_all(side.reader.manifest(side.namespace, "one", 1)))
    assert sorted(one["kind"] for one in documents) == ["ConfigMap", "Secret"]
    objects = side.reader.objects(side.namespace, "one", 1)
    assert sorted(one.ref.kind for one in objects) == ["ConfigMap", "Secret"]
    assert next(one for one in objects if one.ref.kind == "ConfigMap").document["data"]["greeting"] == "hello"
    assert SECRET not in repr(objects)


def test_an_upgrade_has_exactly_the_values_given(side: Side) -> None:
    done = side.upgrade()
    assert (done.revision, done.status, done.chart_version, done.values) == (2, "deployed", "2.0.0", VALUES)
    assert side.newest.values == VALUES
    assert "of 2.0.0" in side.reader.manifest(side.namespace, "one", 2), "defaults are the new chart's"
    assert side.upgrade(values={"greeting": "bye"}).values == {"greeting": "bye"}
    assert side.upgrade(values={}).values == {}, "none is none, too"
    assert [one.status for one in side.reader.history(side.namespace, "one")][1:] == [
        "superseded",
        "superseded",
        "deployed",
    ]


def test_values_keep_their_types(side: Side) -> None:
    numbers = [0, 1, -1, 1500000, 2**31, 2**53 - 1, 0.1, 1e21]
    texts = ["1e3", "0x10", "yes", "", "a\nb: c", "null", "{{ .Values.x }}", "# no comment"]
    values = {"numbers": numbers, "texts": texts, "null": None, "list": [], "map": {}, "true": True, "deep": {"n": 1}}
    assert json.dumps(side.upgrade(values=values).values, sort_keys=True) == json.dumps(values, sort_keys=True)
    assert side.newest.values == values


def test_a_rollback_is_a_new_revision_of_what_was(side: Side) -> None:
    side.upgrade(values={"greeting": "bye"})
    side.writer.rollback(side.namespace, "one", revision=1, timeout_s=30)
    newest = side.newest
    assert (newest.revision, newest.status, newest.chart_version, newest.values) == (3, "deployed", "1.0.0", VALUES)
    assert side.reader.manifest(side.namespace, "one", 3) == side.reader.manifest(side.namespace, "one", 1)


def test_a_dry_run_renders_and_stores_nothing(side: Side, objects: Objects) -> None:
    would = side.upgrade(values={"greeting": "bye"}, dry_run=True)
    assert (would.revision, would.chart_version, would.values) == (2, "2.0.0", {"greeting": "bye"})
    side.writer.rollback(side.namespace, "one", revision=1, timeout_s=30, dry_run=True)
    side.writer.uninstall(side.namespace, "one", timeout_s=30, dry_run=True)
    assert [one.revision for one in side.reader.history(side.namespace, "one")] == [1]
    assert objects.reader.get(objects.ref("one")).document["data"]["greeting"] == "hello"
    with pytest.raises(Invalid):
        side.upgrade(chart=str(side.charts / "broken"), dry_run=True)


def test_uninstalling_twice_is_no_error(side: Side, objects: Objects) -> None:
    side.writer.uninstall(side.namespace, "one", timeout_s=30)
    side.writer.uninstall(side.namespace, "one", timeout_s=30)
    with pytest.raises(NotFound):
        objects.reader.get(objects.ref("one"))
    with pytest.raises(NotFound):
        side.reader.history(side.namespace, "one")


def test_what_is_not_there(side: Side) -> None:
    with pytest.raises(NotFound):
        side.reader.history(side.namespace, "none")
    with pytest.raises(NotFound, match="revision 9"):
        side.reader.manifest(side.namespace, "one", 9)
    with pytest.raises(NotFound, match="revision 9"):
        side.writer.rollback(side.namespace, "one", revision=9, timeout_s=30)
    with pytest.raises(NotFound):
        side.writer.upgrade(
            side.namespace, "none", chart=str(side.charts / "greeter-1.0.0"), version="", values={}, timeout_s=30
        )
    assert side.newest.revision == 1


def test_a_chart_that_cannot_be_rendered_is_invalid_and_tells_no_value(side: Side) -> None:
    with pytest.raises(Invalid, match="this chart does not like") as error:
        side.upgrade(chart=str(side.charts / "broken"))
    assert SECRET not in str(error.value)
    assert side.newest.status == "deployed", "the release is as it was"


def test_what_does_not_become_ready_stays_applied(side: Side, objects: Objects) -> None:
    if not objects.bare:
        pytest.skip("on a cluster, the Deployment may become ready")
    with pytest.raises(TimedOut):
        side.upgrade(chart=str(side.charts / "never-ready"), timeout_s=2)
    newest = side.newest
    assert (newest.revision, newest.status, newest.chart) == (2, "failed", "never")
    side.writer.rollback(side.namespace, "one", revision=1, timeout_s=30)
    assert side.newest.status == "deployed"


def test_what_is_not_waited_for_is_deployed_at_once(side: Side, objects: Objects) -> None:
    done = side.upgrade(chart=str(side.charts / "never-ready"), wait=False)
    assert (done.revision, done.status, done.chart) == (2, "deployed", "never")
    deployment = ObjectRef(kind="Deployment", name="one", namespace=side.namespace, group="apps")
    assert objects.reader.get(deployment).document["spec"]["replicas"] == 1
    side.writer.rollback(side.namespace, "one", revision=1, timeout_s=30, wait=False)
    assert (side.newest.revision, side.newest.status) == (3, "deployed")
    with pytest.raises(NotFound):
        objects.reader.get(deployment)


def test_what_was_patched_is_in_the_way_until_it_is_disowned(side: Side, objects: Objects) -> None:
    """A field that the chart sets is Helm's again where nobody owns it; where somebody does, Helm refuses."""
    objects.writer.patch(objects.ref("one"), {"data": {"greeting": "patched", "other": "patched"}})
    with pytest.raises(Conflict, match="greeting"):
        side.upgrade()
    failed = side.newest
    assert (failed.status, failed.revision) == ("failed", 2)
    assert "failed" in failed.description
    assert SECRET not in failed.description
    with pytest.raises(Conflict, match="greeting"):
        side.writer.rollback(side.namespace, "one", revision=1, timeout_s=30)
    objects.writer.disown(objects.ref("one"))
    assert side.upgrade().status == "deployed"
    data = objects.reader.get(objects.ref("one")).document["data"]
    assert data == {"greeting": "hello", "default": "of 2.0.0", "other": "patched"}, "what no chart sets stays"
    side.writer.rollback(side.namespace, "one", revision=1, timeout_s=30)
    assert side.newest.status == "deployed"


def test_a_pending_operation_is_a_conflict_but_can_be_rolled_back(side: Side, objects: Objects) -> None:
    """As a helm that was killed leaves it: the newest revision is still pending."""
    (record,) = objects.reader.list(live.Kind("", "Secret"), side.namespace, "owner=helm,version=1")
    said = json.loads(_unpacked(record.document["data"]["release"]))
    said |= {"version": 2, "info": {**said["info"], "status": "pending-upgrade"}}
    labels = {"owner": "helm", "name": "one", "version": "2", "status": "pending-upgrade"}
    metadata = {"name": "sh.helm.release.v1.one.v2", "namespace": side.namespace, "labels": labels}
    packed = base64.b64encode(base64.b64encode(json.dumps(said).encode())).decode()
    secret = {"apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1", "metadata": metadata}
    objects.writer.apply({**secret, "data": {"release": packed}})
    assert side.newest.status == "pending-upgrade"
    with pytest.raises(Conflict):
        side.upgrade()
    side.writer.rollback(side.namespace, "one", revision=1, timeout_s=30)
    history = side.reader.history(side.namespace, "one")
    assert [one.status for one in history] == ["superseded", "pending-upgrade", "deployed"]
    assert side.upgrade().revision == 4


def _unpacked(text: str) -> bytes:
    from addonctl.adapters import helm

    return helm.unpacked(text)


def test_somebody_elses_object_is_a_conflict(side: Side, objects: Objects) -> None:
    objects.writer.delete(objects.ref("one"))
    objects.writer.apply(objects.config_map("one", greeting="mine"), manager="somebody")
    with pytest.raises(Conflict):
        side.upgrade()
    assert objects.reader.get(objects.ref("one")).document["data"] == {"greeting": "mine"}


# ── Of the program alone ────────────────────────────────────────────────────────────────────────────────────────

_SPY = """\
#!/bin/sh
for word in "$@"; do
  echo "$word" >>"{log}"
  file="${{word#--values=}}"
  if [ "$file" != "$word" ]; then
    stat -c 'mode %a' "$file" "$(dirname "$file")" >>"{log}"
    echo "$file" >"{log}.file"
  fi
done
env >>"{log}"
exec {program} "$@"
"""


@REAL
def test_no_value_stands_in_a_command_line_or_stays_behind(side: Side, api: Api, tmp_path: Path) -> None:
    log = tmp_path / "log"
    spy = tmp_path / "spy"
    spy.write_text(_SPY.format(log=log, program=program()))
    spy.chmod(0o755)
    writer = HelmBinary(side.reader, api.kubeconfig, "bare", str(spy))
    for chart in ("greeter-2.0.0", "broken"):
        try:
            writer.upgrade(
                side.namespace, "one", chart=str(side.charts / chart), version="", values=VALUES, timeout_s=30
            )
        except Invalid:
            assert chart == "broken"
        said = log.read_text()
        assert "--reset-values" in said
        assert SECRET not in said
        assert "mode 600\nmode 700\n" in said
        assert not Path((tmp_path / "log.file").read_text().strip()).parent.exists()


def test_helm_acts_as_the_same_user(tmp_path: Path) -> None:
    spy, log = tmp_path / "spy", tmp_path / "log"
    spy.write_text(f'#!/bin/sh\necho "$@" >> {log}\necho v3.19.0\n')
    spy.chmod(0o755)
    writer = HelmBinary(HelmSecrets(None), None, "", str(spy), acting_as=("bob", ("ops", "dev")))  # type: ignore[arg-type]
    writer.uninstall("a", "b", timeout_s=5)
    assert "--kube-as-user=bob --kube-as-group=ops --kube-as-group=dev" in log.read_text()


@REAL
def test_merging_on_the_clients_side_leaves_what_no_chart_sets_and_refuses_nothing(
    side: Side, api: Api, objects: Objects
) -> None:
    """As Helm 3 does it, and Helm 4 with the releases of Helm 3: whose a field is counts for nothing."""
    chart = str(side.charts / "never-ready")
    install = [program(), "install", "two", chart, "--server-side=false", f"--namespace={side.namespace}"]
    subprocess.run([*install, f"--kubeconfig={api.kubeconfig}"], check=True, timeout=60, capture_output=True)
    ref = ObjectRef(kind="Deployment", name="two", namespace=side.namespace, group="apps")
    patched = {"containers": [{"name": "x", "image": "registry.local/other:1"}]}
    objects.writer.patch(ref, {"spec": {"paused": True, "minReadySeconds": 7, "template": {"spec": patched}}})
    done = side.writer.upgrade(side.namespace, "two", chart=chart, version="", values={}, timeout_s=30, wait=False)
    assert done.status == "deployed"
    spec = objects.reader.get(ref).document["spec"]
    assert (spec["paused"], spec["minReadySeconds"]) == (True, 7)
    assert spec["template"]["spec"]["containers"][0]["image"] == "registry.local/none:1"
    side.writer.uninstall(side.namespace, "two", timeout_s=30)


@REAL
def test_the_environment_leads_to_no_other_cluster(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "HELM_KUBEAPISERVER": "https://127.0.0.1:9",
        "HELM_KUBECONTEXT": "other",
        "HELM_NAMESPACE": "other",
        "HELM_KUBETOKEN": "other",
        "HELM_DRIVER": "memory",
        "HELM_DEBUG": "true",
        "KUBECONFIG": "/dev/null",
    }.items():
        monkeypatch.setenv(name, value)
    assert side.upgrade().revision == 2
    assert side.newest.revision == 2


@REAL
def test_helm_has_to_be_there_and_known(side: Side, api: Api, tmp_path: Path) -> None:
    odd = tmp_path / "odd"
    for text, words in (("echo v2.17.0", "is helm v2.17.0"), ("exit 0", "no version")):
        odd.write_text(f"#!/bin/sh\n{text}\n")
        odd.chmod(0o755)
        with pytest.raises(BadInput, match=words):
            HelmBinary(side.reader, api.kubeconfig, program=str(odd)).uninstall(side.namespace, "one", timeout_s=1)
    with pytest.raises(BadInput, match="cannot be run"):
        HelmBinary(side.reader, api.kubeconfig, program=str(tmp_path / "none")).uninstall("a", "b", timeout_s=1)


@REAL
@pytest.mark.parametrize("chart", ["--kubeconfig=/dev/null", "oci://me:hunter2@registry.example/chart"])
def test_a_chart_is_no_option_and_holds_no_credentials(side: Side, chart: str) -> None:
    with pytest.raises(BadInput) as error:
        side.upgrade(chart=chart)
    assert "hunter2" not in str(error.value)


@REAL
def test_a_server_that_is_not_there(side: Side, api: Api, tmp_path: Path) -> None:
    config = json.loads(api.kubeconfig.read_text()) if api.compact else pytest.skip("not with a cluster's kubeconfig")
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:9"
    (tmp_path / "kubeconfig").write_text(json.dumps(config))
    writer = HelmBinary(side.reader, tmp_path / "kubeconfig", program=program())
    with pytest.raises(NotReachable):
        writer.uninstall(side.namespace, "one", timeout_s=1)
    assert side.newest.status == "deployed"


@REAL
def test_a_record_that_cannot_be_read_is_named_and_not_quoted(side: Side, objects: Objects) -> None:
    labels = {"owner": "helm", "name": "odd", "version": "1"}
    name = "sh.helm.release.v1.odd.v1"
    metadata = {"name": name, "namespace": side.namespace, "labels": labels}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"release": SECRET}}
    objects.writer.apply(secret)
    with pytest.raises(Broken, match=r"sh\.helm\.release\.v1\.odd\.v1") as error:
        side.reader.history(side.namespace, "odd")
    assert SECRET not in str(error.value)
    objects.writer.delete(ObjectRef(kind="Secret", name=name, namespace=side.namespace))


@REAL
def test_temporary_files_are_private(side: Side) -> None:
    """The umask of whoever calls makes no difference."""
    from addonctl.adapters import helm_binary

    before = os.umask(0)
    try:
        with helm_binary._in_a_file(VALUES) as path:
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    finally:
        os.umask(before)
    assert not path.parent.exists()
