"""Updates that are judged by what a real Prometheus scraped of the real CoreDNS, as users run them.

The probes ask for one name. Users here ask for another one, too, which CoreDNS has never known; a version that answers
SERVFAIL to that is one that only its own counters tell from a good one.
"""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from addonctl.adapters.probes import dns_query
from tests.cluster import build
from tests.cluster.changes import condition, pods
from tests.cluster.conftest import Kept
from tests.cluster.lab import Lab, Served
from tests.cluster.prometheus import scraping
from tests.cluster.test_update_commands import User

pytestmark = pytest.mark.prove
_NEWER = "v1.13.2-eksbuild.21"
_KNOWN, _UNKNOWN = "kubernetes.default.svc.cluster.local", "users.default.svc.cluster.local"
_PATIENCE_S = 600.0
_ZONE = f"    template ANY A {_UNKNOWN} {{\n        rcode SERVFAIL\n    }}\n"


@pytest.fixture
def user(lab: Lab, tmp_path: Path) -> Iterator[User]:
    lab.update_s = 600
    yield User(lab, tmp_path)
    lab.update_s = 60
    lab.served.clear()


@contextmanager
def users(lab: Lab) -> Iterator[None]:
    """Twenty queries a second to every pod that is ready, half of them for a name that is not known."""
    ended = threading.Event()

    def ask() -> None:
        while not ended.wait(1):
            for pod in pods(lab.cluster, "kube-system", "k8s-app=kube-dns"):
                if condition(pod, "Ready") == "True" and pod["status"].get("podIP"):
                    _ask(pod["status"]["podIP"])

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    try:
        yield
    finally:
        ended.set()
        asking.join(10)


def _ask(address: str) -> None:
    """What comes of it is not looked at: the pod counts it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for number in range(20):
            asking.sendto(dns_query((_KNOWN, _UNKNOWN)[number % 2], number), (address, 53))


@pytest.fixture
def url(kept: Kept, lab: Lab) -> Iterator[str]:
    """A Prometheus that has scraped some of what users were answered."""
    kept.need("prometheus")
    with scraping(lab.cluster) as address, users(lab):
        time.sleep(20)
        yield address


def updated(user: User, url: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, the run's document, and what was told meanwhile."""
    times = ("--baseline", "10s", "--soak", "45s", "--timeout", "120s")
    words = ("update", "coredns", "--to", _NEWER, "--prometheus", url, "--yes", "-o", "json", *times, *user.place)
    process = user.start(*words)
    try:
        out, error = process.communicate(timeout=_PATIENCE_S)
    finally:
        process.kill()
    assert out, error
    return process.returncode, json.loads(out), error


def test_a_version_that_only_users_suffer_from_is_put_back(
    url: str, lab: Lab, user: User, capsys: pytest.CaptureFixture[str]
) -> None:
    lab.served["coredns", _NEWER] = Served(build.coredns_image("v1.13.2"), _answers_servfail)
    code, run, _ = updated(user, url)
    with capsys.disabled():
        print("\n" + "\n".join(_told(run)))
    assert (code, run["outcome"]) == (4, "rolled-back")
    (why,) = (each["why"]["text"] for each in run["timeline"] if each["phase"] == "rolling-back")
    assert why.startswith("dns-responses: ")


def test_what_users_were_answered_is_judged_beside_the_probes(
    url: str, user: User, capsys: pytest.CaptureFixture[str]
) -> None:
    code, run, said = updated(user, url)
    with capsys.disabled():
        print("\n" + "\n".join(_told(run)))
    assert f"SLIs from Prometheus are watched as well: {url}" in said
    assert (code, run["outcome"]) == (0, "updated")
    counted = {each["sli"]: each for verdict in run["verdicts"] for each in verdict["slis"]}["dns-responses"]
    assert counted["updated"]["requests"] > 300
    assert counted["updated"]["failed"] == 0


def _told(run: dict[str, Any]) -> Iterator[str]:
    for each in run["timeline"]:
        why = each["why"]["text"] if each["why"] else ""
        yield f"{each['at'][11:19]} {each['phase']} {each['wave']} {' '.join(each['unwatched'])} {why}"
    for each in run["verdicts"]:
        yield f"{each['at'][11:19]} {each['verdict']} {each['evidence']}"


def _answers_servfail(document: dict[str, Any]) -> None:
    if document["kind"] == "ConfigMap" and "Corefile" in (document.get("data") or {}):
        corefile = document["data"]["Corefile"]
        document["data"]["Corefile"] = corefile.replace("    errors\n", f"    errors\n{_ZONE}", 1)
