"""Commands on saved clusters."""

import sys
from typing import TYPE_CHECKING, Any

import click

from addonctl.apps import options as opt
from addonctl.apps.shared import print_document, refuse, source_options
from addonctl.errors import BadInput

if TYPE_CHECKING:
    from addonctl.model import Snapshot


@click.group()
def snapshot() -> None:
    """Save a cluster to a file, show or compare saved ones."""


@snapshot.command("save", short_help="Read a cluster and save it to a file.")
@opt.source_options
@click.argument("file", required=False, default="", type=opt.FILE)
@click.option("--force", is_flag=True, help="Overwrite FILE if it exists.")
def snapshot_save(file: str, force: bool, **source: Any) -> None:
    """Read a cluster and save it to FILE, by default CLUSTER-DATE.snap; - is standard output.

    The file contains no values of Secrets, tokens or secret settings.
    """
    from pathlib import Path

    from addonctl.adapters.sources import snapshot_file
    from addonctl.apps import wiring
    from addonctl.render import screen, terminal

    taken = source_options(source).source(wiring.catalog()).snapshot()
    if file == "-":
        sys.stdout.buffer.write(snapshot_file.packed(taken))
        return
    path = Path(file or snapshot_file.default_name(taken))
    if path.exists() and not force:
        raise BadInput(f"{path} exists", "Give another name, or --force to overwrite it.")
    snapshot_file.save(taken, path)
    screen.note(f"{taken.cluster.name} saved to {path} ({path.stat().st_size // 1024 + 1} KiB)")
    terminal.gaps(taken.gaps, screen.Style())


@snapshot.command("show", short_help="What a file holds, and what could not be read.")
@click.argument("file", type=opt.FILE)
@click.option("--raw", is_flag=True, help="Print the whole snapshot as JSON.")
@opt.output
def snapshot_show(file: str, raw: bool, output: str) -> None:
    """The contents of FILE: how many objects of each kind, and what could not be read."""
    from pathlib import Path

    from addonctl.adapters.sources import snapshot_file
    from addonctl.render import documents, terminal

    refuse(["-o"] if raw and output != "table" else [], "--raw", "--raw is JSON: leave one out.")
    taken = snapshot_file.load(Path(file))
    if raw:
        sys.stdout.write(snapshot_file.encode(taken).decode() + "\n")
    else:
        print_document(output, lambda: documents.snapshot_document(taken), lambda: terminal.snapshot(taken))


@snapshot.command("diff", short_help="What changed between two files.")
@click.argument("old", type=opt.FILE)
@click.argument("new", type=opt.FILE)
@opt.output
def snapshot_diff(old: str, new: str, output: str) -> None:
    """What changed among the add-ons from OLD to NEW."""
    from pathlib import Path

    from addonctl.adapters.sources import snapshot_file
    from addonctl.apps import wiring
    from addonctl.changes import compare
    from addonctl.inventory import take_inventory
    from addonctl.model import View
    from addonctl.render import documents, terminal

    def read(path: str) -> "Snapshot":
        return snapshot_file.load(Path(path))

    before, after = (take_inventory(View(read(path)), wiring.catalog()) for path in (old, new))
    changes = documents.changes_document(compare(before, after))
    print_document(output, lambda: changes, lambda: terminal.changes(changes))
