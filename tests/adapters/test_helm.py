"""Helm's release records: what is read of one, and which of a release's revisions counts."""

import base64
import gzip
import itertools
import json
from datetime import UTC

from hypothesis import given
from hypothesis import strategies as st

from addonctl.adapters import helm
from addonctl.adapters.decoding import Decoder
from addonctl.adapters.sources import manifests
from addonctl.catalog import Catalog
from addonctl.model import HelmRelease, current_releases
from tests.builders import NOW

STATUSES = ("deployed", "superseded", "failed", "pending-upgrade", "pending-rollback", "uninstalled", "uninstalling")


def stored(
    revision: int, status: str, *, version: str = "", name: str = "kps", manifest: str = ""
) -> dict[str, object]:
    """A Secret as Helm writes it."""
    record = {
        "name": name,
        "namespace": "monitoring",
        "version": revision,
        "info": {"status": status},
        "chart": {"metadata": {"name": "kube-prometheus-stack", "version": version or f"{revision}.0.0"}},
        "manifest": manifest,
    }
    packed = base64.b64encode(gzip.compress(json.dumps(record).encode()))
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "helm.sh/release.v1",
        "data": {"release": base64.b64encode(packed).decode()},
        "metadata": {
            "name": f"sh.helm.release.v1.{name}.v{revision}",
            "namespace": "monitoring",
            "labels": {"owner": "helm", "status": status},
        },
    }


def record(revision: int, status: str) -> HelmRelease:
    secret = stored(revision, status)
    return helm.release_from_secret_data(secret["data"]["release"], namespace="monitoring")  # type: ignore[index]


def summary(release: HelmRelease) -> tuple[int, str, str, int | None]:
    return release.revision, release.status, release.chart_version, release.deployed_revision


def test_a_failed_upgrade_leaves_the_version_that_runs() -> None:
    for records in itertools.permutations((record(3, "superseded"), record(4, "deployed"), record(5, "failed"))):
        assert [summary(one) for one in current_releases(records)] == [(5, "failed", "4.0.0", 4)]


def test_a_dump_with_the_whole_history_gives_the_newest() -> None:
    history = [record(number, "superseded") for number in range(55, 65)]
    assert [summary(one) for one in current_releases([record(65, "deployed"), *history])] == [
        (65, "deployed", "65.0.0", 65)
    ]


def test_a_first_installation_that_failed_has_no_deployed_revision() -> None:
    assert [summary(one) for one in current_releases([record(1, "failed")])] == [(1, "failed", "1.0.0", None)]


def test_of_what_is_uninstalled_only_its_history_is_kept() -> None:
    (gone,) = current_releases([record(1, "superseded"), record(2, "uninstalled")])
    assert summary(gone) == (2, "uninstalled", "2.0.0", None)


@given(st.lists(st.tuples(st.integers(1, 9), st.sampled_from(STATUSES)), unique_by=lambda pair: pair[0], min_size=1))
def test_whatever_is_stored_there_is_one_release(revisions: list[tuple[int, str]]) -> None:
    """The newest revision's status, the newest deployed one's version, in whatever order they are met."""
    (one,) = current_releases([record(*pair) for pair in revisions])
    newest, status = max(revisions)
    deployed = [number for number, status in revisions if status == "deployed"]
    assert (one.revision, one.status) == (newest, status)
    running = max(deployed) if deployed and status != "uninstalled" else newest
    assert one.chart_version == f"{running}.0.0"


def test_releases_of_one_name_in_two_namespaces_are_two() -> None:
    from dataclasses import replace

    assert len(current_releases([record(1, "deployed"), replace(record(1, "deployed"), namespace="b")])) == 2


def test_files_give_one_release_each(tmp_path: object, catalog: Catalog) -> None:
    from pathlib import Path

    source = Path(str(tmp_path)) / "secrets.json"
    items = [stored(5, "failed"), stored(4, "deployed"), stored(1, "deployed", name="dns")]
    source.write_text(json.dumps({"kind": "List", "items": items}))
    snapshot = manifests.read([str(source)], Decoder(catalog), taken=NOW)
    assert [(one.name, *summary(one)) for one in snapshot.helm_releases] == [
        ("kps", 5, "failed", "4.0.0", 4),
        ("dns", 1, "deployed", "1.0.0", 1),
    ]


def test_a_name_that_unfolds_without_end_is_none() -> None:
    bomb = "a: &a [x, x]\n" + "".join(f"{b}: &{b} [*{a}, *{a}]\n" for a, b in itertools.pairwise("abcdefghijklmnop"))
    odd = f"kind: ConfigMap\napiVersion: v1\n{bomb}metadata: {{name: *p}}\n"
    secret = stored(1, "deployed", manifest=odd)
    assert helm.release_from_secret_data(secret["data"]["release"], namespace="m").objects == ()  # type: ignore[index]


def test_the_objects_of_a_list_count() -> None:
    listed = "apiVersion: batch/v1beta1\n  kind: CronJob\n  metadata: {name: nightly}"
    secret = stored(1, "deployed", manifest=f"apiVersion: v1\nkind: List\nitems:\n- {listed}\n- no object\n")
    release = helm.release_from_secret_data(secret["data"]["release"], namespace="a")  # type: ignore[index]
    assert [(item.api_version, item.kind, item.name) for item in release.objects] == [
        ("batch/v1beta1", "CronJob", "nightly")
    ]


def test_times_are_in_utc() -> None:
    """Helm writes the zone of whoever ran it."""
    when = helm.when("2026-03-01T09:30:00.123456789+05:30")
    assert when is not None
    assert (when.isoformat(), when.tzinfo) == ("2026-03-01T04:00:00.123456+00:00", UTC)
