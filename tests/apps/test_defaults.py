"""Defaults of options, from the settings and the environment."""

import json
from pathlib import Path

import pytest

from tests.apps.terminal import in_process as run


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "config.yaml"
    monkeypatch.setenv("ADDONCTL_CONFIG", str(path))
    return path


def test_a_default_stands_in_the_settings_before_it_the_environment_and_first_the_line(
    settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.write_text("defaults: {output: json, target: '1.36'}\n")
    assert json.loads(run("compat", "--demo").stdout)["kubernetes"]["target"] == "1.36"
    monkeypatch.setenv("ADDONCTL_TARGET", "1.35")
    assert json.loads(run("compat", "--demo").stdout)["kubernetes"]["target"] == "1.35"
    given = run("compat", "--demo", "--target", "1.37", "-o", "jsonpath={.kubernetes.target}")
    assert given.stdout == "1.37\n"


def test_a_format_that_a_command_does_not_have_is_no_default_of_it(settings: Path) -> None:
    settings.write_text("defaults: {output: sarif}\n")
    assert json.loads(run("analyze", "--demo").stdout)["version"] == "2.1.0"
    assert run("inventory", "--demo").stdout.startswith("ADD-ON")


def test_a_default_place_is_none_where_another_is_given(settings: Path) -> None:
    settings.write_text("defaults: {context: prod-eu-1, region: eu-central-1, namespace: payments}\n")
    assert run("inventory", "--demo", "-o", "name").stdout.count("\n") > 10


def test_the_gate_of_a_pipeline_may_be_a_default(settings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.write_text("")
    monkeypatch.setenv("ADDONCTL_FAIL_ON", "required")
    assert run("analyze", "--demo").returncode == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("defaults: {force: 'true'}\n", "force cannot have a default"),
        ("defaults: {output: [json]}\n", "Expected `str`"),
        ("defaults: [json]\n", "Expected `object`"),
    ],
)
def test_settings_that_cannot_be_defaults_are_refused_and_help_needs_none(settings: Path, text: str, said: str) -> None:
    settings.write_text(text)
    done = run("inventory", "--demo")
    assert done.returncode == 1
    assert said in done.stderr
    assert run("inventory", "--help").returncode == 0


def test_doctor_says_itself_what_is_wrong_with_the_settings(settings: Path) -> None:
    settings.write_text("defaults: [json]\n")
    done = run("doctor", "--demo", "-o", "json")
    rows = {row["what"]: row["answer"] for row in json.loads(done.stdout)["rows"]}
    assert (rows["settings"], done.returncode) == ("no", 1)
