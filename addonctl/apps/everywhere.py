"""The options that every command takes, before its name or behind it: how much is said, in colour or not, how long.

They act while the command runs and are undone when it ends. Nothing is imported for one that is not given.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import click

from addonctl.errors import AddonctlError, BadInput

HINT = "-v, -q, --no-color and --timeout are told by `addonctl --help`."
_GIVEN = "addonctl.deadline"
_GRACE_S = 2.0
"""For threads that still wait for a server when the time is over."""


def attach(command: click.Command, *, changes: bool) -> None:
    """Gives the options to a command and to each command of a group, once; one that changes clusters has no deadline.

    Its help does not list them.
    """
    if not any(each.name == "quiet" for each in command.params):
        command.params += [each(hidden=True) for each in _OPTIONS if not (changes and each is _timeout)]
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            attach(inner, changes=changes)


def options(group: click.Group) -> click.Group:
    """The same for addonctl itself, whose help lists them."""
    group.params += [each(hidden=False) for each in _OPTIONS]
    return group


def refuse_deadline(ctx: click.Context, command: str) -> None:
    """Raises BadInput where a command that changes clusters was given a deadline: half a change is left to nobody."""
    if ctx.meta.get(_GIVEN):
        raise BadInput(f"--timeout before {command} would leave it half done", f"See `addonctl {command} --help`.")


# ── What they do ────────────────────────────────────────────────────────────────────────────────────────────────


def _verbose(ctx: click.Context, param: click.Parameter, given: bool) -> bool:
    if given:
        ctx.find_root().with_resource(_requests_shown())
    return given


def _quiet(ctx: click.Context, param: click.Parameter, given: bool) -> bool:
    if given:
        from addonctl.render import screen

        ctx.find_root().with_resource(screen.without_notes())
    return given


def _no_color(ctx: click.Context, param: click.Parameter, given: bool) -> bool:
    if given:
        ctx.find_root().with_resource(_environment({"NO_COLOR": "1", "FORCE_COLOR": None}))
    return given


def _deadline(ctx: click.Context, param: click.Parameter, given: str) -> str:
    if given:
        from addonctl.apps.options import duration_s

        ctx.meta[_GIVEN] = True
        ctx.find_root().with_resource(_ended_after(duration_s(given), given))
    return given


@contextmanager
def _requests_shown() -> Iterator[None]:
    """Every request to an API server and to AWS on standard error, and the trace of a bug."""
    import logging

    from addonctl.apps import run
    from addonctl.render import screen

    log, handler = logging.getLogger("addonctl"), _lines(screen.aside)
    was, run.debug = log.level, True
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    try:
        with screen.without_progress():
            yield
    finally:
        log.setLevel(was)
        log.removeHandler(handler)


def _lines(say: Callable[[str], None]) -> Any:
    import logging

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            say(record.getMessage())

    return Lines()


@contextmanager
def _environment(wanted: dict[str, str | None]) -> Iterator[None]:
    was = {name: os.environ.get(name) for name in wanted}
    _set(wanted)
    try:
        yield
    finally:
        _set(was)


def _set(wanted: dict[str, str | None]) -> None:
    for name, value in wanted.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@contextmanager
def _ended_after(seconds: float, given: str) -> Iterator[None]:
    """Raises when the time is over; threads that still wait then are given a little, and then left."""
    import signal

    late = AddonctlError(f"It took longer than --timeout {given}", "Give it more time, or find out why with -v.")
    over = False

    def end(*_: object) -> None:
        nonlocal over
        if over:
            with suppress(OSError):
                os.write(2, f"Error: {late}\n".encode())
            os._exit(1)
        over = True
        signal.setitimer(signal.ITIMER_REAL, _GRACE_S)
        raise late

    signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        if not over:
            signal.setitimer(signal.ITIMER_REAL, 0)


# ── The options ─────────────────────────────────────────────────────────────────────────────────────────────────


def _debug(*, hidden: bool) -> click.Option:
    say = "Say on standard error what servers are asked; show the trace of a bug."
    return click.Option(
        ["-v", "--debug"], is_flag=True, expose_value=False, hidden=hidden, callback=_verbose, help=say, is_eager=True
    )


def _silent(*, hidden: bool) -> click.Option:
    say = "No notes and no progress on standard error, only errors."
    return click.Option(
        ["-q", "--quiet"], is_flag=True, expose_value=False, hidden=hidden, callback=_quiet, help=say, is_eager=True
    )


def _colorless(*, hidden: bool) -> click.Option:
    return click.Option(
        ["--no-color"],
        is_flag=True,
        expose_value=False,
        hidden=hidden,
        callback=_no_color,
        help="No colors, as with NO_COLOR set.",
        is_eager=True,
    )


def _timeout(*, hidden: bool) -> click.Option:
    return click.Option(
        ["--timeout", "deadline"],
        default="",
        metavar="DURATION",
        expose_value=False,
        hidden=hidden,
        callback=_deadline,
        help="Give up when the whole command takes longer, such as 90s or 5m.",
    )


_OPTIONS = (_debug, _silent, _colorless, _timeout)
