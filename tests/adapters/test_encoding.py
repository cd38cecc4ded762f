"""Versions, ranges, minors and ports are texts in files, and come back as what they were."""

from dataclasses import dataclass

import msgspec
import pytest

from addonctl.adapters import encoding
from addonctl.model import Port
from addonctl.versions import Minor, Version, VersionRange


@dataclass(frozen=True)
class Row:
    version: Version
    fits: VersionRange
    minor: Minor | None = None
    port: Port | None = None


ROW = Row(
    Version.of("v1.12.4-eksbuild.3"), VersionRange.of("1.12 - 1.14"), Minor(1, 35), Port("https", 443, target="8443")
)


def test_values_are_written_as_their_text_and_read_back() -> None:
    body = msgspec.json.encode(ROW, enc_hook=encoding.encode)
    assert body == b'{"version":"v1.12.4-eksbuild.3","fits":"1.12 - 1.14","minor":"1.35","port":"https:443/TCP>8443"}'
    assert msgspec.json.decode(body, type=Row, dec_hook=encoding.decode) == ROW


def test_none_stays_none() -> None:
    bare = Row(ROW.version, ROW.fits)
    body = msgspec.json.encode(bare, enc_hook=encoding.encode)
    assert msgspec.json.decode(body, type=Row, dec_hook=encoding.decode) == bare


@pytest.mark.parametrize(
    ("field", "written", "words"),
    [
        ("version", "latest", "cannot be read as a version"),
        ("fits", "2 - 1", "ends before it begins"),
        ("minor", "1,34", "is not a Kubernetes version"),
        ("minor", 1.3, "is written as a text"),
        ("port", "dns", "is not a port"),
    ],
)
def test_what_is_none_of_them_is_refused_with_its_place(field: str, written: object, words: str) -> None:
    row = {"version": "1.0", "fits": "*", "minor": "1.35", field: written}
    with pytest.raises(msgspec.ValidationError, match=words) as refused:
        msgspec.convert(row, Row, dec_hook=encoding.decode)
    assert f"$.{field}" in str(refused.value)


def test_what_has_no_text_is_not_encoded() -> None:
    with pytest.raises(TypeError, match="object cannot be encoded"):
        msgspec.json.encode({"a": object()}, enc_hook=encoding.encode)
