"""AWS's Price List API: what EC2 instances and other things of data/prices cost in one region. Reads only.

Called by `addonctl prices refresh`. The API answers for all regions, from three of them; which products are asked for
is said in data/prices/price_list.yaml.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec

from addonctl.adapters import aws_errors, price_table, shapes
from addonctl.adapters.aws import Aws
from addonctl.catalog.prices import InstanceType, ListPrice, RegionPrices
from addonctl.errors import BadInput, Broken

_PAGE = 100  # the API's limit
_ENDPOINTS = {"eu": "eu-central-1", "ap": "ap-south-1"}  # else us-east-1. Source: AWS's general reference.
_EC2 = {
    "productFamily": "Compute Instance",
    "operatingSystem": "Linux",
    "tenancy": "Shared",
    "preInstalledSw": "NA",
    "capacitystatus": "Used",
}
_BASE_NAME = "USE1-"  # which some services write in us-east-1, and EC2 does not
_MEMORY = re.compile(r"([\d,.]+) GiB")


class _Dimension(msgspec.Struct):
    price: dict[str, Decimal] = msgspec.field(name="pricePerUnit")
    unit: str = ""
    begin: str = msgspec.field(name="beginRange", default="0")


class _Term(msgspec.Struct):
    dimensions: dict[str, _Dimension] = msgspec.field(name="priceDimensions")


class _Terms(msgspec.Struct):
    on_demand: dict[str, _Term] = msgspec.field(name="OnDemand", default_factory=dict)


class _Description(msgspec.Struct):
    attributes: dict[str, str]
    family: str = msgspec.field(name="productFamily", default="")


class _Product(msgspec.Struct):
    """What is read of one product of the list."""

    product: _Description
    terms: _Terms

    @property
    def usage_type(self) -> str:
        return self.product.attributes.get("usagetype", "")

    @property
    def usd(self) -> Decimal | None:
        """US dollars a unit of what is used first; None where there is no such price, or where it is nothing."""
        for term in self.terms.on_demand.values():
            for dimension in term.dimensions.values():
                usd = dimension.price.get("USD")
                if usd and Decimal(dimension.begin) == 0:
                    return usd
        return None


def prices_of(region: str, profile: str | None, *, as_of: date) -> RegionPrices:
    """What the Price List says of a region today.

    Raises BadInput for a region that is not sold in US dollars or that it does not know, Forbidden without the right.
    """
    if region.startswith("cn-"):
        raise BadInput(f"Prices of {region} are in yuan", "addonctl reckons in US dollars; there it knows no prices.")
    client = Aws(_ENDPOINTS.get(region.partition("-")[0], "us-east-1"), profile).client("pricing")
    products = tuple(_products(client, region, "AmazonEC2", _EC2))
    types = dict(_instances(products))
    if not types:
        raise BadInput(f"AWS's Price List has no instance types of {region}", "Check --region.")
    source = f"AWS Price List API, {region}"
    others = _others(client, region, _short_name(products))
    return RegionPrices(
        region=region,
        as_of=as_of,
        source=source,
        types={name: size for name, (size, _) in types.items()},
        hourly={name: usd for name, (_, usd) in types.items()},
        prices={key: ListPrice(usd=usd, unit=unit, source=source) for key, usd, unit in others},
    )


def _short_name(products: Iterable[_Product]) -> str:
    """What the region's usage types begin with: `EUC1-` of EUC1-BoxUsage:m5.large; mostly nothing in us-east-1."""
    return next(iter(each.usage_type.partition("BoxUsage")[0] for each in products), "")


def _products(client: Any, region: str, service: str, fields: Mapping[str, str]) -> Iterator[_Product]:
    """All products of a service in a region with these attributes, page by page."""
    wanted = [
        {"Type": "TERM_MATCH", "Field": field, "Value": value}
        for field, value in {**fields, "regionCode": region}.items()
    ]
    from botocore.exceptions import BotoCoreError, ClientError

    pages = client.get_paginator("get_products")
    try:
        for page in pages.paginate(ServiceCode=service, Filters=wanted, PaginationConfig={"PageSize": _PAGE}):
            for text in page["PriceList"]:
                yield shapes.decode(text, _Product)
    except msgspec.DecodeError as error:
        raise Broken(f"A product of AWS's Price List is not what it promises: {error}") from error
    except (ClientError, BotoCoreError, KeyError, TypeError) as error:
        raise aws_errors.failure(error) from error


def _instances(products: Iterable[_Product]) -> Iterator[tuple[str, tuple[InstanceType, Decimal]]]:
    """Type → its size and an hour of it. Capacity blocks are sold under the names of types, and left out."""
    for each in products:
        said = each.product.attributes
        memory, usd = _MEMORY.fullmatch(said.get("memory", "")), each.usd
        if usd is None or memory is None or said.get("marketoption", "OnDemand") != "OnDemand":
            continue
        mib = int(Decimal(memory[1].replace(",", "")) * 1024)
        yield said["instanceType"], (InstanceType(vcpus=int(said["vcpu"]), memory_mib=mib), usd)


def _others(client: Any, region: str, short_name: str) -> Iterator[tuple[str, Decimal, str]]:
    """The prices of aws.yaml that the list has for the region: key, US dollars, unit."""
    filters, packaged = price_table.price_filters(), price_table.packaged_aws().prices
    found: dict[tuple[str, str], dict[str, Decimal]] = {}
    for service, family in dict.fromkeys((each.service, each.family) for each in filters.values()):
        products = _products(client, region, service, {"productFamily": family})
        found[service, family] = {each.usage_type: each.usd for each in products if each.usd is not None}
    for key, each in filters.items():
        listed = found[each.service, each.family]
        usd = listed.get(short_name + each.usage_type) or listed.get(_BASE_NAME + each.usage_type)
        if usd is not None:
            yield key, usd / each.per, packaged[key].unit
