"""`addonctl twin` and `--rehearse`: what is printed, as JSON too, and which exit code says what."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from addonctl.adapters.sources.saved import Demo
from addonctl.apps.cli import cli
from addonctl.errors import BadInput
from addonctl.model.rehearsal import Rehearsal, Rehearsed, Weather

_PLAN = ("plan", "coredns", "--to", "v1.13.2-eksbuild.21", "--demo", "--rehearse")

_SECOND = ("--runs", "1", "--seed", "2")


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, words, catch_exceptions=False)


def test_a_twin_says_what_was_carried_over_and_what_was_not() -> None:
    found = run("twin", "--demo")
    assert found.exit_code == 0
    assert "3 nodes, 46 pods of which 46 are ready" in found.output
    assert "Flux Kustomizations    0     1        nothing reconciles them" in found.output
    assert "No twin has: CPU and memory" in found.output


def test_a_twin_of_a_saved_snapshot_as_json(tmp_path: Path) -> None:
    saved = str(tmp_path / "prod-eu-1.json.gz")
    assert run("snapshot", "save", saved, "--demo").exit_code == 0
    document = json.loads(run("twin", saved, "-o", "json").output)
    assert (document["kind"], document["cluster"], document["failed"]) == ("Twin", Demo().snapshot().cluster.name, [])
    assert document["pods"] == {"made": 46, "ready": 46}


def test_a_rehearsal_is_told_with_its_seeds_and_where_what_went_wrong_comes_from() -> None:
    found = run(*_PLAN, "--runs", "4", "--seed", "3")
    assert found.exit_code == 0
    assert "REHEARSED 4 TIMES IN A SIMULATED TWIN OF prod-eu-1" in found.output
    assert "seeds 3 to 6" in found.output
    assert "one of 6 incidents (public updates of this add-on), of equal weight" in found.output
    assert "Updated in 1 of 1 runs in which nothing was in its way." in found.output


def test_one_seed_can_be_tried_again_by_itself() -> None:
    both, again = (json.loads(run(*_PLAN, *words, "-o", "json").output)["runs"] for words in (("--runs", "2"), _SECOND))
    assert both[1:] == again
    assert "In none of these runs nothing was in its way" in run(*_PLAN, *_SECOND).output


def test_as_json_in_one_process_or_in_several() -> None:
    few, many = (json.loads(run(*_PLAN, "--runs", runs, "-o", "json").output) for runs in ("4", "6"))
    assert few["runs"] == many["runs"][:4]
    assert few["recommended"] is True
    assert {each["weather"] for each in few["summary"]} == {"calm", "faults", "incident"}
    calm = few["runs"][0]
    assert (calm["end"], calm["incident"], calm["requests"]["lost"]) == ("updated", None, 0)
    assert calm["timeline"][-1]["phase"] == "updated"
    assert few["twin"]["not_modelled"]


def test_a_plan_that_fails_though_nothing_is_in_its_way_is_not_recommended() -> None:
    found = run("plan", "kube-state-metrics", "--to", "2.18.0", "--demo", "--rehearse", "--runs", "1")
    assert found.exit_code == 3
    assert "Not recommended: with nothing in its way it was updated in 0 of 1 runs only." in found.output
    assert "Nobody knows where the chart of helm release monitoring/kps comes from" in found.output


def test_nothing_to_do_is_nothing_to_rehearse() -> None:
    found = run("plan", "coredns", "--to", "v1.12.4-eksbuild.18", "--demo", "--rehearse")
    assert found.exit_code == 0
    assert "REHEARSED" not in found.output


def test_without_nodes_nothing_is_rehearsed(tmp_path: Path) -> None:
    image = "602401143452.dkr.ecr.eu-central-1.amazonaws.com/eks/coredns:v1.12.4-eksbuild.18"
    (tmp_path / "dns.yaml").write_text(_MANIFEST.replace("IMAGE", image))
    words = ("-f", str(tmp_path), "--kubernetes", "1.34", "--rehearse")
    with pytest.raises(BadInput, match="No node was read"):
        run("plan", "coredns", "--to", "v1.13.2-eksbuild.21", *words)


_MANIFEST = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: coredns, namespace: kube-system, labels: {k8s-app: kube-dns}}
spec:
  selector: {matchLabels: {k8s-app: kube-dns}}
  template:
    metadata: {labels: {k8s-app: kube-dns}}
    spec: {containers: [{name: coredns, image: IMAGE}]}
"""


@pytest.mark.parametrize(("ends", "recommended"), [(("updated", "stuck"), True), (("rolled back", "updated"), False)])
def test_only_calm_runs_speak_against_a_plan(ends: tuple[str, str], recommended: bool) -> None:
    runs = tuple(
        Rehearsed(seed=1, weather=weather, end=end, bad=False, why=None, took_s=1, back_s=None)
        for weather, end in zip((Weather.CALM, Weather.FAULTS), ends, strict=True)
    )
    found = Rehearsal(cluster="prod-eu-1", goal="", plan="", runs=runs, incidents=(), known=False, carried=())
    assert found.recommended is recommended
