"""Every API version that Kubernetes ends: found in a file and in a Helm release, with what to write instead."""

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from addonctl.adapters.decoding import Decoder
from addonctl.adapters.sources import manifests
from addonctl.catalog import ApiRemoval, Catalog
from addonctl.compatibility import KubernetesStatus, Support
from addonctl.compatibility.api_deprecations import api_findings
from addonctl.model import Finding, Snapshot, View
from addonctl.render.commands import fix_text
from addonctl.versions import Minor
from tests.builders import NOW

_FAR = Minor(1, 99)  # further than any removal in the table


def document(api_version: str, kind: str) -> dict[str, Any]:
    """The least object of a kind: what it is, and its name."""
    body: dict[str, Any] = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "planted"}}
    if kind in ("RoleBinding", "ClusterRoleBinding"):
        body["roleRef"] = {"kind": "ClusterRole", "name": "view"}
    if kind == "Event":
        body |= {"type": "Warning", "involvedObject": {"kind": "Pod", "name": "p"}}
    return body


def release(manifest: dict[str, Any]) -> dict[str, Any]:
    """Helm's record of a release with one object."""
    record = {
        "name": "app",
        "namespace": "shop",
        "version": 1,
        "info": {"status": "deployed"},
        "manifest": "---\n" + json.dumps(manifest),
    }
    packed = base64.b64encode(gzip.compress(json.dumps(record).encode()))
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "helm.sh/release.v1",
        "metadata": {"name": "sh.helm.release.v1.app.v1", "namespace": "shop", "labels": {"owner": "helm"}},
        "data": {"release": base64.b64encode(packed).decode()},
    }


def read(path: Path, body: dict[str, Any], catalog: Catalog) -> Snapshot:
    path.write_text(json.dumps(body))
    return manifests.read([str(path)], Decoder(catalog), taken=NOW, name="planted")


def found(snapshot: Snapshot, catalog: Catalog, running: Minor, target: Minor = _FAR) -> list[Finding]:
    status = KubernetesStatus(running=running, targets=(target,), support=Support.UNKNOWN)
    return list(api_findings(View(snapshot), catalog, status))


def minor_before(minor: Minor) -> Minor:
    return Minor(minor.major, minor.minor - 1)


def removals(catalog: Catalog) -> list[ApiRemoval]:
    # `*` stands for every kind of a file format; any will do.
    return [r for r in catalog.kubernetes.removals if r.kind != "*"]


@pytest.mark.parametrize("where", ["file", "helm"])
def test_every_one_is_found_with_its_replacement(
    tmp_path: Path, catalog: Catalog, where: str, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = []
    for removal in removals(catalog):
        planted = document(removal.api_version, removal.kind)
        snapshot = read(tmp_path / "a.json", planted if where == "file" else release(planted), catalog)
        ends = removal.removed_in or removal.deprecated_in
        assert ends is not None
        before, after = found(snapshot, catalog, minor_before(ends), ends), found(snapshot, catalog, ends, ends)
        wanted = catalog.kubernetes.replacement(removal, ends)
        expected = "API001" if removal.removed_in else "API003"
        if [f.code for f in after] != [expected] or [f.code for f in before] not in (["API002"], ["API003"]):
            wrong.append(f"{removal.api_version} {removal.kind}: {[f.code for f in before]}, {[f.code for f in after]}")
        elif (wanted or "no replacement") not in fix_text(after[0]):
            wrong.append(f"{removal.api_version} {removal.kind}: {fix_text(after[0])!r} does not name {wanted!r}")
    with capsys.disabled():
        total = len(removals(catalog))
        print(f"\nAPI versions that end, in a {where}: {total - len(wrong)} of {total} found with the replacement")
    assert wrong == []


def test_a_replacement_does_not_end_itself(catalog: Catalog) -> None:
    """Following the table never leads from one dead end into another, at the newest minor that it knows."""
    newest = max(r.removed_in for r in removals(catalog) if r.removed_in)
    for removal in removals(catalog):
        written = catalog.kubernetes.replacement(removal, newest)
        following = catalog.kubernetes.removal(written, removal.kind) if written else None
        assert following is None or not following.replacement, f"{removal.api_version} {removal.kind} → {written}"


def test_the_same_kinds_in_their_newest_versions_are_silent(tmp_path: Path, catalog: Catalog) -> None:
    for removal in removals(catalog):
        newest = catalog.kubernetes.replacement(removal, _FAR)
        if not newest or catalog.kubernetes.removal(newest, removal.kind):
            continue
        planted = document(newest, removal.kind)
        for body in (planted, release(planted)):
            assert found(read(tmp_path / "a.json", body, catalog), catalog, Minor(1, 36)) == [], (
                f"{newest} {removal.kind}"
            )
