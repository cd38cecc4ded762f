"""docs/how-to/read-a-score.md says how scores are made: it is held against them."""

import re
from pathlib import Path

from addonctl.apps import wiring
from addonctl.catalog import Catalog
from addonctl.health.scores import _CAPS, _SIDES, COVERAGE_MIN
from addonctl.model import Severity
from tests.judging import assessed

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "read-a-score.md").read_text()


def test_weights_and_limits_are_those_of_the_page() -> None:
    rows = re.findall(r"^\| ([a-z ]+) \| (\d+) \|", PAGE, re.MULTILINE)
    assert {name: int(weight) for name, weight in rows} == {name.value: side.weight for name, side in _SIDES.items()}
    assert f"caps it at {_CAPS[Severity.REQUIRED]}, a recommended one at {_CAPS[Severity.RECOMMENDED]}" in PAGE
    assert f"below {COVERAGE_MIN} %" in PAGE


def test_the_worked_example_is_the_demo(catalog: Catalog) -> None:
    seen = assessed(wiring.open_manager(demo=True).snapshot(), catalog)
    (each,) = (health for health in seen.health.addons if health.addon == "aws-ebs-csi-driver")
    read = sum(aspect.weight for aspect in each.aspects if aspect.health != "unknown")
    whole = sum(aspect.weight for aspect in each.aspects)
    assert f"{read} of the {whole} that apply to it\n(coverage {each.coverage} %)" in PAGE
    assert f"capped at {each.score}" in PAGE
