"""`kubectl_complete-addons`: kubectl runs it when a shell completes `kubectl addons …`, and offers what it prints.

Its arguments are the words so far, the last being the one to complete. The output is in cobra's format: one candidate
per line, with its help after a tab, then a directive.
"""

import sys

from click.shell_completion import ShellComplete

from addonctl.apps.cli import cli

# cobra's ShellCompDirectiveNoFileComp: do not offer file names.
_DEFAULT, _NO_FILES = ":0", ":4"


def main() -> None:
    """The entry point of `kubectl_complete-addons`."""
    *before, incomplete = sys.argv[1:] or [""]
    items = ShellComplete(cli, {}, "kubectl-addons", "").get_completions(before, incomplete)
    for item in items:
        if item.type == "plain":
            print(f"{item.value}\t{item.help}" if item.help else item.value)
    print(_DEFAULT if any(item.type != "plain" for item in items) else _NO_FILES)
