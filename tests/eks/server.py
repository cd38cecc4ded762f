"""moto's server on loopback, with add-ons, versions, updates, insights, pod identity and capabilities added.

Requests are validated by botocore in the client; every answer is held against botocore's model (responses.py), and what
it does not allow is recorded in `state.violations`, which the fixture wants empty.
"""

import logging
import os
import urllib.request
from collections.abc import Mapping
from typing import Any

from addonctl.adapters import eks_table
from addonctl.catalog import EksAddonVersions, EksVersion
from tests.eks.state import State

REGION = "eu-central-1"
_CREDENTIALS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_DEFAULT_REGION": REGION}


def packaged_table() -> dict[str, dict[str, Any]]:
    """AddonInfo by add-on out of the table that comes with addonctl."""
    return {name: _info(addon) for name, addon in eks_table.packaged().addons.items()}


def _info(addon: EksAddonVersions) -> dict[str, Any]:
    return {
        "addonName": addon.name,
        "type": addon.type,
        "owner": addon.owner,
        "publisher": addon.publisher,
        "defaultNamespace": addon.namespace,
        "addonVersions": [_version(version) for version in addon.versions],
    }


def _version(version: EksVersion) -> dict[str, Any]:
    return {
        "addonVersion": str(version.version),
        "architecture": list(version.architectures),
        "computeTypes": list(version.compute_types),
        "requiresConfiguration": version.requires_configuration,
        "requiresIamPermissions": version.requires_iam,
        "compatibilities": [
            {
                "clusterVersion": str(minor),
                "platformVersions": platforms.split(","),
                "defaultVersion": minor in version.default_for,
            }
            for minor, platforms in version.kubernetes.items()
        ],
    }


class EksServer:
    """AWS on loopback: `with EksServer(table) as server: server.client("eks")`."""

    def __init__(self, table: Mapping[str, dict[str, Any]]) -> None:
        from moto.moto_server.threaded_moto_server import ThreadedMotoServer

        from tests.eks import responses

        self._table = table
        self.state = State(table)
        self._clients: dict[str, Any] = {}
        self._running = responses.current
        responses.register()
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)

    def __enter__(self) -> "EksServer":
        self._running.append(self)
        os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"  # 1,285 images, half a second each time, and nothing asks
        logging.getLogger("werkzeug").setLevel(logging.ERROR)  # not a line for every request
        self._server.start()
        self.reset()
        return self

    def reset(self) -> None:
        """An AWS in which nothing was ever made; moto keeps its own state as long as the process runs."""
        self.state = State(self._table)
        asked = urllib.request.Request(f"{self.url}/moto-api/reset", method="POST")
        urllib.request.urlopen(asked, timeout=10).close()

    def __exit__(self, *_: object) -> None:
        self._server.stop()
        self._running.pop()

    @property
    def url(self) -> str:
        host, port = self._server.get_host_and_port()
        return f"http://{host}:{port}"

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to take this for AWS."""
        return {**_CREDENTIALS, "AWS_ENDPOINT_URL": self.url, "AWS_EC2_METADATA_DISABLED": "true"}

    def client(self, service: str) -> Any:
        """boto3's client of a service, made once."""
        import boto3

        if service not in self._clients:
            self._clients[service] = boto3.client(  # type: ignore[call-overload]
                service,
                region_name=REGION,
                endpoint_url=self.url,
                aws_access_key_id="testing",
                aws_secret_access_key="testing",
            )
        return self._clients[service]

    def create_cluster(self, name: str, version: str, **more: Any) -> None:
        """An ACTIVE cluster in one subnet; `more` is merged into what DescribeCluster answers."""
        ec2 = self.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.1.0.0/24")["Subnet"]["SubnetId"]
        self.client("eks").create_cluster(
            name=name,
            version=version,
            roleArn="arn:aws:iam::123456789012:role/cluster",
            resourcesVpcConfig={"subnetIds": [subnet]},
        )
        self.state.clusters[name] = {"version": version, "platformVersion": "eks.5", **more}
