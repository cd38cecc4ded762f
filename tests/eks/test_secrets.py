"""No secret that AWS hands out gets anywhere, logs at DEBUG included: configuration, errors of updates, insights."""

import json
import logging
from datetime import UTC, datetime

import msgspec
import pytest

from addonctl.adapters.aws import Aws
from tests.canaries import MARK, MESSAGES, leaks
from tests.eks.server import REGION, EksServer

NAME = "prod-eu-1"
CONFIGURATION = {
    "env": {"WARM_IP_TARGET": MARK, "AWS_SECRET_ACCESS_KEY": MARK},
    "adminPassword": MARK,
    "apiKey": 98760123,
    "note": MARK,
    "list": [MARK],
}


def test_no_secret_of_eks_is_kept_or_logged(eks: EksServer, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("", "botocore", "boto3", "urllib3", "botocore.parsers", "botocore.auth", "botocore.endpoint"):
        caplog.set_level(logging.DEBUG, name)
    eks.create_cluster(NAME, "1.34")
    client = eks.client("eks")
    values = json.dumps(CONFIGURATION)
    client.create_addon(
        clusterName=NAME, addonName="coredns", addonVersion="v1.12.4-eksbuild.18", configurationValues=values
    )
    eks.state.fail_next = ("AdmissionRequestDenied", MESSAGES[0])
    client.update_addon(
        clusterName=NAME, addonName="coredns", addonVersion="v1.13.2-eksbuild.21", configurationValues=values
    )
    eks.state.insights[NAME] = [
        {
            "id": f"11111111-1111-4111-8111-{number:012}",
            "name": "EKS add-on version compatibility",
            "category": "UPGRADE_READINESS",
            "kubernetesVersion": "1.35",
            "recommendation": said,
            "lastRefreshTime": datetime(2026, 11, 23, tzinfo=UTC),
            "insightStatus": {"status": "WARNING", "reason": said},
        }
        for number, said in enumerate(MESSAGES)
    ]
    eks.state.denied.add("ListNodegroups")
    caplog.clear()
    read, gaps = Aws(REGION).read(NAME)
    assert read is not None
    assert read.addons[0].is_configured
    assert read.addons[0].updates[0].errors
    assert len(read.insights) == len(MESSAGES)
    assert leaks(msgspec.json.encode((read, gaps)).decode()) == []
    assert b"98760123" not in msgspec.json.encode(read)
    assert leaks(caplog.text) == []
    assert "Signature=" not in caplog.text
