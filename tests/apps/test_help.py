"""The help of every command: whole at 80 columns, with lines to try that the commands take."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import addonctl
from addonctl.apps.cli import cli
from addonctl.apps.examples import EXAMPLES, lines_of
from addonctl.findings import is_about_codes
from tests.apps.terminal import in_process as run
from tests.apps.terminal import shown_in_terminal
from tests.apps.test_cli import ROOT


def commands(command: click.Command = cli, path: str = "") -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            yield from commands(inner(command, name), f"{path} {name}".strip())


def inner(group: click.Group, name: str) -> click.Command:
    found = group.get_command(click.Context(group), name)
    assert found is not None, name
    return found


COMMANDS = dict(commands())


@pytest.mark.parametrize("path", COMMANDS)
def test_help_fits_80_columns_and_cuts_nothing(path: str) -> None:
    with click.Context(cli, info_name="addonctl", terminal_width=80, **cli.context_settings) as above:
        context = click.Context(COMMANDS[path], parent=above if path else None, info_name=path, terminal_width=80)
        text = COMMANDS[path].get_help(context)
    assert [line for line in text.splitlines() if len(line) > 80] == []
    assert "..." not in re.sub(r"\[?(ARGS|ADDON|COMMAND|CHECKPOINT)\]?\.\.\.", "", text)
    assert not text.splitlines()[-1].isspace()
    assert "Examples:\n" in text


def test_every_command_has_an_example_and_no_example_is_of_none() -> None:
    assert set(EXAMPLES) == set(COMMANDS)
    for path in COMMANDS:
        assert lines_of(path)
        assert all(f"addonctl {path}".strip() in line for line in lines_of(path))


def of_addonctl(line: str) -> list[list[str]]:
    """The words of each call of addonctl in a line of shell."""
    parts = re.split(r"[|()]|<\(|>", line)
    return [shlex.split(part)[1:] for part in parts if part.strip().startswith("addonctl ")]


def parsed(words: list[str]) -> click.Context:
    """What the command that the words name makes of them; nothing is run."""
    command: click.Command = cli
    context = click.Context(cli)
    while isinstance(command, click.Group) and words and words[0] in command.list_commands(context):
        command = inner(command, words.pop(0))
        context = click.Context(command, parent=context, info_name=command.name)
    command.parse_args(context, words)
    return context


@pytest.mark.parametrize("line", [line for path in EXAMPLES for line in lines_of(path)])
def test_every_example_is_a_command_line_that_is_taken(line: str) -> None:
    calls = of_addonctl(line)
    assert calls
    for words in calls:
        parsed(words)


@pytest.mark.parametrize("path", ["analyze", "inventory", "findings", "health", "compat", "deps"])
def test_reports_take_the_same_options(path: str) -> None:
    taken = {option for each in COMMANDS[path].params for option in each.opts}
    assert taken >= {"--only", "--since", "--config", "--show-waived", "--fail-on", "--allow-gaps", "-o", "-O"}
    assert taken >= {"--context", "--eks", "--snapshot", "-f", "--demo", "--kubernetes", "--request-timeout"}


def in_docs() -> Iterator[str]:
    """Lines of README and the how-tos that call addonctl: in blocks of shell and of pipelines."""
    for page in (ROOT / "README.md", *sorted((ROOT / "docs" / "how-to").glob("*.md"))):
        for line in page.read_text().splitlines():
            bare = line.replace(".venv/bin/", "").strip().removeprefix("- run: ").removeprefix("- ")
            words = bare.split()
            if words[:1] == ["addonctl"] and words[1] in cli.list_commands(click.Context(cli)):
                yield bare.partition("  #")[0]


@pytest.mark.parametrize("line", list(in_docs()))
def test_what_the_docs_offer_is_taken(line: str) -> None:
    calls = of_addonctl(line)
    assert calls
    for words in calls:
        context = parsed(words)
        if only := context.params.get("only"):
            assert all(is_about_codes(word) for word in only), only


def test_exit_codes_and_environment_are_told() -> None:
    text = run("--help").stdout
    for word in (
        "0 clean",
        "1 error",
        "2 findings",
        "3 refused",
        "4 rolled back",
        "5 stuck",
        "130",
        "KUBECONFIG",
        "AWS_PROFILE",
        "NO_COLOR",
    ):
        assert word in text


def test_help_is_a_command_too() -> None:
    assert run("help", "findings", "explain").stdout == run("findings", "explain", "--help").stdout
    assert run("help").stdout == run("--help").stdout
    done = run("help", "kyverno")
    assert done.returncode == 1
    assert "No such command 'kyverno'" in done.stderr


def test_version_says_how_old_the_knowledge_is() -> None:
    document = json.loads(run("version", "-o", "json").stdout)
    assert (document["kind"], document["version"]) == ("Version", addonctl.__version__)
    told = run("version").stdout
    assert f"EKS add-on versions as of {document['eks_as_of']}" in told
    assert f"Prices as of {document['prices_as_of']}" in told
    assert f"boto3 {document['libraries']['boto3']}" in told


def test_an_error_does_not_stand_behind_what_was_being_read(tmp_path: Path) -> None:
    path = tmp_path / "config"
    cluster = {"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}
    context = {"name": "x", "context": {"cluster": "c"}}
    path.write_text(json.dumps({"current-context": "x", "contexts": [context], "clusters": [cluster]}))
    shown, code = shown_in_terminal(80, "inventory", "--kubeconfig", str(path))
    assert code == 1
    assert "reading from http://127.0.0.1:1" in shown
    assert "\rError: " in shown
