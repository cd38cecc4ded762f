"""The contract of ports.Checkpoints, on a folder without a key and on one with."""

import json
import logging
import os
import stat
import subprocess
import sys
import tarfile
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addonctl import ports
from addonctl.adapters.checkpoints import CheckpointFolder, new_key
from addonctl.errors import BadInput, Broken, NotFound, NotReachable
from addonctl.model import live, owners
from addonctl.model.checkpoint import Checkpoint, SecretPrint, secret_print
from tests.builders import NOW

Store = Callable[[], ports.Checkpoints]
# One for each place that can hold a secret; none may show anywhere but in what load() returns.
CANARIES = {
    place: f"hunter2-{place}"
    for place in ("configuration", "values", "configmap", "secret", "crd", "custom", "manager", "annotation")
}


def manifest(kind: str, name: str, **more: Any) -> live.Object:
    metadata = {"name": name, "namespace": "kube-system", "resourceVersion": "7", "uid": f"u-{name}"}
    return live.Object({"apiVersion": "v1", "kind": kind, "metadata": metadata, **more})


SECRET = manifest("Secret", "creds", type="Opaque", data={"password": CANARIES["secret"]})


def full() -> Checkpoint:
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "issuers.cert-manager.io", "annotations": {"a": CANARIES["crd"]}},
        "status": {"storedVersions": ["v1alpha2", "v1"]},
    }
    return Checkpoint(
        cluster="prod-eu-1",
        installation="kube-system/coredns",
        addon="coredns",
        taken=NOW,
        owner=owners.ArgoApplication("argocd", "dns", auto_sync=True),
        eks=live.Addon(
            name="coredns",
            status="ACTIVE",
            version="v1.12.4-eksbuild.18",
            modified=NOW,
            identities=(live.Identity("coredns", "arn:aws:iam::123456789012:role/dns"),),
            configuration=f"# kept, with its comment\ncorefile: {CANARIES['configuration']}\n",
        ),
        helm=live.Release(
            namespace="kube-system",
            name="coredns",
            revision=4,
            status="deployed",
            chart="coredns",
            chart_version="1.45.0",
            values={"key": CANARIES["values"], "n": 1.50, "deep": [{"x": None}]},
        ),
        manager=manifest("Application", "dns", spec={"token": CANARIES["manager"]}),
        objects=(
            manifest("ConfigMap", "coredns", data={"Corefile": CANARIES["configmap"], "π": "\u0000😀"}),
            manifest("Service", "dns", metadata={"name": "dns", "annotations": {"k": CANARIES["annotation"]}}),
            SECRET,
        ),
        crds=(live.Object(crd),),
        custom_resources=(manifest("Issuer", "ca", spec={"vault": CANARIES["custom"], "large": 2**53 + 1}),),
    )


@pytest.fixture(params=["without a key", "with a key"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """Opens the same store anew, as another process would."""
    key = None
    if request.param == "with a key":
        key = tmp_path / "key"
        new_key(key)
    return lambda: CheckpointFolder(tmp_path / "state" / "checkpoints", key)


def files(tmp_path: Path) -> list[Path]:
    return sorted(path for path in (tmp_path / "state").rglob("*") if path.is_file())


def test_what_is_saved_is_loaded_to_the_letter(store: Store) -> None:
    entry = store().save(full())
    loaded = store().load(entry.id)
    kept = [one for one in loaded.objects if one.ref.kind != "Secret"]
    assert replace(loaded, secrets=(), objects=tuple(kept)) == replace(full(), objects=full().objects[:2])
    assert loaded.crds[0].stored_versions == ("v1alpha2", "v1")
    assert loaded.owner == full().owner
    assert isinstance(loaded.owner, owners.ArgoApplication)
    assert loaded.owner.auto_sync is True
    assert store().load(entry.id[:10]) == loaded


@pytest.mark.parametrize(
    "owner",
    [
        owners.EksAddon("coredns"),
        owners.HelmRelease("a", "b"),
        owners.FluxHelmRelease("a", "b"),
        owners.FluxKustomization("a", "b"),
        owners.Manifest("kubectl"),
        owners.AwsManaged("EKS Auto Mode"),
        owners.Undetermined("two managers"),
    ],
)
def test_every_kind_of_owner_comes_back(store: Store, owner: owners.Owner) -> None:
    saved = Checkpoint(cluster="c", installation="i", addon="a", taken=NOW, owner=owner)
    entry = store().save(saved)
    assert store().load(entry.id) == saved
    assert entry.owner == owner.type


NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
LEAVES = st.none() | st.booleans() | NUMBERS | st.text(st.characters(exclude_categories=["Cs"]))


@given(st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner)))
def test_any_json_survives(tmp_path_factory: pytest.TempPathFactory, value: Any) -> None:
    folder = CheckpointFolder(tmp_path_factory.getbasetemp() / "any")
    saved = replace(full(), objects=(manifest("ConfigMap", "any", data=value),))
    found = folder.load(folder.save(saved).id).objects[0].document["data"]
    assert json.dumps(found, sort_keys=True) == json.dumps(value, sort_keys=True)


def test_secrets_are_kept_only_under_a_key(store: Store) -> None:
    entry = store().save(full())
    loaded = store().load(entry.id)
    if entry.key:
        assert SECRET in loaded.objects
        assert (loaded.secrets, entry.secrets_withheld) == ((), 0)
        return
    (found,) = loaded.secrets
    salt = found.hmac_sha256.partition(":")[0]
    assert entry.secrets_withheld == 1
    assert found == secret_print(SECRET, salt)
    changed = live.Object({**SECRET.document, "data": {"password": "other"}})
    assert found != secret_print(changed, salt)
    written = live.Object({**SECRET.document, "metadata": {**SECRET.metadata, "resourceVersion": "8"}})
    assert found == secret_print(written, salt), "a write that changes nothing is no change"


def test_no_secret_is_shown(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    entry = store().save(full())
    loaded = store().load(entry.id)
    shown = [repr(loaded), str(loaded), f"{loaded}", repr(full()), repr(entry), str(entry), caplog.text]
    shown += [repr(part) for part in (loaded.eks, loaded.helm, loaded.manager, *loaded.objects, *loaded.crds)]
    shown += [repr(one) for one in store().entries()]
    shown += [text.decode(errors="replace").partition("\n")[0] for text in map(Path.read_bytes, files(tmp_path))]
    shown += capfd.readouterr()
    assert [canary for canary in CANARIES.values() if any(canary in text for text in shown)] == []
    assert "coredns" in str(entry), "and yet it says which"


def test_stored_in_clear_is_said(store: Store, tmp_path: Path) -> None:
    entry = store().save(full())
    assert ("not encrypted" in str(entry)) is (entry.key == "")


@pytest.mark.parametrize("folder_is_there", [False, True])
def test_only_the_owner_may_read(store: Store, tmp_path: Path, folder_is_there: bool) -> None:
    before = os.umask(0)
    try:
        if folder_is_there:
            (tmp_path / "state" / "checkpoints").mkdir(parents=True)
        store().save(full())
        store().export(tmp_path / "state" / "all.tar")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "state" / "checkpoints").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in files(tmp_path)} == {0o600}


def test_entries_are_newest_first_and_deleting_twice_is_no_error(store: Store) -> None:
    assert store().entries() == ()
    old, new = store().save(full()), store().save(replace(full(), taken=NOW + timedelta(hours=1)))
    assert store().entries() == (new, old)
    store().delete(old.id)
    store().delete(old.id)
    assert store().entries() == (new,)
    with pytest.raises(NotFound, match=old.id):
        store().load(old.id)


def test_an_export_can_be_put_back(store: Store, tmp_path: Path) -> None:
    first, second = store().save(full()), store().save(replace(full(), taken=NOW + timedelta(hours=1)))
    store().export(tmp_path / "one.tar", first.id)
    store().delete(first.id)
    with tarfile.open(tmp_path / "one.tar") as tar:
        assert len(tar.getnames()) == 1
        tar.extractall(tmp_path / "state" / "checkpoints", filter="data")
    assert store().load(first.id).installation == "kube-system/coredns"
    with pytest.raises(BadInput, match=r"one\.tar exists"):
        store().export(tmp_path / "one.tar", second.id)
    assert store().entries() == (second, first)


@pytest.mark.parametrize("at", [0, 40, -1])
def test_a_change_of_any_byte_is_seen(store: Store, tmp_path: Path, at: int) -> None:
    entry = store().save(full())
    (path,) = files(tmp_path)
    stored = bytearray(path.read_bytes())
    stored[at] ^= 1
    path.write_bytes(stored)
    with pytest.raises(Broken, match="not what was stored") as error:
        store().load(entry.id)
    assert not any(canary in str(error.value) for canary in CANARIES.values())


def test_a_file_cut_off_and_named_anew_is_no_checkpoint(tmp_path: Path, store: Store) -> None:
    import hashlib

    store().save(full())
    (path,) = files(tmp_path)
    cut = path.read_bytes()[:-9]
    id = hashlib.sha256(cut).hexdigest()
    path.with_name(f"{id}.checkpoint").write_bytes(cut)
    with pytest.raises((Broken, BadInput)) as error:
        store().load(id)
    assert not any(canary in str(error.value) for canary in CANARIES.values())


def test_what_is_no_checkpoint_is_no_entry(store: Store, tmp_path: Path) -> None:
    entry = store().save(full())
    (path,) = files(tmp_path)
    path.with_name("odd.checkpoint").write_bytes(b"\x00\xff")
    path.with_name(".half").write_bytes(b"{")
    assert store().entries() == (entry,)
    with pytest.raises(Broken):
        store().load("odd")


def test_an_id_has_to_name_one(store: Store) -> None:
    store().save(full())
    with pytest.raises(NotFound):
        store().load("")
    ids = [store().save(replace(full(), taken=NOW + timedelta(hours=hour))).id for hour in range(20)]
    begin = next(id[0] for id in ids if sum(other[0] == id[0] for other in ids) > 1)
    with pytest.raises(BadInput, match="Give more of the id"):
        store().load(begin)


def test_a_full_disk_leaves_nothing_half(tmp_path: Path, store: Store) -> None:
    """Another process may write no file beyond 1 KiB."""
    opened = store()
    big = replace(full(), objects=(manifest("ConfigMap", "big", data={"x": os.urandom(4096).hex()}),))
    pid = os.fork()
    if pid == 0:
        os._exit(_saves_under_a_limit(opened, big))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert files(tmp_path) == []
    assert store().entries() == ()


def _saves_under_a_limit(opened: ports.Checkpoints, big: Checkpoint) -> int:
    import resource
    import signal

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))
    try:
        opened.save(big)
    except NotReachable:
        return 0
    return 1


_KILLED = """
import os, signal, sys
from pathlib import Path
from addonctl.adapters.checkpoints import CheckpointFolder
from tests.contracts.test_checkpoints import full
os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
CheckpointFolder(Path(sys.argv[1])).save(full())
"""


def test_a_crash_before_the_name_leaves_nothing_that_counts(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "checkpoints"
    done = subprocess.run([sys.executable, "-c", _KILLED, folder], check=False, timeout=60)
    assert done.returncode == -9
    (half,) = files(tmp_path)
    assert half.name.startswith(".")
    assert stat.S_IMODE(half.stat().st_mode) == 0o600
    assert CheckpointFolder(folder).entries() == ()
    entry = CheckpointFolder(folder).save(full())
    assert CheckpointFolder(folder).entries() == (entry,)


# ── Keys ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def encrypted(tmp_path: Path) -> tuple[Path, str]:
    """A folder, and the id of what is encrypted in it."""
    new_key(tmp_path / "key")
    folder = tmp_path / "state" / "checkpoints"
    return folder, CheckpointFolder(folder, tmp_path / "key").save(full()).id


def test_nothing_is_readable_without_the_key(encrypted: tuple[Path, str], tmp_path: Path) -> None:
    (path,) = files(tmp_path)
    body = path.read_bytes().partition(b"\n")[2]
    assert not body.startswith(b"\x1f\x8b")
    with pytest.raises(BadInput, match=r"is encrypted\n.*Give the file of key [0-9a-f]{8}"):
        CheckpointFolder(encrypted[0]).load(encrypted[1])
    assert CheckpointFolder(encrypted[0]).entries()[0].id == encrypted[1], "the index needs no key"


def test_another_key_is_said(encrypted: tuple[Path, str], tmp_path: Path) -> None:
    new_key(tmp_path / "other")
    with pytest.raises(BadInput, match=r"encrypted with key (\w{8}), and the key given is (?!\1)\w{8}"):
        CheckpointFolder(encrypted[0], tmp_path / "other").load(encrypted[1])


def test_a_store_with_a_key_reads_what_was_stored_without(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "checkpoints"
    entry = CheckpointFolder(folder).save(full())
    new_key(tmp_path / "key")
    assert CheckpointFolder(folder, tmp_path / "key").load(entry.id).addon == "coredns"


@pytest.mark.parametrize("held", [b"", b"short", b"!" * 44])
def test_a_key_file_has_to_be_one(tmp_path: Path, held: bytes) -> None:
    (tmp_path / "key").write_bytes(held)
    (tmp_path / "key").chmod(0o600)
    with pytest.raises(BadInput, match="is not a key file"):
        CheckpointFolder(tmp_path, tmp_path / "key")


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    new_key(tmp_path / "key")
    (tmp_path / "key").chmod(0o640)
    with pytest.raises(BadInput, match="can be read by others"):
        CheckpointFolder(tmp_path, tmp_path / "key")
    with pytest.raises(BadInput, match="cannot be written"):
        new_key(tmp_path / "key")


# ── Comparing ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_bookkeeping_is_no_difference() -> None:
    metadata = {"name": "x", "labels": {"l": "1"}}
    was = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "1"}, "metadata": metadata}
    kept = {"resourceVersion": "9", "uid": "u", "generation": 3, "managedFields": [{}], "creationTimestamp": "2026"}
    notes = {live.RUN_ANNOTATION: "r", "deprecated.daemonset.template.generation": "4"}
    now = {**was, "status": {"x": 1}, "metadata": {**metadata, **kept, "annotations": notes}}
    assert live.normalised(now) == live.normalised(was) == was
    assert live.normalised({**was, "data": {"a": "2"}}) != live.normalised(was)


def test_a_print_does_not_hold_what_it_tells_apart() -> None:
    found = secret_print(SECRET, "salt")
    assert isinstance(found, SecretPrint)
    assert CANARIES["secret"] not in repr(found)
    assert found != secret_print(SECRET, "pepper")
