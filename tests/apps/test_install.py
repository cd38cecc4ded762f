"""What a newcomer types first, and each way in: pip, a container, kubectl's plugins, pipelines."""

import fnmatch
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from addonctl import __version__
from addonctl.apps.cli import cli
from scripts import build_plugin
from tests.apps.test_cli import ROOT
from tests.apps.test_help import of_addonctl, parsed
from tests.pythons import python

UV = Path(sys.executable).with_name("uv")
LOCK = ROOT / "requirements.lock"
# What a user's shell has: nothing of this environment.
CLEAN = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
GIVEN = {"homepage": "https://example.com/addonctl", "releases": "https://example.com/addonctl/releases"}


def called(*command: str | Path, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=cwd, env=CLEAN | environment, capture_output=True, text=True, timeout=300, check=False
    )


def fetched(*command: str | Path) -> None:
    """Runs what needs the index of packages; skips where there is none."""
    done = called(*command)
    if "Failed to fetch" in done.stderr:
        pytest.skip("no index of packages can be reached")
    assert done.returncode == 0, done.stderr


# ── pip, pipx, uv ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of commands where the wheel is installed with what the lock names, and nothing else."""
    if not UV.exists():
        pytest.skip("uv is not installed")
    folder = tmp_path_factory.mktemp("installed")
    environment = folder / "venv"
    fetched(UV, "venv", "-q", "--python", sys.executable, environment)
    into = (UV, "pip", "install", "-q", "--python", environment)
    fetched(*into, "--require-hashes", "-r", LOCK)
    fetched(*into, "--no-deps", build_plugin.wheel(folder))
    return environment / "bin"


def test_the_wheel_reports_on_the_demo_cluster(installed: Path, tmp_path: Path) -> None:
    done = called(installed / "addonctl", "analyze", "--demo", "-o", "json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    here = called(sys.executable, "-m", "addonctl", "analyze", "--demo", "-o", "json", PYTHONPATH=str(ROOT))
    assert json.loads(done.stdout) == json.loads(here.stdout)


def test_the_wheel_has_every_file_of_the_package(installed: Path) -> None:
    """What .gitignore names is left out of it, whatever git keeps."""
    (packed,) = installed.parent.parent.glob("*.whl")
    kept = {str(each.relative_to(ROOT)) for each in (ROOT / "addonctl").rglob("*") if each.is_file()}
    with zipfile.ZipFile(packed) as wheel:
        assert {name for name in kept if "__pycache__" not in name} - set(wheel.namelist()) == set()


def test_the_wheel_draws_pages_and_reads_its_tables(installed: Path, tmp_path: Path) -> None:
    page = called(installed / "addonctl", "analyze", "--demo", "-o", "html", cwd=tmp_path)
    assert page.stdout.startswith("<!doctype html>"), page.stderr
    prices = called(installed / "addonctl", "cost", "--demo", cwd=tmp_path)
    assert prices.returncode == 0, prices.stderr


def test_the_wheel_is_a_plugin_of_kubectl_with_completion(installed: Path, tmp_path: Path) -> None:
    assert "Usage: kubectl addons" in called(installed / "kubectl-addons", "--help", cwd=tmp_path).stdout
    assert "analyze" in called(installed / "kubectl_complete-addons", "ana", cwd=tmp_path).stdout


def test_the_lock_has_all_that_the_wheel_asks_for(installed: Path) -> None:
    done = called(UV, "pip", "check", "--python", installed.parent)
    assert done.returncode == 0, done.stderr


# ── an old Python ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("version", ["3.6", "3.7", "3.8", "3.9", "3.10"])
def test_an_old_python_is_told_what_is_needed_and_nothing_else(version: str) -> None:
    said_by_an_old_python(called(python(version), "-m", "addonctl", "analyze", "--demo"), version)


def test_it_is_told_where_no_old_python_is_at_hand() -> None:
    program = "import runpy, sys; sys.version_info = (3, 10, 4); runpy.run_module('addonctl', run_name='__main__')"
    said_by_an_old_python(called(sys.executable, "-c", program), "3.10")


def said_by_an_old_python(done: subprocess.CompletedProcess[str], version: str) -> None:
    assert (done.returncode, done.stdout) == (1, "")
    first, fix = done.stderr.splitlines()
    assert first.startswith(f"addonctl needs Python 3.11 or newer; this is {version} (")
    assert fix.startswith("Fix: ")


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_an_old_python_is_refused_in_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    old = tmp_path / "python3.10"
    old.write_text(f'#!/bin/sh\nexec {sys.executable} -c "import sys; sys.version_info = (3, 10, 4); $2"\n')
    old.chmod(0o755)
    venv = tmp_path / "venv"
    make = ["make", f"VENV={venv}", f"PYTHON={old}", "demo"]
    done = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode
    assert "Python 3.11 or newer is needed; this is 3.10" in done.stderr
    assert not venv.exists()


# ── kubectl's plugins, by krew ──────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_plugin.archive(tmp_path_factory.mktemp("plugin"))


def unpacked(archive: Path, folder: Path) -> Path:
    """As krew does: unpacked into a store, with a link to it on the PATH. Returns the folder of the link."""
    with tarfile.open(archive) as packed:
        packed.extractall(folder / "store", filter="data")
    (folder / "bin").mkdir()
    (folder / "bin" / "kubectl-addons").symlink_to(folder / "store" / "kubectl-addons")
    return folder / "bin"


def test_krew_finds_the_archive_by_version_and_hash(plugin: Path) -> None:
    manifest = yaml.safe_load(build_plugin.manifest(plugin, **GIVEN))
    spec = manifest["spec"]
    (platform,) = spec["platforms"]
    assert (manifest["kind"], manifest["metadata"]["name"]) == ("Plugin", "addons")
    assert spec["version"] == f"v{__version__}"
    assert spec["homepage"] == GIVEN["homepage"]
    assert platform["uri"] == f"{GIVEN['releases']}/v{__version__}/{plugin.name}"
    assert platform["sha256"] == hashlib.sha256(plugin.read_bytes()).hexdigest()
    with tarfile.open(plugin) as packed:
        assert {platform["bin"], "LICENSE"} <= set(packed.getnames())
    assert len(spec["shortDescription"]) <= 50, "krew's index asks for it"
    assert "{{" not in str(manifest)


def test_the_same_sources_make_the_same_archive(plugin: Path, tmp_path: Path) -> None:
    assert build_plugin.archive(tmp_path).read_bytes() == plugin.read_bytes()


def test_what_krew_unpacks_is_kubectl_addons(plugin: Path, tmp_path: Path) -> None:
    if not UV.exists():
        pytest.skip("uv is not installed")
    path = f"{unpacked(plugin, tmp_path)}:{UV.parent}:/usr/bin:/bin"
    call = ("kubectl", "addons") if shutil.which("kubectl", path=path) else (tmp_path / "bin" / "kubectl-addons",)
    done = called(*call, "analyze", "--demo", cwd=tmp_path, PATH=path)
    if "Failed to fetch" in done.stderr:
        pytest.skip("no index of packages can be reached")
    assert done.stdout.startswith("DEMO  prod-eu-1"), done.stderr


def test_without_uv_the_plugin_says_what_is_missing(plugin: Path, tmp_path: Path) -> None:
    bare = unpacked(plugin, tmp_path)
    for tool in ("dirname", "readlink"):
        found = shutil.which(tool)
        assert found
        (bare / tool).symlink_to(found)
    done = called("/bin/sh", bare / "kubectl-addons", cwd=tmp_path, PATH=str(bare))
    assert done.returncode == 1
    assert [line.split()[0] for line in done.stderr.splitlines()] == ["kubectl", "Fix:"]


# ── containers ──────────────────────────────────────────────────────────────────────────────────────────────────────


def instructions() -> list[tuple[str, str]]:
    """Of the Dockerfile: ("COPY", "requirements.lock /"), in order."""
    text = re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text())
    return [
        (word, rest.strip())
        for word, _, rest in (line.partition(" ") for line in text.splitlines() if line and not line.startswith("#"))
    ]


def test_the_image_is_not_root_and_installs_by_hash() -> None:
    last = dict(instructions())
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", last["USER"])
    installs = [rest for word, rest in instructions() if word == "RUN" and "pip install" in rest]
    assert installs
    assert all("--require-hashes" in rest and "--only-binary :all:" in rest for rest in installs)


def test_what_the_image_copies_is_there_and_not_ignored() -> None:
    kept = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copied = [rest.split()[0] for word, rest in instructions() if word == "COPY" and "--from" not in rest]
    assert copied
    for name in copied:
        assert (ROOT / name).exists()
        assert any(fnmatch.fnmatch(name, pattern) for pattern in kept), name


@pytest.mark.prove
def test_the_image_runs_where_nothing_can_be_written() -> None:
    if shutil.which("docker") is None or called("docker", "info").returncode:
        pytest.skip("no Docker can be reached")
    built = called("docker", "build", "-q", ".")
    assert built.returncode == 0, built.stderr
    done = called("docker", "run", "--rm", "--read-only", "--tmpfs", "/tmp", built.stdout.strip(), "analyze", "--demo")
    assert done.stdout.startswith("DEMO  prod-eu-1"), done.stderr


# ── pipelines ───────────────────────────────────────────────────────────────────────────────────────────────────────


def action() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text())
    return loaded


def in_ci_page(holding: str) -> Any:
    """The first YAML block of docs/how-to/ci.md that holds a text."""
    page = (ROOT / "docs" / "how-to" / "ci.md").read_text()
    return next(
        yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if holding in block
    )


def judged(folder: Path, **given: str) -> subprocess.CompletedProcess[str]:
    """The step of the action that judges, as its runner calls it."""
    inputs = {name: each.get("default", "") for name, each in action()["inputs"].items()} | given
    (step,) = (each for each in action()["runs"]["steps"] if each.get("name") == "Judge")
    environment = {
        key: re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda found: inputs[found[1]], value)
        for key, value in step["env"].items()
    }
    environment["PYTHON"] = sys.executable
    runner = {
        "GITHUB_ACTION_PATH": str(ROOT),
        "RUNNER_TEMP": str(folder / "none"),
        "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
    }
    bash = ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"])
    return called(*bash, cwd=folder, **environment, **runner)


def test_the_action_fails_at_findings_and_leaves_them_as_sarif_and_as_a_summary(tmp_path: Path) -> None:
    done = judged(tmp_path, args="--demo --allow-gaps")
    assert done.returncode == 2, done.stderr
    found = json.loads((tmp_path / "addonctl.sarif").read_text())
    assert found["runs"][0]["results"]
    assert (tmp_path / "summary.md").read_text().startswith("# Add-ons of `prod-eu-1`")


def test_the_action_passes_where_nothing_may_fail_it_and_needs_no_sarif(tmp_path: Path) -> None:
    done = judged(tmp_path, args="--demo\n--only API\n", sarif="", **{"fail-on": "never"})
    assert done.returncode == 0, done.stderr
    assert [each.name for each in tmp_path.iterdir()] == ["summary.md"]


def test_an_input_of_the_action_is_no_shell(tmp_path: Path) -> None:
    done = judged(tmp_path, args="--demo $(touch made) `touch made` ; touch made")
    assert done.returncode == 1
    assert not (tmp_path / "made").exists()
    assert all("${{" not in step.get("run", "") for step in action()["runs"]["steps"])


def test_what_the_page_gives_the_action_are_its_inputs() -> None:
    (given,) = (
        step["with"]
        for step in in_ci_page("GitHub Actions")["jobs"]["addons"]["steps"]
        if "addonctl" in step.get("uses", "")
    )
    assert set(given) <= set(action()["inputs"])
    parsed(["analyze", *given["args"].split(), "--fail-on", given["fail-on"]])


def test_the_job_of_gitlab_keeps_what_it_wrote() -> None:
    job = in_ci_page("GitLab CI; IMAGE")["addons"]
    contexts = [parsed(words) for line in job["script"] for words in of_addonctl(line)]
    assert len(contexts) == len(job["script"])
    written = {line.partition(" -O ")[2].split()[0]: line for line in job["script"]}
    reports = job["artifacts"]["reports"]
    assert written.keys() == set(reports.values())
    assert all(f"-o {kind}" in written[name] for kind, name in reports.items())
    assert "--fail-on" in job["script"][-1], "whatever is written is written before it fails"
    assert all(
        isinstance(each.command, click.Command) and each.command.name in cli.list_commands(each) for each in contexts
    )
