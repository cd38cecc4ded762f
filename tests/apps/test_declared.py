"""How declared add-ons are shown: apart from what runs, and by cluster where they are for others."""

import json
from pathlib import Path

import pytest

from tests.apps.terminal import in_process as run

HUB = """
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: karpenter-%(to)s, namespace: argocd}
spec:
  source: {repoURL: public.ecr.aws/karpenter, chart: karpenter, targetRevision: 1.8.1}
  destination: {%(at)s, namespace: kube-system}
---
"""
TERRAFORM = 'module "eks" {\n  source = "terraform-aws-modules/eks/aws"\n}\n'


@pytest.fixture
def repository(tmp_path: Path) -> str:
    here = HUB % {"to": "here", "at": "server: 'https://kubernetes.default.svc'"}
    there = HUB % {"to": "prod", "at": "name: prod-eu-2"}
    (tmp_path / "apps.yaml").write_text(here + there)
    (tmp_path / "main.tf").write_text(TERRAFORM * 2)
    return str(tmp_path)


def test_the_table_says_declared_and_lists_other_clusters_apart(repository: str) -> None:
    text = run("analyze", "-f", repository, "--kubernetes", "1.34").stdout
    assert "2 add-ons declared, none found" in text
    (row,) = (line for line in text.splitlines() if line.startswith("karpenter "))
    assert row.split()[1:5] == ["1.8.1", "yes", "no", "declared"]
    assert "DECLARED FOR OTHER CLUSTERS" in text
    assert any(line.split() == ["prod-eu-2", "karpenter", "1.8.1"] for line in text.splitlines())
    assert "2 Terraform modules (2× terraform-aws-modules/eks/aws)" in text


def test_what_is_declared_elsewhere_answers_nothing_of_this_cluster(repository: str) -> None:
    done = run("compat", "-f", repository, "--kubernetes", "1.34", "--target", "1.35")
    (row,) = (line for line in done.stdout.splitlines() if line.startswith("karpenter "))
    assert row.split() == ["karpenter", "1.8.1", "yes", "no"]


def test_json_has_both_with_their_state_and_destination(repository: str) -> None:
    document = json.loads(run("inventory", "-f", repository, "-o", "json").stdout)
    rows = {(row["destination"], row["state"], row["owner"]) for row in document["installations"]}
    assert rows == {
        ("", "declared", "argocd application argocd/karpenter-here"),
        ("prod-eu-2", "declared", "argocd application argocd/karpenter-prod"),
    }
    health = json.loads(run("health", "-f", repository, "-o", "json").stdout)
    assert (health["score"], health["addons"]) == (None, [])


def test_a_finding_of_what_is_declared_stands_where_it_is_written(repository: str) -> None:
    found = json.loads(run("findings", "-f", repository, "--kubernetes", "1.35", "-o", "json").stdout)["findings"]
    (refused,) = (each for each in found if each["code"] == "CMP001")
    assert refused["where"] == [f"{repository}/apps.yaml:2"]
