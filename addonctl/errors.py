"""Errors of addonctl: each says what, where and the mend, and reads the same in the CLI, the API and MCP.

    AddonctlError
    ├── BadInput        what was given cannot be used: a file, a version, a name, an option
    ├── NotReachable    the cluster, AWS or a file could not be reached: try again, or mend the way there
    └── NotAllowed      credentials are missing or lack a permission

Bugs are not in this tree: they crash with a traceback.
"""


class AddonctlError(Exception):
    """What happened, and how to mend it.

    `what` is one sentence with the offending value in it; `mend` is an action the reader can take.
    """

    def __init__(self, what: str, mend: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.mend = mend

    def __str__(self) -> str:
        return f"{self.what}\nMend: {self.mend}" if self.mend else self.what


class BadInput(AddonctlError):
    """What was given cannot be used."""


class NotReachable(AddonctlError):
    """The other side did not answer; trying again may help."""


class NotAllowed(AddonctlError):
    """Credentials are missing or lack a permission; trying again does not help."""
