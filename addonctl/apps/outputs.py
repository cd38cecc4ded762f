"""`-o`: one format for standard output, and any number of formats that go to files, as in `-o sarif=found.sarif`."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

# What follows their `=` is no file, but what is wanted of the document.
_WITH_EXPRESSION = ("jsonpath",)
# They are laid out for the terminal that they stand on.
_OF_TERMINALS = ("table", "wide", "tree")
_TO_FILES = "addonctl.to_files"


class Output(NamedTuple):
    """A format, as in `json` or `jsonpath={.findings[*].code}`, and the file it goes to; none: standard output."""

    format: str
    file: str


class Format(click.ParamType):  # type: ignore[type-arg]  # older versions of click have no arguments
    """One of some formats, with what may follow it."""

    name = "format"

    def __init__(self, formats: Sequence[str]) -> None:
        self.formats = formats

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Output:
        if isinstance(value, Output):
            return value
        format, equals, rest = str(value).partition("=")
        if format not in self.formats:
            self.fail(f"{format!r} is not one of {', '.join(self.formats)}", param, ctx)
        if equals and not rest:
            self.fail(f"{value!r} names no {'expression' if format in _WITH_EXPRESSION else 'file'}", param, ctx)
        if format in _WITH_EXPRESSION:
            if not rest:
                self.fail(f"{format} needs an expression, as in {format}={{.findings[*].code}}", param, ctx)
            return Output(str(value), "")
        if rest and format in _OF_TERMINALS:
            self.fail(f"{format} is for terminals; -o {format} -O {rest} writes it to a file", param, ctx)
        return Output(format, rest)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> "list[CompletionItem]":
        from click.shell_completion import CompletionItem

        return [CompletionItem(each) for each in self.formats if each.startswith(incomplete)]


def option(formats: Sequence[str], default: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """`-o`: gives the command the format of its standard output, empty where everything goes to files."""

    def chosen(ctx: click.Context, param: click.Parameter, given: Sequence[Output]) -> str:
        printed = [each.format for each in given if not each.file]
        if len(printed) > 1:
            fix = f"Give one of them a file, as in -o {printed[1].partition('=')[0]}=FILE"
            raise click.BadParameter(f"{' and '.join(printed)} cannot both be printed. {fix}", ctx, param)
        ctx.meta[_TO_FILES] = [each for each in given if each.file]
        return printed[0] if printed else "" if given else default

    listed = ", ".join(f"{each}=EXPRESSION" if each in _WITH_EXPRESSION else each for each in formats)
    return click.option(
        "-o",
        "--output",
        multiple=True,
        type=Format(formats),
        metavar="FORMAT[=FILE]",
        callback=chosen,
        help=f"{listed}; {default} by default. With =FILE it goes there; may be repeated.",
    )


def to_files() -> Iterator[Output]:
    """Those outputs of the current command that go to files."""
    yield from click.get_current_context().meta.get(_TO_FILES, ())
