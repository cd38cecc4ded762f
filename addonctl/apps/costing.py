"""`addonctl cost`: what add-ons cost a month, what that is made of, and what changed. Reads; changes nothing."""

import sys
from typing import TYPE_CHECKING, Any

import click

from addonctl.apps import options as opt
from addonctl.apps.shared import given_options, print_document, refuse, source_options

if TYPE_CHECKING:
    from addonctl.assessment import Assessment
    from addonctl.cost import CostRow

_BY = ("addon", "category", "namespace", "node", "kind")
_by = opt.option("--by", type=click.Choice(_BY), default="addon", show_default=True, help="What to add up by.")


def attach(cli: click.Group) -> None:
    """Adds the commands to `addonctl`."""
    cli.add_command(cost)
    cli.add_command(prices)


@opt.group(invoke_without_command=True, short_help="What each add-on costs a month, and why.")
@opt.source_options
@_by
@opt.output_option("table", "wide", "json", "yaml", "csv")
@opt.no_headers
@click.pass_context
def cost(ctx: click.Context, /, by: str, output: str, no_headers: bool, **source: Any) -> None:
    """What each add-on costs a month at list price, as the cluster runs now; `cost explain ADDON` says what for.

    A node is split among its pods by what they request, CPU and memory 9 to 1 as AWS splits it; what nobody requests is
    idle. Volumes, load balancers, the control plane and what AWS meters come on top. What has no price is listed.
    """
    if ctx.invoked_subcommand is not None:
        refuse(given_options(), ctx.invoked_subcommand, f"Give it after {ctx.invoked_subcommand}.")
        return
    from addonctl.cost import By
    from addonctl.render import costs, screen

    assessment, rows = _priced(source, by)
    if output == "csv":
        sys.stdout.write(costs.cost_csv(rows, By(by)))
        return
    style = screen.Style(wide=output == "wide", headers=not no_headers)
    print_document(
        output,
        lambda: costs.cost_document(assessment, rows, By(by)),
        lambda: costs.cost(assessment, rows, By(by), style),
    )


@cost.command("explain", short_help="What an add-on's cost is made of.")
@opt.addon
@opt.source_options
@opt.output_option("table", "json", "yaml")
def explain(addon: str, output: str, **source: Any) -> None:
    """What the cost of ADDON is made of: each workload and thing that is paid for, with its price and source."""
    from addonctl.assessment import narrowed
    from addonctl.cost import explain as parts_of
    from addonctl.render import costs

    assessment, _ = _priced(source, "addon")
    narrowed(assessment, addon)  # refuses what is not installed
    mine = {row.id for row in assessment.inventory.installations if addon in (row.addon, row.id)}
    assert assessment.cost is not None
    parts = parts_of(assessment.cost, mine)
    unknown = [charge for charge in assessment.cost.unknown if charge.installation in mine]
    print_document(
        output,
        lambda: costs.explained_document(assessment, addon, parts, unknown),
        lambda: costs.explained(assessment, addon, parts, unknown),
    )


@cost.command("diff", short_help="What costs more or less than in an older snapshot.")
@opt.argument("older", type=opt.PATH)
@opt.argument("newer", type=opt.PATH)
@_by
@opt.output
@opt.no_headers
def diff(older: str, newer: str, by: str, output: str, no_headers: bool) -> None:
    """What costs more or less in the snapshot NEWER than in OLDER, both at today's prices."""
    from addonctl.cost import By
    from addonctl.render import costs, screen

    _, was = _priced({"snapshot": older}, by)
    assessment, now = _priced({"snapshot": newer}, by)
    before, after = ({row.name: row for row in rows} for rows in (was, now))
    style = screen.Style(headers=not no_headers)
    print_document(
        output,
        lambda: costs.differences_document(assessment, before, after, By(by)),
        lambda: costs.differences(before, after, By(by), style),
    )


@opt.group(short_help="AWS's list prices that costs are reckoned with.")
def prices() -> None:
    """AWS's list prices that costs are reckoned with: packaged ones, or those that you asked AWS for."""


@prices.command("refresh", short_help="Ask AWS what a region costs today.")
@opt.aws_options
def refresh(region: str, profile: str) -> None:
    """Ask AWS's Price List for the prices of a region; they override the packaged ones there.

    It needs the IAM action pricing:GetProducts, which nothing else here needs.
    """
    from addonctl.adapters import price_list, price_table
    from addonctl.adapters.aws import Aws
    from addonctl.apps import wiring
    from addonctl.render import screen

    where = region or Aws(None, profile or None).region_in_use()
    found = price_list.prices_of(where, profile or None, as_of=wiring.CLOCK.now().date())
    path = price_table.save_own(found, wiring.cache_dir())
    known = f"{len(found.hourly)} instance types and {len(found.prices)} other prices"
    screen.note(f"{known} of {where} as of {found.as_of} saved to {path}")


def _priced(source: dict[str, Any], by: str) -> "tuple[Assessment, tuple[CostRow, ...]]":
    """The assessment of a source, and its cost added up."""
    from addonctl.adapters.sources import snapshot_file
    from addonctl.apps import wiring
    from addonctl.cost import By, summarise

    manager = wiring.manager(source_options(source))
    with snapshot_file.without_collector():
        assessment = manager.assess()
        assert assessment.cost is not None
        return assessment, summarise(assessment.cost, By(by), assessment.inventory, manager.catalog)
