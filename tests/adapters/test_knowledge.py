"""The packaged facts are whole, point to each other, and say where they come from."""

from decimal import Decimal
from importlib import resources

import pytest
import yaml

from addonctl.adapters import knowledge, yaml_loader
from addonctl.catalog import AddOn, Catalog, Kubernetes, Meets, Role

FOLDER = resources.files("addonctl") / "data" / "addons"
FILES = sorted(file.name for file in FOLDER.iterdir() if file.name.endswith(".yaml"))


def test_all_addons_are_there(catalog: Catalog) -> None:
    assert len(FILES) == 57
    assert [f"{addon}.yaml" for addon in sorted(catalog.addons)] == FILES


@pytest.mark.parametrize("name", FILES)
def test_a_file_has_no_key_that_nobody_reads(name: str) -> None:
    text = (FOLDER / name).read_text()
    assert knowledge.unknown_keys(yaml.load(text, Loader=yaml_loader.plain()), AddOn) == []
    assert "(memory)" not in text
    assert "(inference)" not in text


def test_the_calendar_has_no_key_that_nobody_reads() -> None:
    text = (resources.files("addonctl") / "data" / "kubernetes.yaml").read_text()
    assert knowledge.unknown_keys(yaml.load(text, Loader=yaml_loader.plain()), Kubernetes) == []


def test_notes_on_upgrades_say_what_and_where_it_was_said(catalog: Catalog) -> None:
    notes = [(entry.id, note) for entry in catalog.addons.values() for note in entry.upgrade_notes]
    assert len(notes) > 100
    for addon, note in notes:
        assert note.source, addon
        assert note.what, addon
        assert not note.what.endswith("."), f"{addon}: it is said in a sentence"
        anywhere = note.versions.lowest is None
        assert not anywhere or note.meets is Meets.RETURNS, f"{addon}: which versions?"
        ends = note.versions.highest is not None
        assert ends or note.meets in (Meets.REACHES, Meets.RETURNS), f"{addon}: nobody lands or jumps without an end"
    assert len(set(notes)) == len(notes)


def test_a_key_that_nobody_reads_is_found() -> None:
    facts = {"id": "a", "fingerprints": {"image": []}, "kubernetes": [{"version": "*"}]}
    assert knowledge.unknown_keys(facts, AddOn) == ["$.fingerprints.image", "$.kubernetes[0].version"]


def test_references_point_to_addons(catalog: Catalog) -> None:
    for addon in catalog.addons.values():
        named = [*addon.bundles, *(conflict.addon for conflict in addon.conflicts)]
        named += [name for need in addon.requires for name in (need.addon, *need.alternatives)]
        assert {name for name in named if name} <= catalog.addons.keys()
        assert addon.fingerprints.images
        assert addon.version
        assert addon.source


def test_one_image_makes_one_addon(catalog: Catalog) -> None:
    owners: dict[str, str] = {}
    for addon in catalog.addons.values():
        for image in addon.fingerprints.images:
            if image.role is Role.CORE:
                assert owners.setdefault(image.path, addon.id) == addon.id


def test_names_mean_one_addon(catalog: Catalog) -> None:
    """By catalog id, by EKS name, by chart."""
    for name in ("aws-vpc-cni", "vpc-cni", "aws-node", "chainguard_aws-vpc-cni-fips"):
        found = catalog.find(name)
        assert found is not None
        assert found.id == "aws-vpc-cni"
    assert catalog.find("nothing") is None
    assert catalog.eks_name("adot-operator") == "adot"


def test_ranges_stand_from_the_newest_to_the_oldest(catalog: Catalog) -> None:
    """The first that covers a version answers, and the oldest is the last."""
    for addon in catalog.addons.values():
        lowest = [row.versions.lowest for row in addon.kubernetes]
        assert lowest == sorted(lowest, key=lambda bound: bound or (), reverse=True), addon.id


def test_signs_of_conflicts_are_of_settings_that_are_read(catalog: Catalog) -> None:
    signs = [conflict.seen for addon in catalog.addons.values() for conflict in addon.conflicts if conflict.seen]
    assert len(signs) == 12
    for sign in signs:
        config_map, _, key = sign.setting.rpartition("/")
        kept = [addon.config_maps[config_map] for addon in catalog.addons.values() if config_map in addon.config_maps]
        assert not sign.setting or any(key in keys for keys in kept), sign.setting


def test_components_are_known_to_the_skew_policy(catalog: Catalog) -> None:
    named = {addon.component: addon.id for addon in catalog.addons.values() if addon.component}
    assert named == {"kube-proxy": "kube-proxy"}
    assert catalog.kubernetes.skew_rule("kube-proxy") is not None
    assert catalog.kubernetes.skew_rule("kube-proxy", "kubelet") is not None


def test_money_is_exact(catalog: Catalog) -> None:
    known = catalog.kubernetes
    assert (known.standard_usd_per_hour, known.extended_usd_per_hour) == (Decimal("0.10"), Decimal("0.60"))


def test_every_eks_addon_of_aws_and_community_is_in_the_table(catalog: Catalog) -> None:
    for addon in catalog.addons.values():
        if addon.install.eks:
            assert addon.install.eks.name in catalog.eks.addons
