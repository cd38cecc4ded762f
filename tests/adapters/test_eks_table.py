"""AWS's table: what DescribeAddonVersions said and what the packaged file says are equal, cell by cell."""

import gzip
import json
from datetime import date
from pathlib import Path

import pytest

from addonctl.adapters import eks_table
from addonctl.catalog import Answer, Catalog, EksTable
from addonctl.errors import BadInput, NotReachable
from addonctl.versions import Minor, Version
from tests.builders import small_catalog


def test_every_cell_is_equal(shared_data: Path, catalog: Catalog) -> None:
    cells = 0
    for path in sorted((shared_data / "eks" / "addon-versions").iterdir()):
        info = json.loads(gzip.decompress(path.read_bytes()))
        listed = catalog.eks.addons[info["addonName"]]
        assert listed.type == info["type"]
        assert [str(entry.version) for entry in listed.versions] == [
            one["addonVersion"] for one in info["addonVersions"]
        ]
        for entry, source in zip(listed.versions, info["addonVersions"], strict=True):
            assert list(entry.architectures) == source["architecture"]
            assert list(entry.compute_types) == source["computeTypes"]
            assert entry.requires_configuration is source["requiresConfiguration"]
            assert entry.requires_iam is source["requiresIamPermissions"]
            assert len(entry.kubernetes) == len(source["compatibilities"])
            for cell in source["compatibilities"]:
                minor = Minor.of(cell["clusterVersion"])
                assert entry.kubernetes[minor] == ",".join(cell["platformVersions"])
                assert (minor in entry.default_for) is cell["defaultVersion"]
                cells += 1
    assert cells == 9524
    assert len(catalog.eks.addons) == 84


def test_answers_are_those_of_the_table(catalog: Catalog) -> None:
    """`check` says yes for every cell, no for every listed version elsewhere, unknown for what AWS never listed."""
    cells = 0
    minors = sorted({minor for addon in catalog.eks.addons.values() for minor in addon.minors})
    for addon in catalog.eks.addons.values():
        for entry in addon.versions:
            for minor in minors:
                expected = Answer.YES if minor in entry.kubernetes else Answer.NO
                assert catalog.check(addon.name, entry.version, minor).answer is expected
                cells += expected is Answer.YES
        assert catalog.check(addon.name, Version.of("v99.0.0-eksbuild.1"), Minor(1, 35)).answer is Answer.UNKNOWN
    assert cells == 9524


def test_a_saved_table_is_read_back(tmp_path: Path) -> None:
    table = small_catalog().eks
    path = eks_table.save(table, tmp_path)
    assert eks_table.cached(tmp_path) == table
    assert path.read_bytes() == eks_table.save(table, tmp_path).read_bytes()
    assert eks_table.cached(tmp_path / "nowhere") is None


def test_a_damaged_table_is_named(tmp_path: Path) -> None:
    (tmp_path / eks_table.FILE_NAME).write_bytes(gzip.compress(b"{}")[:-4])
    with pytest.raises(BadInput, match="is damaged"):
        eks_table.cached(tmp_path)


def test_an_addon_in_pieces_is_joined() -> None:
    """A filtered or paged answer may bring one add-on twice."""
    piece = {"addonName": "a", "type": "t", "addonVersions": [{"addonVersion": "v1.0.0-eksbuild.1"}]}
    joined = eks_table.from_describe([piece, piece | {"addonVersions": [{"addonVersion": "v2.0.0-eksbuild.1"}]}])
    assert [str(entry.version) for entry in joined["a"].versions] == ["v1.0.0-eksbuild.1", "v2.0.0-eksbuild.1"]
    EksTable(as_of=date(2026, 1, 1), source="", region="", addons=joined)


def test_a_version_that_cannot_be_read_is_refused_by_its_text() -> None:
    piece = {"addonName": "a", "addonVersions": [{"addonVersion": "newest"}]}
    with pytest.raises(BadInput, match="'newest' cannot be read as a version"):
        eks_table.from_describe([piece])


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """Root writes everywhere: here a file stands where the folder should."""
    (tmp_path / "cache").write_text("no folder")
    with pytest.raises(NotReachable, match=r"cache/addon-versions.json.gz cannot be written: ") as error:
        eks_table.save(small_catalog().eks, tmp_path / "cache")
    assert "ADDONCTL_CACHE_DIR" in error.value.fix
