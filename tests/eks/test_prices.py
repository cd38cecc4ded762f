"""`addonctl prices refresh`: what AWS's Price List says of a region, over HTTP, and what is then reckoned with."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from addonctl.adapters import price_list, price_table
from addonctl.errors import BadInput, Forbidden
from tests.apps.terminal import in_process
from tests.eks.server import REGION, EksServer

DAY = date(2026, 11, 26)


def product(service: str, family: str, usd: str, unit: str, **attributes: str) -> dict[str, Any]:
    """One product as GetProducts answers it; its shape is that of the example in AWS's API."""
    sku = f"SKU{abs(hash((service, family, usd, *attributes.values()))) % 10**12}"
    rate = f"{sku}.JRTCKXETXF.6YS6EN2CT7"
    dimension = {
        "unit": unit,
        "endRange": "Inf",
        "description": f"${usd} per {unit}",
        "appliesTo": [],
        "rateCode": rate,
        "beginRange": "0",
        "pricePerUnit": {"USD": usd},
    }
    term = {
        "priceDimensions": {rate: dimension},
        "sku": sku,
        "effectiveDate": "2026-11-01T00:00:00Z",
        "offerTermCode": "JRTCKXETXF",
        "termAttributes": {},
    }
    said = {"servicecode": service, "locationType": "AWS Region", "regionCode": REGION, **attributes}
    return {
        "product": {"productFamily": family, "attributes": said, "sku": sku},
        "serviceCode": service,
        "terms": {"OnDemand": {f"{sku}.JRTCKXETXF": term}},
        "version": "20261120181500",
        "publicationDate": "2026-11-20T18:15:00Z",
    }


def instance(name: str, usd: str, vcpus: int = 2, memory: str = "8 GiB", **more: str) -> dict[str, Any]:
    said = {
        "instanceType": name,
        "vcpu": str(vcpus),
        "memory": memory,
        "operatingSystem": "Linux",
        "tenancy": "Shared",
        "preInstalledSw": "NA",
        "capacitystatus": "Used",
        "marketoption": "OnDemand",
        "usagetype": f"EUC1-BoxUsage:{name}",
    }
    return product("AmazonEC2", "Compute Instance", usd, "Hrs", **(said | more))


def storage(usage_type: str, usd: str, unit: str = "GB-Mo", family: str = "Storage") -> dict[str, Any]:
    return product("AmazonEC2", family, usd, unit, usagetype=f"EUC1-EBS:{usage_type}")


@pytest.fixture
def listed(eks: EksServer) -> EksServer:
    eks.state.products = [
        instance("m5.large", "0.1150000000"),
        instance("u-24tb1.metal", "218.4000000000", 448, "24,576 GiB"),
        instance("p5.48xlarge", "31.464", 192, "2048 GiB", marketoption="CapacityBlock"),
        instance("m5.large", "0.2070000000", operatingSystem="Windows"),
        instance("m5.large", "0.0000000000", capacitystatus="UnusedCapacityReservation"),
        instance("m5.large", "0.0960000000", regionCode="us-east-1"),
        storage("VolumeUsage.gp3", "0.0952000000"),
        storage("VolumeUsage", "0.0590000000"),
        storage("VolumeP-Throughput.gp3", "48.7424000000", "GiBps-mo", "Provisioned Throughput"),
        product("AWSELB", "Load Balancer-Application", "0.027", "Hrs", usagetype="EUC1-LoadBalancerUsage"),
        product("AWSELB", "Load Balancer-Application", "0.0001", "Hrs", usagetype="EUC1-TS-LoadBalancerUsage"),
    ]
    return eks


def test_a_region_is_read_whole_and_nothing_else(listed: EksServer) -> None:
    listed.state.products += [instance(f"x{n}.large", "1.5") for n in range(250)]
    found = price_list.prices_of(REGION, None, as_of=DAY)
    assert len(found.hourly) == 252
    assert found.hourly["m5.large"] == Decimal("0.115")
    assert (found.types["u-24tb1.metal"].vcpus, found.types["u-24tb1.metal"].memory_mib) == (448, 24 * 2**20)
    assert {key: price.usd for key, price in found.prices.items()} == {
        "ebs.gp3": Decimal("0.0952"),
        "ebs.standard": Decimal("0.059"),
        "ebs.gp3.throughput": Decimal("0.0476"),
        "elb.application": Decimal("0.027"),
    }


def test_every_filter_is_of_a_packaged_price_with_the_unit_that_is_meant() -> None:
    assert price_table.price_filters().keys() <= price_table.packaged_aws().prices.keys()


def test_a_refreshed_region_is_no_longer_estimated_and_others_stay_as_they_were(
    listed: EksServer, tmp_path: Path
) -> None:
    env = {**listed.environment, "ADDONCTL_CACHE_DIR": str(tmp_path), "PATH": ""}
    done = in_process("prices", "refresh", "--region", REGION, env=env)
    assert done.returncode == 0, done.stderr
    assert f"2 instance types and 4 other prices of {REGION}" in done.stderr
    own, packaged = price_table.load(REGION, tmp_path), price_table.load(REGION)
    price = own.instance("m5.large")
    assert price is not None
    assert (price.usd, price.estimated) == (Decimal("0.115"), "")
    assert own.of("ebs.gp3").estimated == ""
    assert own.of("ebs.gp2") == packaged.of("ebs.gp2")
    assert own.instance("c5.large") == packaged.instance("c5.large")
    assert price_table.load("eu-west-1", tmp_path) == price_table.load("eu-west-1")


def test_without_the_permission_it_is_named(listed: EksServer) -> None:
    listed.state.denied = {"GetProducts"}
    with pytest.raises(Forbidden, match="pricing:GetProducts"):
        price_list.prices_of(REGION, None, as_of=DAY)


@pytest.mark.parametrize("region", ["cn-north-1", "xx-nowhere-1"])
def test_a_region_that_cannot_be_priced_is_refused(listed: EksServer, region: str) -> None:
    with pytest.raises(BadInput, match=region):
        price_list.prices_of(region, None, as_of=DAY)


def test_a_damaged_table_is_named_with_how_to_renew_it(tmp_path: Path) -> None:
    price_table.own_path(REGION, tmp_path).write_bytes(b"no gzip")
    with pytest.raises(BadInput, match="is damaged") as refused:
        price_table.load(REGION, tmp_path)
    assert f"prices refresh --region {REGION}" in refused.value.fix
