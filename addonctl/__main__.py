"""`python -m addonctl`. The version of Python is looked at first: an older one cannot read what is imported then."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - the point of it
    this = f"{sys.version_info[0]}.{sys.version_info[1]} ({sys.executable})"
    sys.exit(
        f"addonctl needs Python 3.11 or newer; this is {this}.\n"
        "Fix: Run it by a newer one, such as python3.12 -m addonctl; `uv tool install` brings one where there is none."
    )

from addonctl.apps.cli import main

main()
