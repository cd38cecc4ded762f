"""The clusters of the stories, saved where commands find them; the same clock and the packaged catalogue for all."""

import gc
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

from addonctl.adapters.sources import snapshot_file
from addonctl.apps import wiring
from addonctl.apps.cli import cli
from addonctl.assessment import Assessment, assess
from addonctl.catalog import Catalog
from addonctl.inventory import take_inventory
from addonctl.model import Snapshot, View
from tests import bills
from tests.apps.conftest import FixedClock
from tests.stories import edge_us_2, legacy_1, payments, prod_eu_1, sandbox

CLUSTERS = {
    "prod-eu-1": prod_eu_1.snapshot,
    "payments": payments.snapshot,
    "edge-us-2": edge_us_2.snapshot,
    "sandbox": sandbox.snapshot,
    "legacy-1": legacy_1.snapshot,
}


@pytest.fixture(scope="session")
def snapshots() -> dict[str, Snapshot]:
    return {name: make() for name, make in CLUSTERS.items()}


@pytest.fixture(scope="session")
def folder(snapshots: dict[str, Snapshot], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where NAME.snap is that cluster, and bill.csv.gz a bill of prod-eu-1's account."""
    made = tmp_path_factory.mktemp("stories")
    nodes = [node.provider_id.rpartition("/")[2] for node in snapshots["prod-eu-1"].nodes]
    bills.write(made / "bill.csv.gz", [bills.cur_row(item) for item in bills.of_a_story(nodes)])
    for name, snapshot in snapshots.items():
        snapshot_file.save(snapshot, made / f"{name}.snap")
    return made


@pytest.fixture(scope="module")
def at_work(folder: Path) -> Iterator[None]:
    """Commands run in that folder on the day of the stories, without anybody's settings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("ADDONCTL_CACHE_DIR", str(folder / "cache"))
        patch.setenv("ADDONCTL_STATE_DIR", str(folder / "state"))
        patch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
        patch.delenv("ADDONCTL_CONFIG", raising=False)
        patch.setattr(wiring, "CLOCK", FixedClock())
        wiring.catalog.cache_clear()
        _warm_up()
        gc.freeze()  # a fork that collects would copy all of it
        yield
        wiring.catalog.cache_clear()


def _warm_up() -> None:
    """Loads once, before commands fork, what each of them would load anew."""
    for line in ("analyze", "analyze -o markdown", "analyze -o sarif", "analyze -o junit", "deps -o mermaid"):
        with redirect_stdout(StringIO()):
            cli.main([*line.split(), "--snapshot", "payments.snap"], standalone_mode=False)


@pytest.fixture(scope="session")
def judged(snapshots: dict[str, Snapshot], catalog: Catalog) -> dict[str, Assessment]:
    """Each cluster as addonctl judges it."""
    day = FixedClock().now().date()
    views = {name: View(snapshot) for name, snapshot in snapshots.items()}
    return {name: assess(view, take_inventory(view, catalog), catalog, day=day) for name, view in views.items()}
