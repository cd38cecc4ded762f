"""Snapshots on disk: what an older addonctl wrote is read for what it says."""

import json
from pathlib import Path

import pytest

from addonctl.adapters.sources import snapshot_file
from addonctl.errors import BadInput
from addonctl.model import EksAddon
from tests.builders import eks, snapshot


def test_what_an_older_addonctl_did_not_write_is_unknown_and_not_false(tmp_path: Path) -> None:
    document = json.loads(snapshot_file.encode(snapshot(eks=eks(addons=(EksAddon(name="coredns"),)))))
    (addon,) = document["eks"]["addons"]
    del addon["is_configured"]
    addon["configuration_values"] = '{"replicaCount": 3}'  # as it was once kept
    path = tmp_path / "old.snap"
    path.write_text(json.dumps(document))
    read = snapshot_file.load(path)
    assert read.eks is not None
    assert read.eks.addons == (EksAddon(name="coredns", is_configured=None),)


def test_a_schema_of_the_future_is_refused() -> None:
    with pytest.raises(BadInput, match="written by a newer addonctl") as error:
        snapshot_file.decode(b'{"schema":99,"taken":"2026-11-24T12:00:00Z"}', "it")
    assert error.value.fix == "Update addonctl."
