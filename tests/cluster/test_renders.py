"""Real renders, applied to a real API server and read back: what is in them is found, nothing else is.

Only objects that addonctl reads are applied, by server-side apply; webhooks are told to ignore that nothing serves
them. Renders of one add-on are kept apart, so that what the one before left to be deleted is gone.
"""

import gzip
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import urllib3
import yaml

from addonctl.adapters import api_reader, yaml_loader
from addonctl.adapters.decoders import KINDS
from addonctl.adapters.decoding import Decoder
from addonctl.catalog import Catalog
from addonctl.inventory import take_inventory
from addonctl.model import View
from tests.adapters.test_real_manifests import RECOGNISED_MIN, VERSION_MIN, Tally, judge, known_to
from tests.builders import NOW
from tests.cluster.cluster import ADMIN_TOKEN, Cluster

_PATHS = {
    (kind.group, kind.kind): f"{f'apis/{kind.group}' if kind.group else 'api'}/{kind.of.versions[0]}" for kind in KINDS
}
_PLURALS = {(kind.group, kind.kind): kind.of.plural for kind in KINDS}
_CLUSTER_WIDE = frozenset(
    {
        "Namespace",
        "Node",
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "APIService",
        "CSIDriver",
        "StorageClass",
        "IngressClass",
        "PersistentVolume",
        "MutatingWebhookConfiguration",
        "VolumeSnapshotClass",
        "ValidatingWebhookConfiguration",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
    }
)
_NOT_APPLIED = frozenset({"Pod", "Secret", "Node", "APIService", "Event", "Lease"})


class Api:
    """Applies and deletes objects over HTTP, several at once."""

    def __init__(self, cluster: Cluster) -> None:
        self._http = urllib3.PoolManager(maxsize=8, ca_certs=str(cluster.ca_file))
        self._server, self._namespaces = cluster.server, {"default", "kube-system"}
        self.refused: list[str] = []

    def __call__(self, method: str, path: str, body: dict[str, Any] | None = None) -> int:
        headers = {"Authorization": f"Bearer {ADMIN_TOKEN}", "Content-Type": "application/apply-patch+yaml"}
        answer = self._http.request(
            method, f"{self._server}/{path}", headers=headers, body=json.dumps(body) if body else None
        )
        if answer.status >= 400 and method == "PATCH":
            self.refused.append(f"{path.partition('?')[0]}: {answer.data[:300].decode(errors='replace')}")
        return int(answer.status)

    def apply(self, document: dict[str, Any], path: str) -> None:
        for _ in range(30):  # a custom resource waits until its CRD is served
            if self("PATCH", f"{path}?fieldManager=kubectl&force=true", document) != 404:
                return
            refused = self.refused.pop()
            time.sleep(0.1)
        self.refused.append(refused)

    def namespace(self, name: str) -> None:
        if name not in self._namespaces:
            self._namespaces.add(name)
            document = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            self.apply(document, f"api/v1/namespaces/{name}")


def objects(path: Path) -> Iterator[dict[str, Any]]:
    for document in yaml.load_all(gzip.decompress(path.read_bytes()), Loader=yaml_loader.usual()):
        if isinstance(document, dict):
            yield from document["items"] if str(document.get("kind", "")).endswith("List") else (document,)


def placed(documents: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(path, object) for each that is applied."""
    custom = {
        (d["spec"]["group"], d["spec"]["names"]["kind"]): d["spec"]["names"]["plural"]
        for d in documents
        if d.get("kind") == "CustomResourceDefinition"
    }
    for document in documents:
        group, _, version = str(document.get("apiVersion", "")).rpartition("/")
        key, meta = (group, document.get("kind", "")), document.get("metadata") or {}
        if not meta.get("name") or key[1] in _NOT_APPLIED:
            continue
        for hook in document.get("webhooks") or ():
            hook["failurePolicy"] = "Ignore"
        if key in _PATHS and _PATHS[key].endswith(f"/{version}"):
            root, plural = _PATHS[key], _PLURALS[key]
        elif key in custom:
            root, plural = f"apis/{group}/{version}", custom[key]
        else:
            continue
        where = "" if key[1] in _CLUSTER_WIDE else f"namespaces/{meta.get('namespace', 'default')}/"
        yield f"{root}/{where}{plural}/{meta['name']}", document


def spread(index: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Round-robin over the add-ons: two renders of one are never next to each other."""
    by_addon: dict[str, list[dict[str, Any]]] = {}
    for entry in index:
        by_addon.setdefault(entry["file"].partition("/")[0], []).append(entry)
    longest = max(map(len, by_addon.values()))
    return [entries[turn] for turn in range(longest) for entries in by_addon.values() if turn < len(entries)]


@pytest.mark.parametrize(
    "share", [pytest.param(8, id="every eighth"), pytest.param(1, id="all", marks=pytest.mark.prove)]
)
def test_renders_are_recognised_when_read_back(
    api_server: Cluster, shared_data: Path, catalog: Catalog, capsys: pytest.CaptureFixture[str], share: int
) -> None:
    api, tally = Api(api_server), Tally()
    connection = api_reader.connect(None, str(api_server.kubeconfig))
    with ThreadPoolExecutor(8) as pool:
        index = json.loads((shared_data / "manifests" / "index.json").read_text())
        for entry in spread(index)[::share]:
            paths = list(placed(list(objects(shared_data / "manifests" / entry["file"]))))
            for _, document in paths:
                api.namespace(document["metadata"].get("namespace", "default"))
            ordered = sorted(paths, key=lambda pair: pair[1]["kind"] != "CustomResourceDefinition")
            first = [pair for pair in ordered if pair[1]["kind"] == "CustomResourceDefinition"]
            list(pool.map(lambda pair: api.apply(pair[1], pair[0]), first))
            list(pool.map(lambda pair: api.apply(pair[1], pair[0]), ordered[len(first) :]))
            snapshot = api_reader.read(connection, Decoder(catalog), now=NOW)
            live = replace(snapshot, crds=tuple(crd for crd in snapshot.crds if not crd.deleting))
            judge(tally, entry, list(take_inventory(View(live), catalog).installations), known_to(index))
            gone = [path for path, document in reversed(ordered) if document["kind"] != "Namespace"]
            list(pool.map(lambda path: api("DELETE", f"{path}?propagationPolicy=Background"), gone))
    recognised = 1 - len(tally.missed) / tally.expected
    right = 1 - len(tally.wrong) / tally.versions
    with capsys.disabled():
        print(
            f"\nrenders applied and read back: recognised {recognised:.3f} of {tally.expected}, "
            f"version right {right:.3f} of {tally.versions}, not there {len(tally.extra)}, "
            f"objects the server refused {len(api.refused)}"
        )
        for kind in ("missed", "wrong", "extra"):
            print("".join(f"  {kind}: {line}\n" for line in getattr(tally, kind)), end="")
        print("".join(f"  refused: {line}\n" for line in sorted(set(api.refused))[:10]), end="")
    assert recognised >= RECOGNISED_MIN
    assert right >= VERSION_MIN
    assert not tally.extra
