"""The scan of a real cluster: what it finds, what it costs, what it never does."""

import json
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.cluster.cluster import DNS_ADDRESS, RUN, Cluster
from tests.cluster.processes import sh

PROGRAM = [sys.executable, "-m", "addonctl"]


def addonctl(cluster: Cluster, *arguments: str, kubeconfig: Path | None = None) -> str:
    """What addonctl prints, run as a user runs it."""
    command = [*PROGRAM, *arguments, "--kubeconfig", str(kubeconfig or cluster.kubeconfig)]
    environment = {**os.environ, "PYTHONFAULTHANDLER": "1"}  # should the interpreter itself fall, stderr says where
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def installations(cluster: Cluster) -> dict[str, dict[str, Any]]:
    rows = json.loads(addonctl(cluster, "inventory", "-o", "json"))["installations"]
    return {row["addon"]: row for row in rows}


def test_the_real_addons_serve(cluster: Cluster) -> None:
    """The cluster is what it claims to be: DNS answers, metrics flow, Gatekeeper refuses."""
    query = struct.pack(">HHHHHH", 7, 0x0100, 1, 0, 0, 0)
    query += b"\x0akubernetes\x07default\x03svc\x07cluster\x05local\x00" + struct.pack(">HH", 1, 1)
    script = (
        "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(5);"
        f"s.sendto({query!r}, ('{DNS_ADDRESS}', 53)); print(s.recv(512)[-4:].hex())"
    )
    answer = sh("nsenter", "--net=/run/netns/addonctl-node-0", sys.executable, "-c", script)
    assert socket.inet_ntoa(bytes.fromhex(answer.strip())) == "10.0.0.1"
    assert "node-0" in cluster.kubectl("top", "nodes")
    bad = {
        "apiVersion": "templates.gatekeeper.sh/v1",
        "kind": "ConstraintTemplate",
        "metadata": {"name": "wrong"},
        "spec": {"crd": {"spec": {"names": {"kind": "Other"}}}, "targets": []},
    }
    refused = subprocess.run(
        [RUN / "bin" / "kubectl", f"--kubeconfig={cluster.kubeconfig}", "apply", "-f", "-"],
        input=json.dumps(bad),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "admission webhook" in refused.stderr


def test_the_addons_are_found_with_their_versions(cluster: Cluster) -> None:
    found = installations(cluster)
    assert {name: row["version"] for name, row in found.items()} == {
        "coredns": "v1.12.4",
        "gatekeeper": "v3.23.1",
        "kube-proxy": "v1.36.3",
        "metrics-server": "v0.9.0",
    }
    assert {row["method"] for row in found.values()} == {"manifest"}
    assert found["coredns"]["workloads"] == [
        {"kind": "Deployment", "name": "coredns", "namespace": "kube-system", "group": "apps"}
    ]


def test_nothing_is_wrong_with_a_sound_cluster(cluster: Cluster) -> None:
    analysis = json.loads(addonctl(cluster, "analyze", "-o", "json"))
    assert analysis["gaps"] == []
    assert [found for found in analysis["findings"] if found["severity"] == "required"] == []


def audited(cluster: Cluster, user: str) -> list[dict[str, Any]]:
    lines = cluster.audit_log.read_text().splitlines()
    return [entry for entry in map(json.loads, lines) if entry["user"]["username"] == user]


def test_the_scan_is_complete_under_its_own_role_and_only_reads(cluster: Cluster) -> None:
    """Under exactly the printed ClusterRole nothing is missing; the audit log shows reads of current versions only."""
    role = subprocess.run([*PROGRAM, "rbac", "--cluster-role"], capture_output=True, text=True, check=True).stdout
    cluster.apply(role)
    cluster.kubectl("create", "serviceaccount", "reader", check=False)
    cluster.kubectl(
        "create",
        "clusterrolebinding",
        "reader",
        "--clusterrole=addonctl-read",
        "--serviceaccount=default:reader",
        check=False,
    )
    reader = cluster.kubeconfig_of("reader")
    before = len(audited(cluster, "system:serviceaccount:default:reader"))
    analysis = json.loads(addonctl(cluster, "analyze", "-o", "json", kubeconfig=reader))
    assert analysis["gaps"] == []
    calls = audited(cluster, "system:serviceaccount:default:reader")[before:]
    assert {call["verb"] for call in calls} <= {"get", "list"}
    assert [call["requestURI"] for call in calls if (call.get("annotations") or {}).get("k8s.io/deprecated")] == []
    secrets = [call["requestURI"] for call in calls if (call.get("objectRef") or {}).get("resource") == "secrets"]
    assert secrets
    assert all("type%3Dhelm.sh%2Frelease.v1" in uri for uri in secrets)
    print(f"\na scan costs {len(calls)} requests")


def test_without_a_permission_that_part_only_is_lost(cluster: Cluster) -> None:
    cluster.apply(
        json.dumps(
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "ClusterRole",
                "metadata": {"name": "little"},
                "rules": [{"apiGroups": ["apps"], "resources": ["deployments", "daemonsets"], "verbs": ["list"]}],
            }
        )
    )
    cluster.kubectl("create", "serviceaccount", "little", check=False)
    cluster.kubectl(
        "create", "clusterrolebinding", "little", "--clusterrole=little", "--serviceaccount=default:little", check=False
    )
    kubeconfig = cluster.kubeconfig_of("little")
    analysis = json.loads(addonctl(cluster, "analyze", "-o", "json", kubeconfig=kubeconfig))
    assert {metric["addon"] for metric in analysis["addon_metrics"]} >= {"coredns", "kube-proxy", "gatekeeper"}
    gaps = {gap["part"]: gap for gap in analysis["gaps"]}
    assert gaps["pods"]["reason"] == "forbidden"
    assert gaps["pods"]["permission"] == "list pods"
    assert "kubectl apply" not in json.dumps(analysis)


def test_a_snapshot_says_the_same_offline(cluster: Cluster, tmp_path: Path) -> None:
    live = installations(cluster)
    saved = tmp_path / "cluster.json.gz"
    addonctl(cluster, "snapshot", "save", str(saved))
    offline = subprocess.run(
        [*PROGRAM, "inventory", "--snapshot", str(saved), "-o", "json"], capture_output=True, text=True, check=True
    ).stdout
    assert {row["addon"]: row for row in json.loads(offline)["installations"]} == live


def test_a_missing_context_is_named(cluster: Cluster) -> None:
    done = subprocess.run(
        [*PROGRAM, "analyze", "--kubeconfig", str(cluster.kubeconfig), "--context", "nowhere"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == (
        f"Error: There is no context 'nowhere' in the kubeconfig {cluster.kubeconfig}\nFix: There are: cluster.\n"
    )
