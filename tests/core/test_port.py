"""Ports as values: their text is theirs alone, and what a snapshot on disk holds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addonctl.adapters.sources import snapshot_file
from addonctl.model import Port, Service
from tests.builders import snapshot


@pytest.mark.parametrize(
    ("text", "port"),
    [
        ("metrics:9153/TCP", Port("metrics", 9153)),
        (":53/UDP", Port("", 53, "UDP")),
        ("https:443/TCP>8443", Port("https", 443, "TCP", "8443")),
    ],
)
def test_a_port_is_read_from_its_text(text: str, port: Port) -> None:
    assert Port.of(text) == port
    assert port.text == text


@pytest.mark.parametrize("text", ["", "dns", "dns:53", "dns:x/UDP"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a port"):
        Port.of(text)


def test_people_see_a_port_without_its_target() -> None:
    assert str(Port("https", 443, target="8443")) == "https:443/TCP"


def test_a_port_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Port("https", 443).number = 80


@given(
    st.builds(
        Port,
        st.text(max_size=5),
        st.integers(0, 65535),
        st.sampled_from(["TCP", "UDP"]),
        st.sampled_from(["", "https"]),
    )
)
def test_a_snapshot_on_disk_holds_ports_as_text(port: Port) -> None:
    made = snapshot(services=(Service(name="a", ports=(port,)),))
    assert snapshot_file.decode(snapshot_file.encode(made), "test") == made
