"""What commands share: options as they were given, documents printed, exit codes by answers."""

import sys
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from addonctl.apps import outputs, run
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
    return wiring.SourceOptions(**_without_useless_defaults(given), progress=progress)


# What says where to read from: where one of them is given, the defaults of those behind it are none.
_OF_LIVE = ("context", "kubeconfig", "namespace", "eks", "region", "profile", "timeout_s", "prometheus")
_PLACES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("snapshot", "files", "demo"), _OF_LIVE),
    "eks": ("context", "kubeconfig"),
    "context": ("eks",),
    "kubeconfig": ("eks", "context"),
}


def _without_useless_defaults(given: dict[str, Any]) -> dict[str, Any]:
    ctx = click.get_current_context()
    defaults = {name for name in given if ctx.get_parameter_source(name) is ParameterSource.DEFAULT_MAP}
    places = (behind for place, behind in _PLACES.items() if given.get(place) and place not in defaults)
    useless = defaults & set().union(*places)
    return {name: value for name, value in given.items() if name not in useless}


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


def print_document(
    output: str,
    document: Callable[[], Any],
    table: Callable[[], None],
    more: Mapping[str, Callable[[], str]] | None = None,
) -> None:
    """Prints the table, or the document in the format asked for, and writes it to files in others that were.

    `more` are formats beside those that every document has: what makes their text.
    """
    if output:
        _print(output, document, table, more or {})
    for each in outputs.to_files():
        with run.output_to(each.file):
            _print(each.format, document, table, more or {})


def _print(
    output: str, document: Callable[[], Any], table: Callable[[], None], more: Mapping[str, Callable[[], str]]
) -> None:
    format, _, expression = output.partition("=")
    if format in more:
        sys.stdout.write(more[format]())
    elif format in ("table", "wide", "tree"):
        table()
    else:
        from addonctl.render import printing

        sys.stdout.write(printing.printed(document(), format, expression))


def exit_by_answers(answers: Iterable[str], fail_on: str) -> None:
    """Exits with 2 if an answer is as bad as `fail_on`: no, or also unknown."""
    bad = {"no": ("no",), "unknown": ("no", "unknown")}.get(fail_on, ())
    if any(answer in bad for answer in answers):
        sys.exit(run.EXIT_FINDINGS)
