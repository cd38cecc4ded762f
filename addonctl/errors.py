"""Errors of addonctl: each says what, where and the fix, and reads the same in the CLI, the API and MCP.

    AddonctlError
    ├── BadInput        what was given cannot be used: a file, a version, a name, an option
    ├── NotReachable    the cluster, AWS or a file could not be reached: try again, or fix the way there
    └── NotAllowed      credentials are missing or lack a permission

Bugs are not in this tree: they crash with a traceback.
"""


class AddonctlError(Exception):
    """What happened, and how to fix it.

    `what` is one sentence with the offending value in it; `fix` is an action the reader can take.
    """

    def __init__(self, what: str, fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.what}\nFix: {self.fix}" if self.fix else self.what


class BadInput(AddonctlError):
    """What was given cannot be used."""


class NotReachable(AddonctlError):
    """The other side did not answer; trying again may help."""


class NotAllowed(AddonctlError):
    """Credentials are missing or lack a permission; trying again does not help."""
