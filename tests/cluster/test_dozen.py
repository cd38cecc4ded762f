"""More than a dozen add-ons by every means on one real cluster: told apart, and their faults named."""

import json
import shlex
import subprocess
import sys
from typing import Any

import pytest

from tests.cluster import dozen
from tests.cluster.cluster import Cluster
from tests.cluster.dozen import World
from tests.eks.server import REGION, EksServer


@pytest.fixture(scope="module")
def analysis(world: World) -> dict[str, Any]:
    """What `addonctl analyze --eks` says of it: over AWS's API to the real API server."""
    return {name: _analyze(*world, name) for name in ("with AWS", "without AWS")}


def _analyze(cluster: Cluster, server: EksServer, how: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "addonctl", "analyze", "-o", "json", "--kubeconfig", str(cluster.kubeconfig)]
    environment = {"PATH": "", "HOME": "/nonexistent"}
    if how == "with AWS":
        # The kubeconfig's context is what `aws eks update-kubeconfig` writes: the cluster's ARN.
        arn = f"arn:aws:eks:{REGION}:123456789012:cluster/{dozen.NAME}"
        config = json.loads(cluster.kubeconfig.read_text())
        config["contexts"][0]["name"] = config["current-context"] = arn
        path = cluster.kubeconfig.with_name("kubeconfig-eks")
        path.write_text(json.dumps(config))
        command[-1] = str(path)
        environment |= server.environment
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


EXPECTED = {
    "argo-cd": ("manifest", "v3.2.6"),
    "aws-ebs-csi-driver": ("eks", "v1.64.0-eksbuild.1"),
    "aws-load-balancer-controller": ("helm", "v2.17.1"),
    "aws-vpc-cni": ("eks", "v1.17.1-eksbuild.1"),
    "cert-manager": ("helm", "v1.19.1"),
    "cluster-autoscaler": ("manifest", "v1.33.0"),
    "coredns": ("eks", "v1.12.4-eksbuild.18"),
    "eks-pod-identity-agent": ("eks", "v1.3.10-eksbuild.3"),
    "external-dns": ("helm", "v0.18.0"),
    "external-secrets": ("flux", "v0.20.4"),
    "flux": ("manifest", "v2.7.5"),
    "karpenter": ("helm", "1.8.1"),
    "keda": ("argocd", "2.17.2"),
    "kube-prometheus-stack": ("helm", "79.12.0"),
    "kube-proxy": ("eks", "v1.34.6-eksbuild.18"),
    "kube-state-metrics": ("helm", "v2.17.0"),
    "kyverno": ("flux", "v1.16.1"),
    "metrics-server": ("eks", "v0.9.0-eksbuild.6"),
}


def test_every_addon_is_told_apart(analysis: dict[str, Any]) -> None:
    rows = analysis["with AWS"]["installations"]
    assert {row["addon"]: (row["method"], row["version"]) for row in rows} == EXPECTED
    assert len(rows) == len(EXPECTED) + 1, "external-dns runs twice, on purpose"
    assert analysis["with AWS"]["gaps"] == []


def test_the_faults_are_named(analysis: dict[str, Any]) -> None:
    found = {(one["code"], one["subject"]) for one in analysis["with AWS"]["findings"]}
    assert {
        ("EKS001", "aws-vpc-cni/kube-system/aws-node"),
        ("EKS005", "eks add-on aws-ebs-csi-driver"),
        ("INV001", "metrics-server/kube-system/metrics-server"),
        ("INV003", "CRDs of velero"),
        ("INV004", "MutatingWebhookConfiguration/vpa-webhook-config"),
        ("INV005", "APIService/v1beta1.custom.metrics.k8s.io"),
    } <= found


def test_without_aws_the_cluster_alone_tells_the_same_methods(analysis: dict[str, Any]) -> None:
    """Field managers say who applied what; only EKS's own version numbers are not to be had."""
    rows = analysis["without AWS"]["installations"]
    assert {row["addon"]: row["method"] for row in rows} == {addon: method for addon, (method, _) in EXPECTED.items()}


def test_the_fix_of_a_helm_release_makes_again_what_is_gone(world: World, analysis: dict[str, Any]) -> None:
    cluster, server = world
    assert "DEP003" not in {one["code"] for one in analysis["with AWS"]["findings"]}
    cluster.kubectl("delete", "service", "-n", "cert-manager", "cert-manager-webhook")
    (lacks,) = (one for one in _analyze(cluster, server, "with AWS")["findings"] if one["code"] == "DEP003")
    assert lacks["subject"] == (
        "cert-manager/cert-manager/cert-manager needs Service/cert-manager/cert-manager-webhook"
    )
    (line,) = (line for line in lacks["fix"].splitlines() if not line.startswith("#"))
    tool, *arguments = shlex.split(line)
    assert tool == "helm"
    cluster.helm(*arguments)
    assert cluster.kubectl("get", "service", "-n", "cert-manager", "cert-manager-webhook", "-o", "name")


def test_all_that_aws_answered_was_of_its_model(world: World) -> None:
    assert world[1].state.violations == []
