"""Where the program meets the machine: encodings, homes, disks, streams, limits. Errors in words, never a traceback."""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import pytest

from addonctl.apps import run as running
from tests.apps.terminal import in_process
from tests.apps.test_cli import ROOT

MEBI = 1 << 20


def start(
    *arguments: str,
    env: dict[str, str] | None = None,
    stdout: IO[bytes] | int = subprocess.PIPE,
    before: Callable[[], None] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    done = subprocess.run(
        [sys.executable, "-m", "addonctl", *arguments],
        stdout=stdout,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {})},
        preexec_fn=before,
        timeout=60,
        check=False,
    )
    assert b"Traceback" not in (done.stdout or b"") + done.stderr, done.stderr.decode()
    return done


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "latin-1"])
@pytest.mark.parametrize("output", ["table", "json", "markdown", "html"])
def test_a_pipe_gets_utf_8_whatever_the_encoding(encoding: str, output: str) -> None:
    done = in_process("analyze", "--demo", "-o", output, encoding=encoding)
    assert (done.returncode, done.stderr) == (0, "")
    assert "→" in done.stdout or output in ("html", "markdown")


def test_a_pipe_of_a_process_that_was_told_an_encoding_gets_utf_8() -> None:
    done = start("analyze", "--demo", env={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    assert done.returncode == 0
    assert "→" in done.stdout.decode()


def test_a_home_that_is_not_ours_to_read_holds_no_settings(tmp_path: Path) -> None:
    """Root reads every folder: here it is a file where a folder should be."""
    home = tmp_path / "home"
    home.write_text("no folder")
    done = in_process("inventory", "--demo", "-o", "json", env={"HOME": str(home)})
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["installations"]


def test_settings_that_were_named_must_be_there(tmp_path: Path) -> None:
    done = in_process("findings", "--demo", "--config", str(tmp_path / "none.yaml"))
    assert done.returncode == 1
    assert "none.yaml cannot be read: No such file or directory" in done.stderr
    assert "Fix: Check the path" in done.stderr


def test_a_cache_that_cannot_be_read_costs_a_note(tmp_path: Path) -> None:
    (tmp_path / "addon-versions.json.gz").mkdir()
    done = in_process("inventory", "--demo", "-o", "json", env={"ADDONCTL_CACHE_DIR": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    assert "using the packaged table" in done.stderr
    assert json.loads(done.stdout)["installations"]


def test_a_full_disk_is_said_in_words() -> None:
    with open("/dev/full", "wb") as full:
        done = start("findings", "--demo", stdout=full)
    assert done.returncode == 1
    assert done.stderr.startswith(b"Error: standard output cannot be read or written: No space left on device")


def test_a_closed_standard_output_is_said_in_words() -> None:
    done = start("findings", "--demo", before=lambda: os.close(1))
    assert done.returncode == 1
    assert b"Standard output is closed" in done.stderr


def test_a_reader_that_leaves_ends_us_quietly() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "addonctl", "analyze", "--demo", "-o", "json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:
        assert process.stdout is not None and process.stderr is not None  # noqa: PT018 - for the types
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=60) == 1


def test_a_memory_limit_is_said_in_words(tmp_path: Path) -> None:
    """Room for the program and not for the file."""
    big = tmp_path / "big.json"
    big.write_text('{"kind": "List", "items": [{"kind": "Pod", "metadata": {"name": "%s"}}]}' % ("x" * (100 * MEBI)))

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (200 * MEBI, 200 * MEBI))

    done = start("inventory", "-f", str(big), before=limit)
    assert done.returncode == 1
    assert done.stderr.startswith(b"Error: ")


def test_an_error_cannot_move_the_terminal() -> None:
    done = in_process("inventory", "-f", "no\x1b]0;title\x07such")
    assert done.returncode == 1
    assert "\x1b" not in done.stderr
    assert "such" in done.stderr


def test_a_bug_is_called_one_and_says_how_to_see_the_trace(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Broken:
        def main(self, **_: Any) -> None:
            raise KeyError("secret-of-the-cluster")

    monkeypatch.delenv("ADDONCTL_DEBUG", raising=False)
    with pytest.raises(SystemExit) as left:
        running.main(Broken())  # type: ignore[arg-type]
    assert left.value.code == 1
    error = capsys.readouterr().err
    assert error.startswith("Error: This is a bug in addonctl: KeyError\n")
    assert "--debug" in error
    assert "secret-of-the-cluster" not in error
    monkeypatch.setenv("ADDONCTL_DEBUG", "1")
    with pytest.raises(KeyError):
        running.main(Broken())  # type: ignore[arg-type]
