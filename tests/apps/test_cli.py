"""The command line as its users meet it: outputs, exit codes, errors with a fix, pipes."""

import importlib
import json
import os
import socket
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import click
import pytest

from addonctl.adapters.aws import Aws
from addonctl.apps import kubectl_completion
from addonctl.apps.options import duration_s
from addonctl.findings import CHECKS
from tests.apps.terminal import in_process as run

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def analysis() -> str:
    done = run("analyze", "--demo")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_demo_says_that_it_is_one_and_how_to_go_on(analysis: str) -> None:
    lines = analysis.rstrip().splitlines()
    assert lines[0].startswith("DEMO  prod-eu-1")
    assert lines[-1] == "addonctl analyze --context YOUR-CONTEXT"


def test_the_worst_comes_first(analysis: str) -> None:
    urgencies = [
        line.split()[0] for line in analysis.splitlines() if line[:12].strip() in ("REQUIRED", "RECOMMENDED", "INFO")
    ]
    assert urgencies
    assert urgencies == sorted(urgencies, key=["REQUIRED", "RECOMMENDED", "INFO"].index)


def test_no_colour_in_a_pipe(analysis: str) -> None:
    assert "\x1b" not in analysis


def test_analyze_json_has_the_promised_keys() -> None:
    document = json.loads(run("analyze", "--demo", "-o", "json").stdout)
    assert document["schema"] == "addonctl/v1"
    assert {
        "cluster_name",
        "total_addons",
        "addon_metrics",
        "dependency_analysis",
        "optimization_opportunities",
        "recommendations",
        "overall_health_score",
        "cost_efficiency_score",
        "findings",
        "gaps",
    } <= document.keys()
    assert 0 <= document["overall_health_score"]["value"] <= 100
    assert 0 < document["overall_health_score"]["coverage"] < 100, "nothing was probed"
    assert 0 < document["cost_efficiency_score"]["value"] < 100
    assert document["cost_efficiency_score"]["coverage"] < 100, "use was not asked for"
    assert {each["performance_score"]["unknown_reason"] for each in document["addon_metrics"]} == {
        "use was not asked for"
    }
    assert {
        "id",
        "code",
        "title",
        "severity",
        "capability",
        "due",
        "subject",
        "subject_ref",
        "where",
        "places",
        "evidence",
        "cause",
        "fix",
        "actions",
    } == document["findings"][0].keys()


def test_inventory_json_has_the_promised_keys() -> None:
    document = json.loads(run("inventory", "--demo", "-o", "json").stdout)
    for row in document["installations"]:
        assert {"addon", "name", "version", "method", "owner", "namespaces", "workloads", "evidence"} <= row.keys()
        assert row["evidence"]
        assert row["version"] or row["version_unknown_reason"]
    assert {row["method"] for row in document["installations"]} == {"eks", "helm", "argocd", "flux", "manifest"}
    assert document["unrecognised"]


def test_yaml_and_json_say_the_same() -> None:
    import yaml

    written = yaml.safe_load(run("inventory", "--demo", "-o", "yaml").stdout)
    assert written == json.loads(run("inventory", "--demo", "-o", "json").stdout)


def test_no_headers() -> None:
    lines = run("inventory", "--demo", "--no-headers").stdout.splitlines()
    assert len(lines) == 19
    assert "ADD-ON" not in lines[0]


def test_why_no_owner_is_known_is_said(tmp_path: Path) -> None:
    meta = {"name": "coredns", "namespace": "kube-system", "uid": "4a3e"}
    containers = [{"name": "coredns", "image": "registry.k8s.io/coredns/coredns:v1.11.1"}]
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta}
    dump = tmp_path / "dump.json"
    dump.write_text(json.dumps(deployment | {"spec": {"template": {"spec": {"containers": containers}}}}))
    why = "the dump has no managedFields; take it with --show-managed-fields"
    (row,) = json.loads(run("inventory", "-f", str(dump), "-o", "json").stdout)["installations"]
    assert (row["owner"], row["owner_ref"]) == ("", {"reason": why, "type": "undetermined"})
    assert why in run("inventory", "-f", str(dump), "-o", "wide").stdout
    assert why not in run("inventory", "-f", str(dump)).stdout


@pytest.mark.parametrize(("limit", "code"), [("never", 0), ("required", 2), ("info", 2)])
def test_findings_decide_the_exit_code_when_asked(limit: str, code: int) -> None:
    assert run("analyze", "--demo", "--fail-on", limit).returncode == code


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["analyze", "--demo", "--snapshot", "x"], "cannot be used together"),
        (["analyze", "--snapshot", "nowhere.gz"], "nowhere.gz cannot be read: No such file"),
        (["analyze", "--kubeconfig", "nowhere"], "kubeconfig nowhere does not exist"),
        (["catalog", "show", "corends"], "did you mean coredns"),
        (["catalog", "check", "coredns", "v1.12.4", "--kubernetes", "new"], "'new' is not a Kubernetes version"),
        (["catalog", "versions", "argo-cd"], "is not an EKS add-on"),
        (["catalog", "check", "coredns"], "needs ADDON, VERSION and --kubernetes"),
    ],
)
def test_errors_say_what_and_how_to_fix(arguments: list[str], words: str) -> None:
    done = run(*arguments)
    assert done.returncode == 1
    assert words in done.stderr
    assert "\nFix: " in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_option_is_an_error_and_not_a_finding() -> None:
    done = run("analyze", "--wrong")
    assert (done.returncode, done.stdout) == (1, "")


@pytest.mark.parametrize(
    ("addon", "version", "kubernetes", "answer"),
    [
        ("coredns", "v1.12.4-eksbuild.18", "1.34", "yes"),
        ("vpc-cni", "v1.18.1-eksbuild.1", "1.36", "no"),
        ("aws-vpc-cni", "v1.18.1-eksbuild.1", "1.36", "no"),
        ("coredns", "v9.9.9-eksbuild.1", "1.34", "unknown"),
        ("metrics-server", "0.7.2", "1.26", "no"),
        ("karpenter", "1.8.1", "1.34", "yes"),
        ("karpenter", "1.8.1", "1.36", "no"),
        ("argo-cd", "1.0.0", "1.36", "unknown"),
        ("datadog_operator", "v0.1.29-eksbuild.1", "1.35", "yes"),
    ],
)
def test_catalog_check(addon: str, version: str, kubernetes: str, answer: str) -> None:
    document = json.loads(run("catalog", "check", addon, version, "--kubernetes", kubernetes, "-o", "json").stdout)
    assert document["answer"] == answer
    assert document["reason"]
    assert document["source"]
    assert document["as_of"]


def test_catalog_check_of_a_stream_answers_every_line() -> None:
    done = run(
        "catalog", "check", "-", stdin="coredns v1.12.4-eksbuild.18 1.34\n\n# a comment\nnothing v1 1.34\ncoredns\n"
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["answer"] for answer in answers] == ["yes", "unknown", "unknown"]
    assert "nothing" in answers[1]["reason"]


def test_standard_input_is_read() -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "kube-proxy-x", "namespace": "kube-system"},
        "spec": {"containers": [{"name": "p", "image": "registry.k8s.io/kube-proxy:v1.34.1"}]},
    }
    document = json.loads(run("inventory", "-f", "-", "-o", "json", stdin=json.dumps(pod)).stdout)
    assert [(row["addon"], row["version"]) for row in document["installations"]] == [("kube-proxy", "v1.34.1")]


def test_a_snapshot_is_saved_shown_and_compared(tmp_path: Path) -> None:
    first, second = tmp_path / "a.json.gz", tmp_path / "b.json.gz"
    assert run("snapshot", "save", "--demo", str(first)).returncode == 0
    assert first.stat().st_mode & 0o077 == 0
    assert "workloads" in run("snapshot", "show", str(first)).stdout
    image = {"image": "quay.io/jetstack/cert-manager-controller:v1.20.0", "name": "c"}
    meta = {"name": "cert-manager", "namespace": "cert-manager"}
    changed = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": meta,
        "spec": {"template": {"spec": {"containers": [image]}}},
    }
    run("snapshot", "save", "-f", "-", str(second), stdin=json.dumps(changed))
    diff = json.loads(run("snapshot", "diff", str(first), str(second), "-o", "json").stdout)
    assert {"what": "version", "old": "v1.19.1", "new": "v1.20.0"}.items() <= diff["changed"][0].items()
    assert diff["removed"]


def test_a_snapshot_of_a_newer_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "new.json"
    path.write_text('{"schema": 99}')
    assert "newer addonctl (schema 99" in run("analyze", "--snapshot", str(path)).stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str) -> None:
    assert "_COMPLETE" in run("completion", shell).stdout


def test_kubectl_finds_it_as_a_plugin(tmp_path: Path) -> None:
    plugin = tmp_path / "kubectl-addons"
    plugin.write_text(f"#!{sys.executable}\nfrom addonctl.apps.cli import main\nmain()\n")
    plugin.chmod(0o755)
    done = subprocess.run([plugin, "--help"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Usage: kubectl addons")


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['addonctl', '--help']\n"
        "from addonctl.apps.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'boto3', 'msgspec', 'yaml', 'rich', 'pathlib', 'dataclasses', 'json', 'socket'}\n"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_what_reads_no_yaml_loads_no_decoder(tmp_path: Path) -> None:
    code = (
        "import sys; sys.argv = ['addonctl', 'findings', '--demo']\n"
        "from addonctl.apps.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([m for m in ('addonctl.adapters.decoders', 'boto3', 'urllib3', 'jinja2') if m in sys.modules])"
    )
    env = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path), "ADDONCTL_CONFIG": ""}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_front_door_gives_the_same() -> None:
    from addonctl import open_manager

    analysis = open_manager(demo=True).analyze_addon_ecosystem("prod-eu-1")
    assert (analysis.cluster_name, analysis.total_addons) == ("prod-eu-1", 19)
    assert analysis.use_measured_by == "the demo's made-up metrics"
    known = [each for each in analysis.addon_metrics if each.performance_score.value is not None]
    assert len(known) == 19
    for each in known:
        assert each.monthly_cost.usd_micros is not None
        assert each.hourly_cost.usd_micros == round(each.monthly_cost.usd_micros / 730)
        assert each.cpu_utilisation.percent is not None
        assert each.memory_utilisation.percent is not None


def test_the_doors_are_few() -> None:
    import addonctl

    assert sorted(addonctl.__all__) == ["AddonctlError", "Manager", "__version__", "open_manager"]


def test_the_front_door_says_what_is_due_under_the_keys_that_were_agreed() -> None:
    from addonctl import open_manager

    managed = open_manager(demo=True).automated_addon_lifecycle_management("prod-eu-1").to_dict()
    keys = ["cluster_name", "lifecycle_actions", "total_actions", "estimated_improvement", "execution_priority"]
    assert list(managed) == keys
    assert managed["total_actions"] == len(managed["lifecycle_actions"]) > 0
    of_each = {
        "action",
        "addon",
        "strategy",
        "confidence",
        "expected_downtime",
        "timeline",
        "alternative_solutions",
        "rollback_plan",
    }
    assert all(set(each) == of_each for each in managed["lifecycle_actions"])
    document = json.loads(run("lifecycle", "--demo", "-o", "json").stdout)
    assert set(keys) < set(document)
    assert [each["action"]["installation"] for each in document["lifecycle_actions"]] == [
        each["action"]["installation"] for each in managed["lifecycle_actions"]
    ]


def test_lifecycle_fails_on_what_its_actions_answer_and_on_nothing_else() -> None:
    assert run("lifecycle", "--demo").returncode == 0
    assert run("lifecycle", "--demo", "--fail-on", "required").returncode == 2
    codes = {found["code"] for found in json.loads(run("lifecycle", "--demo", "-o", "json").stdout)["findings"]}
    assert codes == {"CMP002", "EKS001", "EKS006", "EOL002"}


# ── findings, health, compat, matrix, deps ──────────────────────────────────────────────────────────────────────


def test_findings_can_be_narrowed() -> None:
    def of(*only: str) -> list[dict[str, str]]:
        words = [part for word in only for part in ("--only", word)]
        return list(json.loads(run("findings", "--demo", "-o", "json", *words).stdout)["findings"])

    everything = of()
    assert {found["severity"] for found in of("required")} == {"required"}
    assert {found["code"][:3] for found in of("EKS*")} == {"EKS"}
    assert all("metrics-server" in found["subject"] for found in of("metrics-server"))
    assert 0 < len(of("required")) < len(everything)
    assert of("harbor") == [], "known, and not installed there"


@pytest.mark.parametrize("word", ["HLT999", "metric-server", "urgent", ""])
def test_a_slip_of_the_finger_does_not_read_as_all_is_well(word: str) -> None:
    done = run("findings", "--demo", "--only", word, "--fail-on", "required")
    assert done.returncode == 1
    assert "there is no such severity, code, add-on or object" in done.stderr


def test_a_target_beyond_all_calendars_is_refused() -> None:
    for command in (("compat", "--demo"), ("matrix", "coredns")):
        done = run(*command, "--target", "1.340")
        assert done.returncode == 1
        assert "'1.340' is not a Kubernetes version" in done.stderr


def test_a_code_is_explained() -> None:
    explained = run("findings", "explain", "hlt001").stdout
    assert "HLT001" in explained
    assert "Fix:" in explained
    assert "Reads: workloads, pods" in explained
    wrong = run("findings", "explain", "HLT999")
    assert wrong.returncode == 1
    assert "Fix: See" in wrong.stderr


def test_only_what_is_new_since_a_snapshot(tmp_path: Path) -> None:
    saved = str(tmp_path / "before.json.gz")
    assert run("snapshot", "save", "--demo", saved).returncode == 0
    document = json.loads(run("findings", "--demo", "--since", saved, "-o", "json").stdout)
    assert document["findings"] == []
    assert document["since"]


def test_health_says_how_much_it_looked_at() -> None:
    document = json.loads(run("health", "--demo", "-o", "json").stdout)
    assert {"api_version", "kind", "namespace", "name", "health", "reason"} <= document["objects"][0].keys()
    assert all(0 <= addon["coverage"] < 100 for addon in document["addons"])
    assert any(addon["health"] == "degraded" and addon["score"] < 50 for addon in document["addons"])


def test_a_file_cannot_be_probed() -> None:
    done = run("health", "--demo", "--probe")
    assert done.returncode == 1
    assert "live cluster" in done.stderr


def test_compat_goes_through_every_minor_up_to_the_target() -> None:
    document = json.loads(run("compat", "--demo", "--target", "1.36", "-o", "json").stdout)
    assert {cell["kubernetes"] for cell in document["cells"]} == {"1.34", "1.35", "1.36"}
    assert {cell["answer"] for cell in document["cells"]} <= {"yes", "no", "unknown"}
    assert all(cell["reason"] for cell in document["cells"])


def test_a_matrix_needs_no_cluster() -> None:
    cells = json.loads(run("matrix", "vpc-cni", "karpenter", "-o", "json").stdout)["cells"]
    assert {"aws-vpc-cni", "karpenter"} == {cell["addon"] for cell in cells}
    assert "1.36" in run("matrix", "vpc-cni").stdout


def test_dependencies_in_every_form() -> None:
    document = json.loads(run("deps", "--demo", "-o", "json").stdout)
    assert {"from", "to", "type", "strength", "evidence"} <= document["edges"][0].keys()
    assert "digraph" in run("deps", "--demo", "-o", "dot").stdout
    assert run("deps", "--demo", "-o", "mermaid").stdout.startswith(("graph", "flowchart"))
    assert "if it fails" in run("deps", "coredns", "--demo").stdout
    absent = run("deps", "velero", "--demo")
    assert absent.returncode == 1
    assert "is not installed here" in absent.stderr


def test_a_waiver_takes_a_finding_out_until_its_day(tmp_path: Path) -> None:
    settings = tmp_path / "config.yaml"

    def codes(until: str) -> list[str]:
        settings.write_text(f"waivers:\n- {{code: INV001, reason: migration is under way, until: {until}}}\n")
        done = run("findings", "--demo", "--config", str(settings), "-o", "json")
        return [found["code"] for found in json.loads(done.stdout)["findings"]]

    assert "INV001" not in codes("2099-01-01")
    assert {"INV001", "WVR001"} <= set(codes("2020-01-01"))


def test_waivers_count_in_every_command(tmp_path: Path) -> None:
    settings = tmp_path / "config.yaml"
    settings.write_text("waivers:\n- {code: INV*, reason: migration is under way, until: 2099-01-01}\n")
    for command in ("inventory", "findings", "analyze", "deps"):
        document = json.loads(run(command, "--demo", "--config", str(settings), "-o", "json").stdout)
        assert not [found for found in document["findings"] if found["code"].startswith("INV")]
    assert run("inventory", "--demo", "--config", str(settings), "--fail-on", "info").returncode == 0
    shown = run("findings", "--demo", "--config", str(settings)).stdout
    assert "waived; --show-waived lists them" in shown
    assert "migration is under way" in run("findings", "--demo", "--config", str(settings), "--show-waived").stdout


@pytest.mark.parametrize("command", ["compat", "health", "inventory", "deps", "findings", "analyze", "lifecycle"])
def test_a_table_a_document_and_the_gate_are_one_set(command: str) -> None:
    codes = {found["code"] for found in json.loads(run(command, "--demo", "-o", "json").stdout)["findings"]}
    table = run(command, "--demo").stdout
    shown = {code for code in CHECKS if code in table}
    assert shown == codes
    assert run(command, "--demo", "--fail-on", "info").returncode == (2 if codes else 0)


@pytest.mark.parametrize(
    "options",
    [
        ("--demo", "-n", "kube-system"),
        ("--demo", "--context", "x"),
        ("-f", "x.yaml", "-n", "shop"),
        ("-f", "x.yaml", "--profile", "p"),
        ("--demo", "--region", "eu-west-1"),
        ("--snapshot", "x.snap", "--request-timeout", "5s"),
        ("--snapshot", "x.snap", "--kubeconfig", "k"),
        ("--eks", "a", "--context", "b"),
    ],
    ids=" ".join,
)
def test_an_option_of_another_source_is_refused_not_dropped(options: tuple[str, ...]) -> None:
    done = run("inventory", *options)
    assert done.returncode == 1
    assert "cannot be used together" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("matrix", "coredns", "--demo"),
        ("matrix", "coredns", "-f", "x.yaml"),
        ("matrix", "coredns", "--context", "x"),
        ("findings", "--demo", "explain", "HLT001"),
        ("rbac", "--iam", "--cluster-role"),
        ("catalog", "check", "-", "v1.0"),
        ("catalog", "check", "-", "--kubernetes", "1.34"),
        ("snapshot", "show", "x.snap", "--raw", "-o", "yaml"),
    ],
    ids=" ".join,
)
def test_an_option_that_would_do_nothing_is_refused(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert done.returncode == 1
    assert "cannot be used together" in done.stderr


@pytest.mark.parametrize("command", [("inventory", "--demo"), ("matrix", "coredns"), ("findings", "explain", "HLT001")])
def test_what_only_the_environment_says_is_no_option_of_another_source(
    command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "dev")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    done = run(*command)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_could_not_be_judged_fails_a_gate_unless_it_may() -> None:
    manifest = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}})
    gate = ("findings", "-f", "-", "--fail-on", "required")
    done = run(*gate, stdin=manifest)
    assert done.returncode == 1
    assert "could not be judged" in done.stderr
    assert run(*gate, "--kubernetes", "1.34", stdin=manifest).returncode == 0
    assert run(*gate, "--allow-gaps", stdin=manifest).returncode == 0


def test_a_snapshot_is_not_overwritten_unless_asked(tmp_path: Path) -> None:
    saved = tmp_path / "a.snap"
    assert run("snapshot", "save", "--demo", str(saved)).returncode == 0
    again = run("snapshot", "save", "--demo", str(saved))
    assert again.returncode == 1
    assert "--force" in again.stderr
    assert run("snapshot", "save", "--demo", "--force", str(saved)).returncode == 0


def test_a_snapshot_can_go_to_standard_output_and_names_itself(tmp_path: Path) -> None:
    command = ["snapshot", "save", "--demo"]
    piped = subprocess.run([sys.executable, "-m", "addonctl", *command, "-"], capture_output=True, check=True, cwd=ROOT)
    assert piped.stdout.startswith(b"\x1f\x8b")
    assert run(*command, folder=tmp_path).returncode == 0
    assert [path.name.split("-20")[0] for path in tmp_path.glob("*.snap")] == ["prod-eu-1"]


def test_an_older_snapshot_of_another_cluster_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.snap"
    run("snapshot", "save", "-f", "-", str(other), stdin='{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"}}')
    done = run("findings", "--demo", "--since", str(other))
    assert done.returncode == 1
    assert "of cluster" in done.stderr


@pytest.mark.parametrize("command", [["analyze"], ["findings"], ["catalog", "check", "coredns", "v1"]])
def test_a_kubernetes_that_is_none_is_refused_everywhere(command: list[str]) -> None:
    source = ["--demo"] if command[0] != "catalog" else []
    done = run(*command, *source, "--kubernetes", "1,34")
    assert done.returncode == 1
    assert "'1,34' is not a Kubernetes version" in done.stderr


def completed(*words: str) -> list[str]:
    """What a shell offers after `addonctl WORDS`."""
    asked = {"COMP_WORDS": " ".join(["addonctl", *words]), "COMP_CWORD": str(len(words))}
    done = run(env={**os.environ, "_ADDONCTL_COMPLETE": "bash_complete", **asked})
    assert done.returncode == 0, done.stderr
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


def test_a_shell_completes_what_addonctl_knows(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text("contexts: [{name: prod-eu-1}, {name: prod-us-1}, {name: dev}]\n")
    assert completed("analyze", "--kubeconfig", str(kubeconfig), "--context", "prod") == ["prod-eu-1", "prod-us-1"]
    assert completed("findings", "explain", "HLT00")[0] == "HLT001"
    assert "coredns" in completed("catalog", "show", "core")
    assert "1.34" in completed("compat", "--target", "1.3")
    assert completed("plan", "coredns", "--to", "")[:3] == ["default", "latest-compatible", "v1.14.3-eksbuild.14"]
    assert "v1.12.4-eksbuild.18" in completed("catalog", "check", "coredns", "v1.12")
    assert not any(completed("plan", "no-such", "--to", ""))
    assert completed("help", "find") == ["findings"]
    assert completed("help", "findings", "") == ["explain"]
    assert not any(completed("help", "analyze", ""))
    assert "sarif" in completed("analyze", "-o", "s")


def test_the_front_door_can_be_found() -> None:
    import addonctl

    assert {"open_manager", "Manager", "AddonctlError"} <= set(dir(addonctl))
    manager = addonctl.open_manager(demo=True)
    analysis = manager.analyze_addon_ecosystem()
    assert json.loads(analysis.to_json())["cluster_name"] == "prod-eu-1"
    with pytest.raises(addonctl.AddonctlError, match="holds cluster 'prod-eu-1', not 'other'"):
        manager.analyze_addon_ecosystem("other")


def test_one_file_may_be_named_as_a_text(tmp_path: Path) -> None:
    from addonctl import open_manager

    file = tmp_path / "pod.json"
    file.write_text('{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","namespace":"shop"}}')
    assert open_manager(files=str(file)).snapshot().pods[0].name == "p"


def test_the_profile_and_region_of_the_environment_choose_no_source(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever works on AWS has these set: they are defaults of AWS's clients, no options of this command."""
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "eu-west-1")
    done = run("inventory", "--demo")
    assert done.returncode == 0, done.stderr
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.delenv("AWS_PROFILE")
    assert Aws().client("eks").meta.region_name == "eu-west-1"
    assert Aws("us-east-2").client("eks").meta.region_name == "us-east-2"


def test_a_report_goes_to_a_file_where_one_is_named(tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    for name in ("-O", "--output-file"):
        done = run("analyze", "--demo", "-o", "html", name, str(target), "--fail-on", "required")
        assert (done.returncode, done.stdout) == (2, ""), "the gate still counts"
        assert target.read_text().startswith("<!doctype html>")
    table = tmp_path / "table.txt"
    assert run("findings", "--demo", "--output-file", str(table)).returncode == 0
    assert table.read_text() == run("findings", "--demo").stdout


def test_a_report_that_failed_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    target.write_text("of yesterday")
    done = run("analyze", "-f", str(tmp_path / "none"), "-o", "json", "-O", str(target))
    assert done.returncode == 1
    assert target.read_text() == "of yesterday"
    done = run("findings", "--demo", "-O", str(tmp_path / "no" / "report"))
    assert done.returncode == 1
    assert f"{tmp_path}/no/report cannot be written: No such file or directory" in done.stderr


@pytest.mark.parametrize(
    ("given", "seconds"), [("30", 30), ("30s", 30), ("2m", 120), ("1h", 3600), ("1m30s", 90), ("250ms", 0.25)]
)
def test_a_duration_is_written_as_for_kubectl(given: str, seconds: float) -> None:
    assert duration_s(given) == seconds


@pytest.mark.parametrize("given", ["", "0", "0s", "-1s", "5x", "s", "5 s", "1e9s", "90m60", "nan"])
def test_what_is_no_duration_is_refused(given: str) -> None:
    with pytest.raises(click.BadParameter, match="30s or 2m"):
        duration_s(given)


def test_a_server_that_says_nothing_is_given_up_after_the_request_timeout(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        cluster = {"server": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        kubeconfig = tmp_path / "config"
        kubeconfig.write_text(
            json.dumps(
                {
                    "current-context": "silent",
                    "contexts": [{"name": "silent", "context": {"cluster": "silent"}}],
                    "clusters": [{"name": "silent", "cluster": cluster}],
                }
            )
        )
        began = time.monotonic()
        done = run("inventory", "--kubeconfig", str(kubeconfig), "--request-timeout", "200ms")
    assert done.returncode == 1
    assert "--request-timeout" in done.stderr
    assert time.monotonic() - began < 10


def offered(*words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What `kubectl addons WORDS` offers: kubectl asks this program, and reads cobra's answer."""
    monkeypatch.setattr(sys, "argv", ["kubectl_complete-addons", *words])
    kubectl_completion.main()
    return capsys.readouterr().out.splitlines()


def test_kubectl_completes_what_addonctl_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text("contexts: [{name: prod-eu-1}, {name: dev}]\n")
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))

    def words(*given: str) -> list[str]:
        return offered(*given, monkeypatch=monkeypatch, capsys=capsys)

    assert words("ana") == ["analyze\tWhat runs, what is wrong with it, what to do first.", ":4"]
    assert words("analyze", "--context", "") == ["prod-eu-1", "dev", ":4"]
    assert words("catalog", "show", "cored") == ["coredns", ":4"]
    assert words("analyze", "--snapshot", "") == [":0"], "files are the shell's own to offer"


def test_every_program_that_is_installed_is_there() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert set(scripts) == {"addonctl", "kubectl-addons", "kubectl_complete-addons"}
    for place in scripts.values():
        module, _, function = place.partition(":")
        assert callable(getattr(importlib.import_module(module), function))


def test_the_gate_counts_every_line_of_a_stream() -> None:
    lines = "coredns v1.12.4-eksbuild.18 1.34\nvpc-cni v1.17.1-eksbuild.1 1.34\n"
    assert run("catalog", "check", "-", "--fail-on", "no", stdin=lines).returncode == 2
    assert run("catalog", "check", "-", "--fail-on", "no", stdin=lines.splitlines()[0]).returncode == 0
    assert run("catalog", "check", "-", "--fail-on", "unknown", stdin="coredns what\n").returncode == 2
    assert run("catalog", "check", "-", "--fail-on", "no", stdin="coredns what\n").returncode == 0


def test_a_whole_snapshot_goes_to_a_file_as_well(tmp_path: Path) -> None:
    saved, target = tmp_path / "a.snap", tmp_path / "a.json"
    assert run("snapshot", "save", "--demo", str(saved)).returncode == 0
    assert run("snapshot", "show", str(saved), "--raw", "-O", str(target)).returncode == 0
    assert json.loads(target.read_text())["cluster"]["name"] == "prod-eu-1"


# ── plan ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_plan_shows_each_step_with_its_command_and_its_way_back() -> None:
    done = run("plan", "--demo", "coredns", "--to", "latest-compatible")
    assert done.returncode == 0, done.stderr
    assert "1. coredns/kube-system/coredns: v1.12.4-eksbuild.18 → " in done.stdout
    assert "   → aws eks update-addon --cluster-name prod-eu-1 --addon-name coredns" in done.stdout
    assert "   undo: aws eks update-addon" in done.stdout


def test_a_plan_for_a_kubernetes_upgrades_the_control_plane_between_its_steps() -> None:
    done = run("plan", "--demo", "--target", "1.36")
    assert done.returncode == 3, done.stderr
    places = [done.stdout.index(f"--kubernetes-version 1.{minor}") for minor in (35, 36)]
    assert places == sorted(places)
    assert "cannot be undone: AWS offers no vpc-cni v1.17.1-eksbuild.1" in done.stdout
    assert "OPEN QUESTIONS" in done.stdout


def test_a_plan_as_json_says_the_same() -> None:
    document = json.loads(run("plan", "--demo", "vpc-cni", "--to", "default", "-o", "json").stdout)
    assert (document["kind"], document["schema"]) == ("Plan", "addonctl/v1")
    assert [step["id"] for step in document["steps"]] == [str(n) for n in range(1, len(document["steps"]) + 1)]
    assert document["steps"][0]["irreversible"]
    assert document["steps"][1]["undo"].startswith("aws eks update-addon")
    assert document["steps"][1]["undo_actions"][0]["type"] == "update-addon"
    assert document["premises"][0]["owner"] == "eks-addon"


def test_a_plan_may_be_committed_where_argocd_takes_it_from(tmp_path: Path) -> None:
    application = tmp_path / "keda.yaml"
    application.write_text(
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: keda}\n"
        "spec: {source: {chart: keda, targetRevision: 2.17.2}}\n"
    )
    person = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.com", "-c", "commit.gpgsign=false")
    for words in (("init", "-q"), ("add", "."), (*person, "commit", "-q", "-m", "keda")):
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True)
    for name, value in (("user.name", "somebody"), ("user.email", "somebody@example.com")):
        subprocess.run(["git", "-C", str(tmp_path), "config", name, value], check=True)
    done = run("plan", "--demo", "keda", "--to", "2.18.0", "--git", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "keda.yaml: 2.17.2 is changed on branch addonctl/keda-2.18.0, which is not pushed." in done.stderr
    shown = subprocess.run(
        ["git", "-C", str(tmp_path), "show", "addonctl/keda-2.18.0:keda.yaml"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert shown.stdout == application.read_text().replace("2.17.2", "2.18.0")


@pytest.mark.parametrize("goal", [(), ("coredns",), ("--to", "default"), ("coredns", "--to", "1", "--target", "1.36")])
def test_a_plan_needs_one_goal(goal: tuple[str, ...]) -> None:
    done = run("plan", "--demo", *goal)
    assert done.returncode == 1
    assert "A plan needs one goal" in done.stderr


def test_a_saved_plan_is_held_against_a_new_one(tmp_path: Path) -> None:
    file, newest = tmp_path / "plan.json", ("plan", "--demo", "vpc-cni", "--to", "latest-compatible")
    file.write_text(run(*newest, "-o", "json").stdout)
    same = run(*newest, "--diff", str(file))
    assert (same.returncode, same.stdout.partition(" plan ")[0]) == (0, "The same as")
    other = run("plan", "--demo", "vpc-cni", "--to", "default", "--diff", str(file), "-o", "json")
    document = json.loads(other.stdout)
    keys = {each["key"] for each in document["changed"]}
    assert document["kind"] == "PlanDiff"
    assert [key for key in keys if key.endswith(".to_version")]
    assert "made" not in keys
    assert ".to_version" in run("plan", "--demo", "vpc-cni", "--to", "default", "--diff", str(file)).stdout


def test_a_configuration_is_changed_in_a_live_cluster_alone() -> None:
    done = run("plan", "--demo", "coredns", "--set", "replicaCount=3")
    assert done.returncode == 1
    assert "read from a live cluster alone" in done.stderr


def test_what_is_kept_as_manifests_has_no_values() -> None:
    done = run("plan", "--demo", "argo-cd", "--set", "replicaCount=3")
    assert done.returncode == 1
    assert "--manifests" in done.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "An update needs a goal"),
        (("coredns",), "An update needs a goal"),
        (("--to", "default"), "An update needs a goal"),
        (("--plan", "plan.json", "--to", "default"), "--to and --plan cannot be used together"),
        (("coredns", "--plan", "plan.json"), "ADDON and --plan cannot be used together"),
        (("--plan", "/nonexistent/plan.json"), "cannot be read"),
        (("coredns", "--values", "/nonexistent/values.yaml"), "cannot be read"),
        (("coredns", "--set", "hunter2"), "--set: a key has no value"),
    ],
)
def test_an_update_needs_one_goal(words: tuple[str, ...], says: str) -> None:
    done = run("update", *words, "--context", "nowhere")
    assert done.returncode == 1
    assert says in done.stderr
    assert "hunter2" not in done.stderr


def test_the_doctor_answers_every_step_and_ends_with_1_where_one_is_no(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    done = run("doctor", "-o", "json")
    assert done.returncode == 1
    rows = {row["what"]: row for row in json.loads(done.stdout)["rows"]}
    assert (rows["addonctl"]["answer"], rows["kubeconfig"]["answer"], rows["Kubernetes API"]["answer"]) == (
        "yes",
        "no",
        "skipped",
    )
    assert "Fix:" not in run("doctor").stdout


def test_a_file_has_no_logs() -> None:
    done = run("health", "--demo", "--logs")
    assert done.returncode == 1
    assert "live cluster" in done.stderr
