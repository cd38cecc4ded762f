"""Defaults of options, from the settings or the environment: `context: prod-eu-1`, or ADDONCTL_CONTEXT.

What the command line says comes first, then the environment, then the settings.
"""

import os
import sys
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import click

from addonctl.errors import BadInput


def attach(command: click.Command) -> None:
    """Gives a command, and each command of a group, its defaults."""
    command.context_settings["default_map"] = _Defaults(command)
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            attach(inner)


class _Defaults(dict[str, Any]):
    """By parameter, the default of a command's options: looked up when click asks for one."""

    def __init__(self, command: click.Command) -> None:
        super().__init__()
        self._command = command

    def __contains__(self, name: object) -> bool:
        return self.get(str(name)) is not None

    def __getitem__(self, name: str) -> Any:
        return self.get(name)

    def get(self, name: str, default: Any = None) -> Any:
        for option in self._command.params:
            if isinstance(option, click.Option) and option.name == name and (said := self._said(option)):
                return [said] if option.multiple else said
        return default

    def _said(self, option: click.Option) -> str:
        """What the environment or the settings say."""
        from addonctl.adapters.config_file import DEFAULTS

        key = next((key for key in DEFAULTS if f"--{key}" in option.opts), "")
        variable = f"ADDONCTL_{key.upper().replace('-', '_')}"
        said = os.environ.get(variable) or self._settings.get(key, "") if key else ""
        return said if said and _takes(option, said) else ""

    @cached_property
    def _settings(self) -> Mapping[str, str]:
        from addonctl.adapters import config_file

        try:
            return config_file.load().defaults
        except BadInput:
            # Click asks for defaults when it prints help as well; doctor says itself what is wrong with the settings.
            if {"-h", "--help"} & set(sys.argv) or self._command.name == "doctor":
                return {}
            raise


def _takes(option: click.Parameter, value: str) -> bool:
    """Formats differ from command to command: one that a command does not have is none of its defaults."""
    choices = getattr(option.type, "formats", None) or getattr(option.type, "choices", None)
    return choices is None or value.partition("=")[0] in choices
