"""The report of an upgrade in every format: complete, harmless, and made of commands that are taken."""

import json
import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from addonctl.apps import wiring
from addonctl.assessment import Assessment
from addonctl.findings import CHECKS
from addonctl.model import View
from addonctl.render import upgrade_html, upgrades
from addonctl.render.commands import LineKind, action_lines
from addonctl.upgrading import Outcome, UpgradeReport, by_addonctl, by_owner
from addonctl.versions import Minor
from tests.apps.conftest import FixedClock
from tests.apps.hostile import poisoned
from tests.apps.terminal import in_process as run
from tests.apps.test_commands import binary, commands_of, understood
from tests.apps.test_help import parsed
from tests.apps.test_html import _Page


@pytest.fixture(scope="module")
def reported() -> tuple[Assessment, UpgradeReport]:
    return replace(wiring.open_manager(demo=True), clock=FixedClock()).upgrade_report(Minor(1, 36))


def test_every_command_in_it_is_taken_by_its_tool(reported: tuple[Assessment, UpgradeReport]) -> None:
    _, found = reported
    tools = set()
    for stage in found.stages:
        listed = [*action_lines(stage.control_plane), *action_lines(stage.nodes)]
        for step in (*stage.before, *stage.after):
            listed += [line for done in (by_owner(step), step.undo, by_addonctl(step)) for line in action_lines(done)]
        for words in commands_of(tuple(listed)):
            tools.add(words[0])
            if words[0] == "addonctl":
                parsed(words[1:])
            elif words[0] == "aws" or binary(words[0]):
                understood(words)
    assert tools >= {"aws", "addonctl"}


def test_the_markdown_holds_every_blocker_step_and_add_on(reported: tuple[Assessment, UpgradeReport]) -> None:
    text = upgrades.markdown(*reported)
    _, found = reported
    assert text.index("## Blockers") < text.index("## To look at") < text.index("## Order") < text.index("## Add-ons")
    for each in found.obstacles:
        assert f"**{each.finding.code}** {CHECKS[each.finding.code].title}" in text
    for step in found.plan.steps:
        assert f"{step.id}. `{step.installation}`" in text
    for addon in found.addons:
        assert f"| `{addon.installation}` |" in text
    assert text.index("update-cluster-version --name prod-eu-1 --kubernetes-version 1.35") < text.index(
        "update-cluster-version --name prod-eu-1 --kubernetes-version 1.36"
    )


def test_blocks_of_the_markdown_hold_commands_alone(reported: tuple[Assessment, UpgradeReport]) -> None:
    """What stands in a block is pasted: prose does not."""
    blocks = re.findall(r"^```text\n(.*?)^```$", upgrades.markdown(*reported), re.MULTILINE | re.DOTALL)
    assert blocks
    tools = {shlex.split(line, comments=True)[0] for block in blocks for line in block.splitlines() if line[0] != "#"}
    assert tools <= {"aws", "kubectl", "helm"}


def test_the_document_says_the_same(tmp_path: Path, reported: tuple[Assessment, UpgradeReport]) -> None:
    document = json.loads(run("upgrade-report", "--demo", "--target", "1.36", "-o", "json").stdout)
    assert (document["kind"], document["from"], document["target"]) == ("UpgradeReport", "1.34", "1.36")
    assert [stage["to"] for stage in document["stages"]] == ["1.35", "1.36"]
    assert len(document["addons"]) == len(reported[1].addons)
    assert all(each["reason"] for each in document["addons"] if each["outcome"] == Outcome.UNKNOWN)
    assert {each["code"] for each in document["blockers"]} == {each.finding.code for each in reported[1].blockers}
    first = document["stages"][0]["before"][0]
    assert first["commands"].splitlines()[-1].startswith("aws eks wait addon-active")


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ("", 0),
        ("--fail-on blocker", 2),
        ("--fail-on unknown", 2),
        ("-o html", 0),
        ("--target 1.34", 1),
    ],
)
def test_it_ends_as_it_was_asked_to(options: str, code: int) -> None:
    assert run("upgrade-report", "--demo", *options.split()).returncode == code


def test_files_need_the_kubernetes_that_they_are_for(tmp_path: Path) -> None:
    manifest = tmp_path / "coredns.yaml"
    manifest.write_text(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: coredns, namespace: kube-system}\n"
        "spec: {template: {spec: {containers: [{name: coredns, image: eks/coredns:v1.11.4-eksbuild.2}]}}}\n"
        "---\napiVersion: flowcontrol.apiserver.k8s.io/v1beta3\nkind: FlowSchema\nmetadata: {name: batch}\n"
    )
    without = run("upgrade-report", "-f", str(manifest), "--target", "1.33")
    assert without.returncode == 1
    assert "--kubernetes" in without.stderr
    given = run("upgrade-report", "-f", str(manifest), "--kubernetes", "1.30", "--target", "1.33", "-o", "json")
    assert given.returncode == 0, given.stderr
    found = json.loads(given.stdout)
    assert [stage["to"] for stage in found["stages"]] == ["1.31", "1.32", "1.33"]
    (api,) = (each for each in found["blockers"] if each["code"].startswith("API"))
    assert (api["before"], api["evidence"][0]["subject"]) == ("1.32", "FlowSchema/batch")
    assert found["gaps"], "what a folder does not hold is said"


def test_files_are_part_of_a_cluster_and_never_ready(tmp_path: Path) -> None:
    manifest = tmp_path / "a.yaml"
    manifest.write_text("apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n")
    given = ("upgrade-report", "-f", str(manifest), "--kubernetes", "1.33", "--target", "1.34")
    done = run(*given, "--fail-on", "unknown")
    assert done.returncode == 2
    assert "aws eks update-cluster-version --name CLUSTER --kubernetes-version 1.34" in done.stdout
    assert "not everything is known: what of the cluster is not in the input" in " ".join(done.stdout.split())
    assert run(*given, "--fail-on", "blocker").returncode == 0


@pytest.mark.parametrize("output", ["table", "markdown", "html"])
def test_what_to_look_up_stands_before_the_stage_that_asks_for_it(output: str, tmp_path: Path) -> None:
    page = tmp_path / "page"
    shown = run("upgrade-report", "--demo", "--target", "1.37", "-o", output, "-O", str(page))
    assert shown.returncode == 0, shown.stderr
    text = " ".join(page.read_text().replace("\\", "").split())
    asked = text.index("Look up first which version supports 1.36: cert-manager (published for it: 1.21), flux.")
    assert text.index("The control plane to 1.35") < asked < text.index("The control plane to 1.36")
    assert "Kubernetes 1.37, which EKS is not known to offer, and what it removes" in text


# ── The page ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_page_is_whole_and_loads_nothing(reported: tuple[Assessment, UpgradeReport]) -> None:
    text = upgrade_html.page(*reported)
    page = _Page(text)
    assert not page.badly_nested
    assert not page.open
    assert not {tag for tag, _ in page.tags} & {"script", "img", "iframe", "form"}
    assert "url(" not in text
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    links = {attrs["href"] for attrs in page.all("a")}
    assert links
    assert links <= {f"#{id_}" for id_ in ids}
    for each in reported[1].obstacles:
        assert f"{each.finding.code} {CHECKS[each.finding.code].title} {each.finding.subject}" in page.text


def test_a_hostile_cluster_is_shown_as_text_in_every_format(reported: tuple[Assessment, UpgradeReport]) -> None:
    assessment, found = reported
    told = replace(found, obstacles=poisoned(found.obstacles))
    page = upgrade_html.page(assessment, told)
    assert "<script" not in page
    assert not {tag for tag, _ in _Page(page).tags} & {"script", "img"}
    text = upgrades.markdown(assessment, told)
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    inline = [child for token in tokens for child in token.children or ()]
    assert "\x1b" not in text
    assert "html_block" not in {token.type for token in tokens}
    assert {child.content for child in inline if child.type == "html_inline"} <= {"<code>", "</code>"}
    assert not {"link_open", "image"} & {child.type for child in inline}


def test_what_is_in_a_box_can_be_pasted(reported: tuple[Assessment, UpgradeReport]) -> None:
    text = upgrade_html.page(*reported)
    boxed = re.findall('<pre class="fix"[^>]*><code>(.*?)</code></pre>', text, re.DOTALL)
    plain = [re.sub("<[^>]+>", "", box) for box in boxed]
    for step in reported[1].plan.steps:
        for line in action_lines(by_owner(step)):
            assert line.kind is not LineKind.COMMAND or any(line.text[:60] in box for box in plain), line


def test_it_says_of_which_cluster_its_commands_are(reported: tuple[Assessment, UpgradeReport]) -> None:
    assessment, found = reported
    cluster = replace(assessment.snapshot.cluster, context="admin@prod", source="live")
    live = replace(assessment, view=View(replace(assessment.snapshot, cluster=cluster)))
    said = f"this is prod-eu-1, context admin@prod, region {live.view.region}"
    assert live.view.region
    assert said in upgrades.markdown(live, found).replace("\\", "")
    assert said in _Page(upgrade_html.page(live, found)).text


def test_nothing_known_in_the_way_is_not_called_ready(reported: tuple[Assessment, UpgradeReport]) -> None:
    assessment, found = reported
    clear = replace(found, obstacles=())
    assert f"not everything is known: {len(found.questions)} add-ons" in upgrades.verdict(clear, assessment)
    known = replace(clear, questions=(), addons=())
    assert upgrades.verdict(known, assessment).startswith("Nothing stands in the way")
