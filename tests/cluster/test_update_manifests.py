"""Updates of real add-ons that somebody applied as manifests, by the production code: taken up, or put back.

CoreDNS was applied by kubectl without --server-side, Gatekeeper with it: CRDs, webhooks, a Secret that its own
controller fills.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from addonctl.adapters.checkpoints import CheckpointFolder
from addonctl.adapters.manifest_files import ManifestFiles
from addonctl.apps import wiring
from addonctl.model import ObjectRef, live
from addonctl.model.plan import Plan
from addonctl.model.run import Phase, Run
from addonctl.plan import update_plan
from tests.cluster import build
from tests.cluster.addons import MANIFESTS, gatekeeper_manifests
from tests.cluster.cluster import Cluster
from tests.cluster.lab import GATEKEEPER_IMAGE
from tests.cluster.updates import as_told, driven, objects_of

_WAS, _NEWER = build.COREDNS
_NOT_BUILT = "v1.99.0"
_GATEKEEPER_NEWER = "v3.24.0"
_COREDNS = ObjectRef(kind="Deployment", name="coredns", namespace="kube-system", group="apps")
_ADDED = """
---
apiVersion: v1
kind: ConfigMap
metadata: {name: coredns-more, namespace: kube-system, labels: {k8s-app: kube-dns}}
data: {of: the new version}
"""


@pytest.fixture
def coredns(cluster: Cluster, tmp_path: Path) -> Iterator[str]:
    """The manifest of CoreDNS, which was applied on the client's side."""
    manifest = (MANIFESTS / "coredns.yaml").read_text()
    cluster.kubectl("apply", "-f", "-", stdin=manifest)
    yield manifest
    cluster.apply(manifest)
    # Nothing points to it, so nobody can tell that it is one of CoreDNS's objects, which go with its manifests.
    cluster.kubectl("delete", "--ignore-not-found", "-f", "-", stdin=_ADDED)


def planned(cluster: Cluster, addon: str, version: str, manifest: str, folder: Path) -> Plan:
    """The planner's plan, but for the time that each wave is watched."""
    path = folder / f"{addon}-{version}.yaml"
    path.write_text(manifest)
    manager = wiring.open_manager(kubeconfig=str(cluster.kubeconfig))
    given = ManifestFiles().read(str(path))
    plan = update_plan(manager.assess(), manager.catalog, addon, version, manager.clock.now(), given)
    return replace(plan, steps=tuple(replace(step, soak_s=4) for step in plan.steps))


def updated(cluster: Cluster, plan: Plan, folder: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    run = driven(cluster, plan, folder / "checkpoints")
    with capsys.disabled():
        print(f"\n{as_told(run)}\n{run.served}")
    return run


def found(cluster: Cluster, refs: tuple[ObjectRef, ...]) -> dict[ObjectRef, dict[str, Any]]:
    objects = objects_of(cluster)
    return {ref: live.normalised(objects.get(ref).document) for ref in refs}


def refs_of(manifest: str) -> tuple[ObjectRef, ...]:
    return tuple(live.Object(each).ref for each in yaml.safe_load_all(manifest) if each)


def owners_of(cluster: Cluster, ref: ObjectRef) -> set[tuple[str, str]]:
    entries = objects_of(cluster).get(ref).metadata.get("managedFields") or ()
    return {(each["manager"], each["operation"]) for each in entries if each.get("subresource") != "status"}


@pytest.mark.prove
def test_coredns_is_updated_wave_by_wave_and_back_again(
    cluster: Cluster, coredns: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = found(cluster, refs_of(coredns))
    newer = coredns.replace(_WAS, _NEWER) + _ADDED
    run = updated(cluster, planned(cluster, "coredns", _NEWER, newer, tmp_path), tmp_path, capsys)
    assert run.phase is Phase.UPDATED, as_told(run)
    (container,) = objects_of(cluster).get(_COREDNS).document["spec"]["template"]["spec"]["containers"]
    assert container["image"] == build.coredns_image(_NEWER)
    assert (live.FIELD_MANAGER, "Update") not in owners_of(cluster, _COREDNS)
    cluster.kubectl("apply", "-f", "-", stdin=newer)  # who applied it by hand can go on
    back = planned(cluster, "coredns", _WAS, coredns, tmp_path)
    run = updated(cluster, back, tmp_path, capsys)
    assert run.phase is Phase.UPDATED, as_told(run)
    assert found(cluster, refs_of(coredns)) == before


@pytest.mark.prove
def test_a_version_whose_image_is_not_there_is_put_back(
    cluster: Cluster, coredns: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, owned = found(cluster, refs_of(coredns)), owners_of(cluster, _COREDNS)
    bad = coredns.replace(_WAS, _NOT_BUILT) + _ADDED
    run = updated(cluster, planned(cluster, "coredns", _NOT_BUILT, bad, tmp_path), tmp_path, capsys)
    assert run.phase is Phase.ROLLED_BACK, as_told(run)
    assert found(cluster, refs_of(coredns)) == before
    assert owners_of(cluster, _COREDNS) == owned
    assert "coredns-more" not in cluster.kubectl("-n", "kube-system", "get", "configmaps", "-o", "name")


@pytest.mark.prove
def test_a_version_whose_corefile_is_rejected_is_put_back_with_its_corefile(
    cluster: Cluster, coredns: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A right that it drops comes back as well."""
    refs = refs_of(coredns)
    before, owned = found(cluster, refs), {ref: owners_of(cluster, ref) for ref in refs}
    newer = coredns.replace(_WAS, _NEWER).replace("    errors\n", "    errors\n        federation\n", 1)
    bad = newer.replace("resources: [endpoints, services, pods, namespaces]", "resources: [services]", 1) + _ADDED
    assert bad.count("federation") == 1
    plan = planned(cluster, "coredns", _NEWER, bad, tmp_path)
    run = updated(cluster, plan, tmp_path, capsys)
    assert run.phase is Phase.ROLLED_BACK, as_told(run)
    held = CheckpointFolder(tmp_path / "checkpoints").load(run.checkpoints[0])
    assert set(refs) <= {each.ref for each in held.objects}
    beside = {
        each for each in refs if each.kind in ("ConfigMap", "ClusterRole", "ClusterRoleBinding", "ServiceAccount")
    }
    assert beside <= set(held.applied or ())
    assert found(cluster, refs) == before
    assert {ref: owners_of(cluster, ref) for ref in refs} == owned
    assert "coredns-more" not in cluster.kubectl("-n", "kube-system", "get", "configmaps", "-o", "name")


@pytest.mark.prove
def test_gatekeeper_with_its_kinds_and_webhooks(
    cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = gatekeeper_manifests()
    cluster.name_image(f"{GATEKEEPER_IMAGE}:{build.GATEKEEPER}", f"{GATEKEEPER_IMAGE}:{_GATEKEEPER_NEWER}")
    before = found(cluster, refs_of(manifest))
    for version in (_GATEKEEPER_NEWER, build.GATEKEEPER):
        given = manifest.replace(build.GATEKEEPER, version)
        plan = planned(cluster, "gatekeeper", version, given, tmp_path)
        run = updated(cluster, plan, tmp_path, capsys)
        assert run.phase is Phase.UPDATED, as_told(run)
    assert found(cluster, refs_of(manifest)) == before
    cluster.apply(manifest)
