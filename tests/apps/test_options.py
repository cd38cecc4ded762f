"""Commands make their parameters when somebody looks at them, and share them."""

import subprocess
import sys

import click
from click.testing import CliRunner

from addonctl.apps import options as opt

shared = opt.option("--many", multiple=True, help="Whatever.")


@opt.group()
def program() -> None:
    """Of two commands."""


@program.command()
@opt.argument("what")
@shared
@click.option("--now", is_flag=True)
def first(what: str, many: tuple[str, ...], now: bool) -> None:
    click.echo(f"{what} {many} {now}")


@program.command()
@shared
def second(many: tuple[str, ...]) -> None:
    click.echo(f"{many}")


def test_they_come_in_the_order_in_which_they_are_written_with_click_s_own_between_them() -> None:
    done = CliRunner().invoke(program, ["first", "a", "--many", "b", "--many", "c", "--now"])
    assert done.output == "a ('b', 'c') True\n"
    assert [each.name for each in program.commands["first"].params] == ["what", "many", "now"]
    assert program.commands["first"].params[1] is program.commands["second"].params[0]


def test_the_help_of_the_group_makes_no_option_of_its_commands() -> None:
    code = (
        "import sys, click; made = []; whole = click.Option.__init__\n"
        "def counted(self, *words, **settings): made.append(words); whole(self, *words, **settings)\n"
        "click.Option.__init__ = counted; sys.argv = ['addonctl', '--help']\n"
        "from addonctl.apps.cli import main\n"
        "try: main()\n"
        "except SystemExit: print(len(made))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout.splitlines()[-1]) <= 10, "those of the group, not the hundreds of its commands"
