"""`addonctl update` and what belongs to it, as users run it: processes on the real cluster, also killed and resumed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from addonctl.adapters.clock import SystemClock
from addonctl.adapters.journal import SqlJournal
from addonctl.model import live
from addonctl.model.run import Phase
from tests.cluster.changes import got
from tests.cluster.lab import CONTEXT, EKS_ADDONS, NAME, Lab, image_of
from tests.cluster.traffic import Account, Traffic

_NEWER = "v1.13.2-eksbuild.21"
_NOT_BUILT = "v1.14.3-eksbuild.14"  # AWS offers it; its image is not to be had here
_UPDATE = ("update", "coredns")
_SHORT = ("--baseline", "5s", "--soak", "5s", "--timeout", "90s")
_PATIENCE_S = 240.0


class User:
    """Somebody who runs addonctl against the lab, with runs and checkpoints in a folder of their own."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab, self._state = lab, folder
        self.place: tuple[str, ...] = ("--eks", NAME)
        self._environment = {**os.environ, **lab.environment, "ADDONCTL_STATE_DIR": str(folder)}

    def becomes(self, kubeconfig: Path) -> None:
        """Somebody else from now on, as the cluster sees it: with --eks it would be whoever AWS's token is."""
        document = json.loads(kubeconfig.read_text())
        document["current-context"] = document["contexts"][0]["name"] = CONTEXT
        file = self._state / "kubeconfig"
        file.write_text(json.dumps(document))
        self._environment["KUBECONFIG"], self.place = str(file), ("--context", CONTEXT)

    def start(self, *words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "addonctl", *words]
        return subprocess.Popen(
            command, env=self._environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def runs(self, *words: str) -> tuple[int, str, str]:
        """Exit code, stdout and stderr."""
        process = self.start(*words)
        out, error = process.communicate(timeout=_PATIENCE_S)
        return process.returncode, out, error

    def changes(self, *words: str, code: int) -> dict[str, Any]:
        """The document of the run that a command carried out."""
        got, out, error = self.runs(*words, "--yes", *_SHORT, "-o", "json", *self.place)
        assert got == code, f"{out}\n{error}"
        document: dict[str, Any] = json.loads(out)
        return document

    def document(self, *words: str) -> dict[str, Any]:
        code, out, error = self.runs(*words, "-o", "json")
        assert code == 0, error
        found: dict[str, Any] = json.loads(out)
        return found

    def until(self, phase: Phase) -> str:
        """Waits until the newest run is in a phase, or beyond it; its id."""
        until, journal = time.monotonic() + _PATIENCE_S, SqlJournal(self._state / "runs.db", "", SystemClock())
        while time.monotonic() < until:
            newest = next(iter(journal.entries()), None)
            if newest and phase in {entry.phase for entry in journal.load(newest.id).timeline}:
                return newest.id
            time.sleep(0.1)
        raise AssertionError(f"never in {phase}: {newest}")


@pytest.fixture
def user(lab: Lab, tmp_path: Path) -> Iterator[User]:
    lab.update_s = 600  # as in life, EKS waits longer than a wave lasts
    yield User(lab, tmp_path)
    lab.update_s = 60


def deployment(lab: Lab) -> Mapping[str, Any]:
    (found,) = got(lab.cluster, "deployment/coredns", "-n", "kube-system")
    return live.normalised(found)


def traffic(lab: Lab) -> Traffic:
    """50 queries a second from each node to the address of cluster DNS."""
    (service,) = got(lab.cluster, "service/kube-dns", "-n", "kube-system")
    return Traffic(lab.cluster.namespaces, service["spec"]["clusterIP"])


def image(lab: Lab) -> str:
    (container,) = deployment(lab)["spec"]["template"]["spec"]["containers"]
    return str(container["image"])


def lasted(run: Mapping[str, Any]) -> float:
    """Seconds from the beginning of a run to its end."""
    begun, ended = (datetime.fromisoformat(run["timeline"][place]["at"]) for place in (0, -1))
    return (ended - begun).total_seconds()


def leases(lab: Lab) -> list[str]:
    found = got(lab.cluster, "leases", "-n", "kube-system")
    return [each["metadata"]["name"] for each in found if each["metadata"]["name"].startswith("addonctl-")]


def test_an_update_whose_process_is_killed_and_its_rollback(user: User, capsys: pytest.CaptureFixture[str]) -> None:
    """The second process finishes what the first began, and neither loses a query."""
    before = deployment(user.lab)
    with traffic(user.lab) as asked:
        id = killed_in(Phase.SOAK, user)
        resumed, run, error = user.runs("resume", id, "-o", "json", *user.place)
        code, out, back_error = user.runs("rollback", id, "--yes", *_SHORT, *user.place)
    with capsys.disabled():
        print(f"\n{out}\n{back_error}\n{user.runs('runs', id)[1]}\n{user.runs('runs')[1]}")
        print(user.runs("checkpoint", "list")[1])
        print(f"traffic: {len(asked.account.lost_at)} of {asked.account.sent} lost, at {asked.account.lost_at}")
    assert resumed == 0, error
    document = json.loads(run)
    assert document["outcome"] == "updated"
    assert document["lost"]["dns"]["failed"] == 0
    assert document["lost"]["dns"]["requests"] > 100
    assert [each["verdict"] for each in document["verdicts"]][-1] == "pass"
    assert code == 0, back_error
    account = asked.account
    assert account.sent == account.answered + len(account.lost_at)
    assert account.sent > 5_000
    assert len(account.lost_at) <= 1, "the machine may stand still for two seconds; none in many is a test of its own"
    assert deployment(user.lab) == before
    assert leases(user.lab) == []


def killed_in(phase: Phase, user: User) -> str:
    """An update that is begun and whose process is killed in a phase; nobody else begins one then."""
    process = user.start(*_UPDATE, "--to", _NEWER, "--yes", *_SHORT, *user.place)
    run = user.until(phase)
    process.kill()
    process.communicate()
    refused, said, _ = User(user.lab, user._state / "stranger").runs(*_UPDATE, "--to", "default", "--yes", *user.place)
    assert refused == 3
    assert run in said or phase is not Phase.BASELINE, "where nothing else speaks against it, the Lease does"
    return run


@pytest.mark.prove
def test_a_version_without_image_is_rolled_back(user: User, capsys: pytest.CaptureFixture[str]) -> None:
    before = deployment(user.lab)
    run = user.changes("update", "coredns", "--to", _NOT_BUILT, code=4)
    with capsys.disabled():
        print(f"\n{run['why']}\n{user.runs('runs', run['id'])[1]}")
    assert run["outcome"] == "rolled-back"
    assert "ImagePullBackOff" in run["why"]
    assert run["lost"]["dns"]["failed"] == 0
    assert deployment(user.lab) == before
    assert leases(user.lab) == []


@pytest.mark.prove
def test_it_takes_no_more_rights_than_it_says(user: User) -> None:
    """Those of `rbac --for update`, of a service account that has no others; without one of them it does not begin."""
    cluster, before, role = user.lab.cluster, deployment(user.lab), user.runs("rbac", "--for", "update")[1]
    cluster.kubectl("apply", "-f", "-", stdin=role.replace("pods/status", "pods/nothing"))
    cluster.kubectl("create", "serviceaccount", "updater", "-n", "default")
    cluster.kubectl(
        "create", "clusterrolebinding", "updater", "--clusterrole=addonctl-update", "--serviceaccount=default:updater"
    )
    user.becomes(cluster.kubeconfig_of("updater"))
    code, out, error = user.runs(*_UPDATE, "--to", _NEWER, "--yes", *_SHORT, *user.place)
    assert (code, "patch pods/status in namespace kube-system" in out + error) == (3, True), out + error
    cluster.kubectl("apply", "-f", "-", stdin=role)
    run = user.changes(*_UPDATE, "--to", _NEWER, code=0)
    assert run["outcome"] == "updated"
    assert run["lost"]["dns"]["requests"] > 100, "it may ask pods through the API server"
    assert user.changes("rollback", run["id"], code=0)["outcome"] == "updated"
    assert deployment(user.lab) == before
    assert user.changes(*_UPDATE, "--to", _NOT_BUILT, code=4)["outcome"] == "rolled-back"
    assert deployment(user.lab) == before


@pytest.mark.prove
def test_what_somebody_cancels_goes_back(user: User) -> None:
    before = deployment(user.lab)
    process = user.start("update", "coredns", "--to", _NEWER, "--yes", *_SHORT, *user.place)
    run = user.until(Phase.SOAK)
    assert user.runs("cancel", run)[0] == 0
    _, error = process.communicate(timeout=_PATIENCE_S)
    assert process.returncode == 4, error
    assert user.document("runs", run)["outcome"] == "cancelled"
    assert deployment(user.lab) == before


@pytest.mark.prove
def test_ctrl_c_goes_back(user: User) -> None:
    before = deployment(user.lab)
    process = user.start("update", "coredns", "--to", _NEWER, "--yes", *_SHORT, *user.place)
    user.until(Phase.SOAK)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=_PATIENCE_S)
    assert process.returncode == 4, error
    assert "Going back" in error
    assert deployment(user.lab) == before


@pytest.mark.prove
@pytest.mark.parametrize("phase", [Phase.BASELINE, Phase.APPLY, Phase.VERIFY])
def test_a_run_whose_process_was_killed_is_resumed(user: User, phase: Phase) -> None:
    run = killed_in(phase, user)
    code, out, error = user.runs("resume", run, "-o", "json", *user.place)
    assert code == 0, f"{out}\n{error}"
    assert (json.loads(out)["outcome"], image(user.lab)) == ("updated", image_of("coredns", _NEWER))
    assert leases(user.lab) == []
    assert user.changes("rollback", run, code=0)["outcome"] == "updated"
    assert image(user.lab) == image_of("coredns", EKS_ADDONS["coredns"])


@pytest.mark.prove
def test_no_query_is_lost_in_thirty_updates(user: User, capsys: pytest.CaptureFixture[str]) -> None:
    """Up and down again and again, of an add-on that loses some by a stock rolling update, and by surge as well."""
    versions, account = [_NEWER, EKS_ADDONS["coredns"]], Account(0, 0, ())
    before = deployment(user.lab)
    for number in range(int(os.environ.get("ADDONCTL_UPDATES", "30"))):
        with traffic(user.lab) as asked:
            run = user.changes(*_UPDATE, "--to", versions[number % 2], code=0)
        account += asked.account
        with capsys.disabled():
            lost = f"{len(account.lost_at)} of {account.sent} lost, now at {asked.account.lost_at}"
            print(f"update {number + 1}: {lasted(run):.0f} s; {lost}", flush=True)
    assert account.sent == account.answered + len(account.lost_at)
    assert account.lost_at == ()
    if number % 2:
        assert deployment(user.lab) == before


def configuration(lab: Lab) -> str:
    """What EKS says that CoreDNS is configured with."""
    found = lab.eks.client("eks").describe_addon(clusterName=NAME, addonName="coredns")["addon"]
    return str(found.get("configurationValues") or "{}")


@pytest.mark.prove
def test_a_configuration_by_a_saved_plan_and_its_rollback(
    user: User, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, was, file = deployment(user.lab), configuration(user.lab), tmp_path / "plan.json"
    planned = ("plan", "coredns", "--set", "replicaCount=3", "--set-string", "note=hunter2-hunter2")
    file.write_text(json.dumps(user.document(*planned, *user.place)))
    with traffic(user.lab) as asked:
        run = user.changes("update", "--plan", str(file), code=0)
        configured, replicas = configuration(user.lab), deployment(user.lab)["spec"]["replicas"]
        again, _, refused = user.runs("update", "--plan", str(file), "--yes", *user.place)
        code, out, error = user.runs("rollback", run["id"], "--yes", *_SHORT, *user.place)
    with capsys.disabled():
        print(f"\n{user.runs('runs', run['id'])[1]}\n{refused}\n{out}\n{error}")
        print(f"traffic: {len(asked.account.lost_at)} of {asked.account.sent} lost, at {asked.account.lost_at}")
    assert run["outcome"] == "updated"
    assert json.loads(configured) == {"replicaCount": 3, "note": "hunter2-hunter2"}
    assert replicas == 3
    assert again == 1, "nothing is done twice"
    assert "configuration" in refused
    assert code == 0, error
    assert (deployment(user.lab), configuration(user.lab)) == (before, was)
    assert "hunter2" not in file.read_text() + json.dumps(run) + out + error
    assert b"hunter2" not in (tmp_path / "runs.db").read_bytes()
    assert leases(user.lab) == []


@pytest.mark.prove
def test_eks_forgets_coredns_and_takes_it_over_again(user: User, capsys: pytest.CaptureFixture[str]) -> None:
    before, version = deployment(user.lab), EKS_ADDONS["coredns"]
    client = user.lab.eks.client("eks")
    with traffic(user.lab) as asked:
        forgotten = user.changes("delete", "coredns", "--preserve", code=0)
        listed, left = client.list_addons(clusterName=NAME)["addons"], deployment(user.lab)
        adopted = user.changes("create", "coredns", "--to", version, "--adopt", "overwrite", code=0)
    with capsys.disabled():
        print(f"\n{user.runs('runs', forgotten['id'])[1]}\n{user.runs('runs', adopted['id'])[1]}")
        print(f"traffic: {len(asked.account.lost_at)} of {asked.account.sent} lost, at {asked.account.lost_at}")
    assert [forgotten["outcome"], adopted["outcome"]] == ["updated", "updated"]
    assert "coredns" not in listed
    assert left == before
    found = client.describe_addon(clusterName=NAME, addonName="coredns")["addon"]
    assert (found["status"], found["addonVersion"]) == ("ACTIVE", version)
    assert deployment(user.lab) == before
    assert leases(user.lab) == []
