"""`health --probe` on the real cluster: what the add-ons answer, from outside and from a node, sound and broken."""

import json
import subprocess
import sys
from typing import Any

from tests.cluster.cluster import DNS_ADDRESS, Cluster
from tests.cluster.processes import sh, wait_for
from tests.cluster.test_live import PROGRAM, addonctl, audited

_Answers = dict[tuple[str, str], dict[str, Any]]


def answers(text: str) -> _Answers:
    return {(each["addon"], each["name"]): each for each in json.loads(text)["probes"]}


def probed(cluster: Cluster) -> _Answers:
    return answers(addonctl(cluster, "health", "--probe", "-o", "json"))


def test_sound_addons_answer(cluster: Cluster) -> None:
    found = probed(cluster)
    assert {key: each["detail"] for key, each in found.items() if each["health"] != "healthy"} == {}
    told = {name.partition(" at ")[0] for _, name in found}
    assert told == {
        "dns query",
        "metrics read",
        "admission dry run",
        "serving certificate of gatekeeper-webhook-service",
    }
    assert all(each["detail"] for each in found.values())


def test_the_answer_is_all_that_is_printed(cluster: Cluster) -> None:
    """Whoever serves a forwarded connection ends it after the answer; nothing of that is the reader's concern."""
    command = [*PROGRAM, "health", "--probe", "--kubeconfig", str(cluster.kubeconfig)]
    for _ in range(5):
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert "admission dry run" in done.stdout


def test_from_a_node_the_cluster_ip_is_asked(cluster: Cluster) -> None:
    command = [*PROGRAM, "health", "--probe", "-o", "json", "--kubeconfig", str(cluster.kubeconfig)]
    assert command[0] == sys.executable
    found = answers(sh("nsenter", "--net=/run/netns/addonctl-node-0", *command))
    answer = found["coredns", "dns query"]
    assert answer["health"] == "healthy"
    assert DNS_ADDRESS in answer["detail"]


def test_nothing_is_stored(cluster: Cluster) -> None:
    before = len(audited(cluster, "admin"))
    probed(cluster)
    ours = [e for e in audited(cluster, "admin")[before:] if e.get("userAgent", "").startswith(("addonctl", "OpenAPI"))]
    made = [e for e in ours if e["verb"] in ("create", "update", "patch", "delete")]
    stored = [e for e in made if "dryRun=All" not in e["requestURI"] and "portforward" not in e["requestURI"]]
    assert made != []
    assert stored == []


def test_a_webhook_that_does_not_answer_is_degraded(cluster: Cluster) -> None:
    scale = ("-n", "gatekeeper-system", "scale", "deployment/gatekeeper-controller-manager")
    cluster.kubectl(*scale, "--replicas=0")
    try:
        listed = ("-n", "gatekeeper-system", "get", "pods", "-l", "control-plane=controller-manager", "--no-headers")
        wait_for("no webhook", lambda: not cluster.kubectl(*listed))
        found = probed(cluster)
        assert found["gatekeeper", "admission dry run"]["health"] == "degraded"
        assert "failed calling webhook" in found["gatekeeper", "admission dry run"]["detail"]
    finally:
        cluster.kubectl(*scale, "--replicas=1")
        cluster.ready("deployment/gatekeeper-controller-manager", "gatekeeper-system")
