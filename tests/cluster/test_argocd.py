"""The lab with a real Argo CD: what it owns shows as its own, and it puts back what somebody else changes."""

from pathlib import Path
from typing import Any

import pytest

from tests.cluster import argocd
from tests.cluster.changes import got
from tests.cluster.cluster import RUN
from tests.cluster.conftest import Kept
from tests.cluster.lab import CONTEXT, Lab
from tests.cluster.processes import Records, wait_for
from tests.cluster.test_cleanup import traces
from tests.cluster.test_lab import analysis

pytestmark = pytest.mark.prove
_OWNER = f"argocd application {argocd.NAMESPACE}/{argocd.ADDON}"


def deployment(lab: Lab) -> dict[str, Any]:
    (found,) = got(lab.cluster, f"deployment/{argocd.ADDON}", "-n", argocd.ADDON)
    return found


def image(lab: Lab) -> str:
    return str(deployment(lab)["spec"]["template"]["spec"]["containers"][0]["image"])


def test_the_addon_shows_under_its_application(argocd_lab: Lab) -> None:
    found = analysis(argocd_lab, "--context", CONTEXT)
    (row,) = (row for row in found["installations"] if row["addon"] == argocd.ADDON)
    assert (row["method"], row["version"], row["owner"]) == ("argocd", argocd.VERSION, _OWNER)
    (reference,) = (claim["owner_ref"] for claim in row["claims"] if claim["method"] == "argocd")
    assert reference["auto_sync"] is True
    assert found["gaps"] == []


def test_argocd_puts_back_an_image_that_somebody_patches(argocd_lab: Lab) -> None:
    before, other = deployment(argocd_lab)["metadata"]["generation"], f"{argocd.IMAGE}-by-hand"
    argocd_lab.cluster.kubectl(
        "-n", argocd.ADDON, "set", "image", f"deployment/{argocd.ADDON}", f"{argocd.ADDON}={other}"
    )
    wait_for("Argo CD", lambda: image(argocd_lab) == argocd.IMAGE, 30)
    assert deployment(argocd_lab)["metadata"]["generation"] >= before + 2  # it was changed, and changed again
    argocd_lab.cluster.ready(f"deployment/{argocd.ADDON}", argocd.ADDON)


def test_nothing_of_it_stays(argocd_lab: Lab, kept: Kept) -> None:
    noted = [line.split(" ", 2) for line in Records(RUN).noted("process")]
    processes = [Path("/proc", pid) for pid, _, name in noted if name.startswith("argocd-")]
    assert [process.exists() for process in processes] == [True, True, True]
    kept.end()
    assert [process.exists() for process in processes] == [False, False, False]
    assert traces() == []
