"""`python -m addonctl`."""

from addonctl.apps.cli import main

main()
