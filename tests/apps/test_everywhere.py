"""Options that every command takes, before its name or behind it."""

import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from addonctl.apps.cli import _COMMANDS
from tests.apps.terminal import in_process as run
from tests.apps.terminal import in_terminal
from tests.apps.test_help import COMMANDS
from tests.contracts.api_server import Answer, ApiServer, Request, refusal, running


def kubeconfig(folder: Path, **clusters: str) -> str:
    """One context for each cluster (name and URL), the first being current."""
    path = folder / "config"
    path.write_text(
        json.dumps(
            {
                "current-context": next(iter(clusters)),
                "contexts": [{"name": name, "context": {"cluster": name}} for name in clusters],
                "clusters": [{"name": name, "cluster": {"server": url}} for name, url in clusters.items()],
            }
        )
    )
    return str(path)


def bare(version: str = "v1.34.1") -> ApiServer:
    """An API server of an empty cluster."""

    def route(request: Request) -> Answer:
        match request.path.partition("?")[0]:
            case "/version":
                return Answer(body={"gitVersion": version})
            case "/api":
                return Answer(body={"kind": "APIVersions", "versions": []})
            case "/apis":
                return Answer(body={"kind": "APIGroupList", "groups": []})
        return refusal(404)

    return ApiServer(route)


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_takes_them(path: str) -> None:
    taken = {option for each in COMMANDS[path].params for option in each.opts}
    assert taken >= {"-v", "--debug", "-q", "--quiet", "--no-color"}
    assert "--timeout" in taken or path.split(maxsplit=1)[0] in _COMMANDS["updating"]


def test_requests_are_said_beside_the_output(tmp_path: Path) -> None:
    with running(bare()) as server:
        config = kubeconfig(tmp_path, one=server.url)
        quiet, loud = (run("inventory", "--kubeconfig", config, *more) for more in ((), ("-v",)))
        before = run("-v", "inventory", "--kubeconfig", config)
    assert quiet.stdout == loud.stdout == before.stdout
    assert quiet.stderr == ""
    for done in (loud, before):
        assert f"GET {server.url}/version: 200 after" in done.stderr
    assert run("inventory", "--demo").stderr == "", "what one command was asked for is not left to the next"


def test_a_bug_is_shown_with_its_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise KeyError("x")

    monkeypatch.setattr("addonctl.apps.wiring.manager", broken)
    assert run("inventory", "--demo").returncode == 1
    with pytest.raises(KeyError):
        run("inventory", "--demo", "--debug")


def test_quiet_leaves_errors() -> None:
    assert run("catalog", "check", "coredns", "v1.12.4-eksbuild.18", "--kubernetes", "1.34").stderr
    assert run("catalog", "check", "coredns", "v1.12.4-eksbuild.18", "--kubernetes", "1.34", "-q").stderr == ""
    assert run("-q", "catalog", "check", "coredns", "v1.12.4-eksbuild.18", "--kubernetes", "1.34").stderr == ""
    assert "does not exist" in run("-q", "analyze", "--kubeconfig", "/nowhere").stderr


def test_no_color_is_none_even_where_it_is_forced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[" in run("findings", "--demo").stdout
    assert "\x1b[" not in run("findings", "--demo", "--no-color").stdout
    assert "\x1b[" in run("findings", "--demo").stdout


def test_a_command_is_given_up_after_its_timeout(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        config = kubeconfig(tmp_path, silent=f"http://127.0.0.1:{silent.getsockname()[1]}")
        command = [sys.executable, "-m", "addonctl", "inventory", "--kubeconfig", config, "--timeout", "500ms"]
        began = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "It took longer than --timeout 500ms" in done.stderr
    assert "Traceback" not in done.stderr
    assert time.monotonic() - began < 20


def test_one_that_changes_clusters_keeps_its_own_meaning_of_timeout() -> None:
    done = run("--timeout", "5s", "update", "coredns", "--to", "default")
    assert done.returncode == 1
    assert "--timeout before update would leave it half done" in done.stderr


def test_they_are_listed_once() -> None:
    text = run("--help").stdout
    for option in ("--debug", "--quiet", "--no-color", "--timeout"):
        assert option in text
    assert "--quiet" not in run("analyze", "--help").stdout
    assert "addonctl --help" in run("analyze", "--help").stdout


def test_a_terminal_shows_no_progress_beside_requests(tmp_path: Path) -> None:
    with running(bare()) as server:
        config = kubeconfig(tmp_path, one=server.url)
        assert "reading from" not in in_terminal(100, "inventory", "--kubeconfig", config, "-v")
        assert "reading from" not in in_terminal(100, "inventory", "--kubeconfig", config, "-q")
        assert "reading" in in_terminal(100, "inventory", "--kubeconfig", config)
