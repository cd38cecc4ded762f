"""AWS's table of add-on versions in one small file: packaged with addonctl, or the user's own from `catalog refresh`.

The file is gzip of JSON. Versions of one add-on share few distinct sets of attributes, so each set is written once and
versions point to it; 9,500 cells take some 30 KB and load in milliseconds. scripts/build_eks_table.py writes the
packaged one from DescribeAddonVersions output.
"""

import gzip
import zlib
from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec

from addonctl.adapters import shapes, whole_file
from addonctl.catalog import EksAddonVersions, EksTable, EksVersion
from addonctl.errors import BadInput
from addonctl.versions import Minor, Version

FILE_NAME = "addon-versions.json.gz"
_FORMAT = 1
_RENEW = "Renew it with `addonctl catalog refresh`."


class _Attributes(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What a version supports; shared by most versions of an add-on."""

    kubernetes: tuple[tuple[str, str], ...]  # (minor, platform version: "*" or "eks.N+")
    architectures: tuple[str, ...]
    compute_types: tuple[str, ...]
    requires_configuration: bool
    requires_iam: bool


class _Version(msgspec.Struct, array_like=True, frozen=True, gc=False):
    version: str
    attributes: int
    default_for: tuple[str, ...]


class _AddOn(msgspec.Struct, frozen=True, gc=False):
    name: str
    type: str
    owner: str
    publisher: str
    namespace: str
    attributes: tuple[_Attributes, ...]
    versions: tuple[_Version, ...]


class _File(msgspec.Struct, frozen=True):
    format: int
    as_of: date
    source: str
    region: str
    addons: tuple[_AddOn, ...]


@cache
def packaged() -> EksTable:
    """The table packaged with addonctl."""
    body = (resources.files("addonctl") / "data" / "eks" / FILE_NAME).read_bytes()
    return _decode(body, "the packaged table")


def cached(folder: Path) -> EksTable | None:
    """The user's own table, None if there is none. Raises BadInput when it is damaged."""
    path = folder / FILE_NAME
    body = whole_file.read_table(path, _RENEW)
    return None if body is None else _decode(body, str(path))


def save(table: EksTable, folder: Path) -> Path:
    """Writes the table atomically and returns its path; equal tables give equal bytes.

    Raises NotReachable when it cannot be written.
    """
    return whole_file.write_table(folder / FILE_NAME, msgspec.json.encode(_pack(table)))


def _decode(body: bytes, name: str) -> EksTable:
    try:
        stored = shapes.decode(gzip.decompress(body), _File)
    except (msgspec.DecodeError, OSError, EOFError, zlib.error) as error:
        raise BadInput(f"{name} of EKS add-on versions is damaged: {error}", _RENEW) from error
    if stored.format != _FORMAT:
        raise BadInput(f"{name} is of format {stored.format}, this addonctl reads {_FORMAT}", _RENEW)
    try:
        addons = {addon.name: _unpack(addon) for addon in stored.addons}
    except IndexError as error:
        raise BadInput(f"{name} of EKS add-on versions is damaged: {error}", _RENEW) from error
    return EksTable(as_of=stored.as_of, source=stored.source, region=stored.region, addons=addons)


def _unpack(addon: _AddOn) -> EksAddonVersions:
    kubernetes = [{Minor.of(minor): at for minor, at in shared.kubernetes} for shared in addon.attributes]
    return EksAddonVersions(
        name=addon.name,
        type=addon.type,
        owner=addon.owner,
        publisher=addon.publisher,
        namespace=addon.namespace,
        versions=tuple(
            _unpack_version(entry, addon.attributes[entry.attributes], kubernetes[entry.attributes])
            for entry in addon.versions
        ),
    )


def _unpack_version(entry: _Version, shared: _Attributes, kubernetes: Mapping[Minor, str]) -> EksVersion:
    return EksVersion(
        version=Version.of(entry.version),
        kubernetes=kubernetes,
        default_for=tuple(map(Minor.of, entry.default_for)),
        architectures=shared.architectures,
        compute_types=shared.compute_types,
        requires_configuration=shared.requires_configuration,
        requires_iam=shared.requires_iam,
    )


def _pack(table: EksTable) -> _File:
    addons = tuple(_pack_addon(table.addons[name]) for name in sorted(table.addons))
    return _File(_FORMAT, table.as_of, table.source, table.region, addons)


def _pack_addon(addon: EksAddonVersions) -> _AddOn:
    sets: dict[_Attributes, int] = {}
    listed = tuple(_pack_version(entry, sets) for entry in addon.versions)
    return _AddOn(addon.name, addon.type, addon.owner, addon.publisher, addon.namespace, tuple(sets), listed)


def _pack_version(entry: EksVersion, sets: dict[_Attributes, int]) -> _Version:
    shared = _Attributes(
        tuple((str(minor), at) for minor, at in entry.kubernetes.items()),
        entry.architectures,
        entry.compute_types,
        entry.requires_configuration,
        entry.requires_iam,
    )
    number = sets.setdefault(shared, len(sets))
    return _Version(str(entry.version), number, tuple(map(str, entry.default_for)))


def from_describe(addons: Iterable[Mapping[str, Any]]) -> dict[str, EksAddonVersions]:
    """Converts the AddonInfo objects of DescribeAddonVersions; an add-on that is in several pieces is merged.

    Raises BadInput for a version that cannot be parsed.
    """
    table: dict[str, EksAddonVersions] = {}
    for info in addons:
        before = table.get(info["addonName"])
        listed = tuple(_version(entry) for entry in info.get("addonVersions") or ())
        table[info["addonName"]] = EksAddonVersions(
            name=info["addonName"],
            type=info.get("type") or "",
            owner=info.get("owner") or "",
            publisher=info.get("publisher") or "",
            namespace=info.get("defaultNamespace") or "",
            versions=(*before.versions, *listed) if before else listed,
        )
    return table


def _version(entry: Mapping[str, Any]) -> EksVersion:
    rows = [(Minor.of(row["clusterVersion"]), row) for row in entry.get("compatibilities") or ()]
    return EksVersion(
        version=Version.of(entry["addonVersion"]),
        kubernetes={minor: ",".join(row.get("platformVersions") or ("*",)) for minor, row in rows},
        default_for=tuple(minor for minor, row in rows if row.get("defaultVersion")),
        architectures=tuple(entry.get("architecture") or ()),
        compute_types=tuple(entry.get("computeTypes") or ()),
        requires_configuration=bool(entry.get("requiresConfiguration")),
        requires_iam=bool(entry.get("requiresIamPermissions")),
    )
