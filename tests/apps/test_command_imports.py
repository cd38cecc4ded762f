"""Commands are imported when they are asked for."""

import subprocess
import sys


def imported_by(*words: str) -> set[str]:
    """The modules of commands that a process has imported once it has run `addonctl WORDS`."""
    code = (
        "import atexit, sys\n"
        "atexit.register(lambda: print(*(each for each in sys.modules if each.startswith('addonctl.apps.'))))\n"
        f"sys.argv = ['addonctl', *{words!r}]\n"
        "from addonctl.apps.cli import main; main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.removeprefix("addonctl.apps.") for name in done.stdout.splitlines()[-1].split()}


def test_the_help_of_all_commands_imports_none_of_them() -> None:
    assert imported_by("--help") == {"cli", "defaults", "everywhere", "examples", "run"}


def test_a_command_imports_its_own_module_and_no_other_s() -> None:
    assert imported_by("usage", "--help") >= {"costing", "options", "shared"}
    assert not imported_by("usage", "--help") & {"updating", "reporting", "dashboarding", "wiring"}
