"""Manifests on disk: every field of every object, in order, or an error that quotes nothing secret."""

from pathlib import Path

import pytest

from addonctl.adapters.manifest_files import ManifestFiles
from addonctl.errors import BadInput

_TWO = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: one, namespace: shop}
data: {day: "2026-01-01", made: 2026-01-01, operator: "="}
---
# nothing here
---
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Secret, metadata: {name: two, namespace: shop}, stringData: {password: hunter2-hunter2}}
"""
_CRD = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.org}
spec:
  versions:
  - name: v1
    schema:
      openAPIV3Schema:
        type: object
"""


def test_all_objects_in_their_order_and_none_of_their_fields_missing(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text(_TWO)
    (tmp_path / "a.yaml").write_text(_CRD)
    found = ManifestFiles().read(str(tmp_path))
    assert [each.ref.name for each in found.documents] == ["things.example.org", "one", "two"]
    crd, config, secret = (each.document for each in found.documents)
    assert crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"] == {"type": "object"}
    assert config["data"] == {"day": "2026-01-01", "made": "2026-01-01", "operator": "="}
    assert secret["stringData"] == {"password": "hunter2-hunter2"}
    assert "hunter2" not in repr(found)


def test_the_hash_is_of_all_that_was_read(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(_TWO)
    first = ManifestFiles().read(str(file)).sha256
    assert ManifestFiles().read(str(file)).sha256 == first
    file.write_text(_TWO.replace("hunter2-hunter2", "hunter3"))
    assert ManifestFiles().read(str(file)).sha256 != first


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [", "document 1 is no YAML"),
        ("password: hunter2-hunter2", "is no Kubernetes object"),
        ("apiVersion: v1\nkind: Secret\nmetadata: {}", "has no name"),
        ("# nothing", "no Kubernetes object in it"),
    ],
)
def test_what_cannot_be_read_whole_is_not_read(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(BadInput, match=says) as error:
        ManifestFiles().read(str(tmp_path / "a.yaml"))
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize("path", ["-", "/nowhere/at/all"])
def test_what_is_not_there_the_second_time(path: str) -> None:
    with pytest.raises(BadInput):
        ManifestFiles().read(path)
