"""What commands share: options as they were given, documents printed, exit codes by answers."""

import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from addonctl.apps import run
from addonctl.errors import BadInput

if TYPE_CHECKING:
    from addonctl.apps.wiring import SourceOptions
    from addonctl.values import Values
    from addonctl.versions import Minor


def source_options(given: dict[str, Any]) -> "SourceOptions":
    from addonctl.apps import wiring
    from addonctl.render import screen

    if given.pop("all_namespaces", False):
        refuse(given_options("namespace"), "--all-namespaces", "Leave one out.")
        given = given | {"namespace": ""}
    progress = screen.progress()
    click.get_current_context().call_on_close(lambda: progress("", 1, 1))  # an error has a line of its own
    return wiring.SourceOptions(**given, progress=progress)


def given_options(*names: str) -> list[str]:
    """The options that were given to the current command, as they are written: of these parameters, else of all."""
    ctx = click.get_current_context()
    wanted = (each for each in ctx.command.params if each.name in names or not names)
    return [
        each.opts[-1] for each in wanted if ctx.get_parameter_source(each.name or "") is ParameterSource.COMMANDLINE
    ]


def refuse(options: list[str], beside: str, fix: str) -> None:
    """Raises BadInput where an option was given that would do nothing."""
    if options:
        raise BadInput(f"{options[0]} and {beside} cannot be used together", fix)


def minor_of(text: str) -> "Minor | None":
    """The Kubernetes version of an option. Raises BadInput when it is not one."""
    from addonctl.versions import Minor

    return Minor.of(text) if text else None


def values_given(given: dict[str, Any]) -> "Values":
    """The values of --set, --set-string and --values, taken out of `given`; none: no configuration is to change."""
    from addonctl.adapters import values_files

    sets, strings, files = (given.pop(name) for name in ("sets", "strings", "values_files"))
    values = values_files.given(files, sets, strings)
    if not values and (sets or strings or files):
        raise BadInput("The values given are empty", "Give what is to change.")
    return values


def print_document(output: str, document: Callable[[], Any], table: Callable[[], None]) -> None:
    """Prints a document as JSON or YAML, or the table."""
    if output not in ("json", "yaml"):
        table()
        return
    from addonctl.render import documents

    sys.stdout.write(documents.dump(document(), output))


def exit_by_answers(answers: Iterable[str], fail_on: str) -> None:
    """Exits with 2 if an answer is as bad as `fail_on`: no, or also unknown."""
    bad = {"no": ("no",), "unknown": ("no", "unknown")}.get(fail_on, ())
    if any(answer in bad for answer in answers):
        sys.exit(run.EXIT_FINDINGS)
