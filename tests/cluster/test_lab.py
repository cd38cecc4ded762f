"""The lab as somebody uses it who has pasted its exports: the add-ons show under who holds them, and EKS updates."""

import json
import os
import subprocess
from typing import Any

import pytest

from tests.cluster.changes import got, pods
from tests.cluster.lab import CONTEXT, EKS_ADDONS, NAME, SECRETS, SECRETS_VERSION, Lab, image_of
from tests.cluster.processes import wait_for
from tests.cluster.test_live import PROGRAM

_UPDATE, _NEWER = {"clusterName": NAME, "addonName": "coredns"}, "v1.13.2-eksbuild.21"


def analysis(lab: Lab, *options: str) -> dict[str, Any]:
    environment = {"PATH": os.environ["PATH"], **lab.environment}
    command = [*PROGRAM, "analyze", "-o", "json", *options]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("options", [("--context", CONTEXT), ("--eks", NAME)], ids=["context", "name in EKS"])
def test_each_addon_shows_under_who_holds_it(lab: Lab, options: tuple[str, ...]) -> None:
    found = analysis(lab, *options)
    assert {row["addon"]: (row["method"], row["version"]) for row in found["installations"]} == {
        **{addon: ("eks", version) for addon, version in EKS_ADDONS.items()},
        "gatekeeper": ("helm", "v3.23.1"),
        SECRETS: ("flux", f"v{SECRETS_VERSION}"),
    }
    assert [one for one in found["findings"] if one["severity"] == "required"] == []
    assert found["gaps"] == []


def test_the_addons_run_on_real_nodes_alone(lab: Lab) -> None:
    assert len(got(lab.cluster, "nodes", "-l", "type=kwok")) == 20
    assert {pod["spec"]["nodeName"] for pod in pods(lab.cluster)} == {"node-0", "node-1"}


def test_a_token_that_is_not_of_aws_is_refused(lab: Lab) -> None:
    way = ("--kubeconfig=/dev/null", f"--server={lab.cluster.server}", f"--certificate-authority={lab.cluster.ca_file}")
    for token in ("k8s-aws-v1.bm8", "nonsense"):
        with pytest.raises(RuntimeError, match=r"logged in|Unauthorized"):
            lab.cluster.kubectl("get", "--raw", "/api", f"--token={token}", *way)


def test_eks_updates_an_addon_and_follows_its_rollout(lab: Lab) -> None:
    client = lab.eks.client("eks")

    def update(version: str, configuration: str) -> str:
        asked = client.update_addon(**_UPDATE, addonVersion=version, configurationValues=configuration)["update"]
        assert asked["status"] == "InProgress"
        described = {"name": NAME, "addonName": "coredns", "updateId": asked["id"]}
        wait_for("the update", lambda: client.describe_update(**described)["update"]["status"] != "InProgress", 90)
        return str(client.describe_addon(**_UPDATE)["addon"]["status"])

    assert update(_NEWER, '{"replicaCount": 3}') == "ACTIVE"
    (deployment,) = got(lab.cluster, "deployment/coredns", "-n", "kube-system")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["image"] == image_of("coredns", _NEWER)
    assert deployment["status"]["readyReplicas"] == 3
    assert update(EKS_ADDONS["coredns"], "{}") == "ACTIVE"


def test_all_that_aws_answered_was_of_its_model(lab: Lab) -> None:
    assert lab.eks.state.violations == []
