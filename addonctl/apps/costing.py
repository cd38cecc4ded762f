"""`addonctl usage`, `rightsize`, `cost` and `opportunities`: what add-ons use, should request, cost, and could cost.

Reads; changes nothing.
"""

from typing import TYPE_CHECKING, Any

import click

from addonctl.apps import options as opt
from addonctl.apps.shared import given_options, minor_of, print_document, refuse, source_options
from addonctl.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from addonctl.assessment import Assessment
    from addonctl.cost import By, CostRow
    from addonctl.model.bill import Billed
    from addonctl.model.spending import CostDay
    from addonctl.render.screen import Style

_BY = ("addon", "category", "namespace", "node", "kind")
_by = click.option("--by", type=click.Choice(_BY), default="addon", show_default=True, help="What to add up by.")


@click.command()
@opt.addon_or_none
@opt.live_options
@opt.demo
@opt.metrics
@opt.window("14d", "How far to look back, such as 12h or 14d.")
@click.option("--growth", is_flag=True, help="How it grows: by week, and with the cluster, up to twice its size.")
@opt.output_option("table", "wide", "json", "yaml", "csv")
@opt.no_headers
def usage(addon: str, window: "timedelta", growth: bool, output: str, no_headers: bool, **source: Any) -> None:
    """What the containers of ADDON use, of all add-ons without it: CPU and memory, throttling and OOM kills.

    Asks Prometheus (or Thanos, Mimir, VictoriaMetrics, Amazon's) for quantiles over the window: the one given, that of
    the settings, or the one inside the cluster. Without any, the metrics API says what is used right now.

    With --growth: how much more each week, at which hour of the week most, and what it would use in a cluster of twice
    the size, by the days on which the cluster was larger and smaller.
    """
    from addonctl.apps import wiring
    from addonctl.growth import growths
    from addonctl.render import screen, usages

    refuse(["--growth"] if growth and output == "csv" else [], "-o csv", "Its columns are those of use; take -o json.")
    options = source_options(source)
    manager = wiring.manager(options)
    assessment = manager.assess()
    asked = wiring.usage(options, daily=growth, growth=growth, now_will_do=not growth)
    found = manager.usage(assessment, asked, window, addon)
    style = screen.Style(wide=output == "wide", headers=not no_headers)
    if growth:
        print_document(
            output,
            lambda: usages.growth_document(assessment, found, growths(found)),
            lambda: usages.growth(assessment, found, growths(found), style),
        )
        return
    print_document(
        output,
        lambda: usages.usage_document(assessment, found),
        lambda: usages.usage(assessment, found, style),
        {"csv": lambda: usages.usage_csv(found)},
    )


@click.command()
@opt.addon_or_none
@opt.live_options
@opt.demo
@opt.metrics
@opt.window("14d", "How far to look back, such as 7d or 14d.")
@click.option(
    "--risk",
    type=click.Choice(["low", "medium", "high"]),
    default="medium",
    show_default=True,
    help="How often a container may need more than it requests.",
)
@opt.output
@opt.no_headers
def rightsize(addon: str, window: "timedelta", risk: str, output: str, no_headers: bool, **source: Any) -> None:
    """What the containers of ADDON should request, of all add-ons without it, by what they used day by day.

    Changes nothing: each change is a command to paste, in the words of its installer, with the way back. Weekly peaks
    and growth are kept, what was killed for memory is not made smaller, and few days make it wider. What that frees is
    money only once fewer or smaller nodes do.
    """
    from addonctl.apps import wiring
    from addonctl.model.sizing import Risk
    from addonctl.render import resizes, screen
    from addonctl.resizing import resize

    options = source_options(source)
    manager = wiring.manager(options)
    assessment = manager.assess()
    report = manager.usage(assessment, wiring.usage(options, daily=True, now_will_do=False), window, addon)
    found = resize(assessment, report, manager.catalog, Risk(risk))
    style = screen.Style(wide=output == "wide", headers=not no_headers)
    print_document(
        output,
        lambda: resizes.resizes_document(assessment, found, report.metrics, Risk(risk)),
        lambda: resizes.resizes(assessment, found, report.metrics, Risk(risk), style),
    )


@click.command()
@opt.addon_or_none
@opt.source_options
@opt.window("", "Look for requests above what is used as well, over so long, such as 14d; live only.")
@opt.metrics
@opt.output_option("table", "wide", "json", "yaml", "csv")
@opt.no_headers
def opportunities(addon: str, window: "timedelta | None", output: str, no_headers: bool, **source: Any) -> None:
    """Where ADDON could cost less, or all add-ons and what is around them: the saving, what to watch, the way back.

    Volumes of gp2, load balancers that can share, volumes and load balancers that nobody uses, add-ons that have
    nothing to do or do the same as another, replicas and DaemonSets beyond need, extended support. Charges end at once;
    room on nodes is money once fewer nodes do. What cannot be judged from what was read is said. Changes nothing.
    """
    from addonctl.adapters.sources import snapshot_file
    from addonctl.apps import wiring
    from addonctl.assessment import installations_of
    from addonctl.render import opportunities as render
    from addonctl.render import screen

    options = source_options(source)
    manager = wiring.manager(options)
    with snapshot_file.without_collector():
        assessment = manager.assess()
        mine = installations_of(assessment, addon)
        report = None
        if window is not None:
            report = manager.usage(assessment, wiring.usage(options, daily=True, now_will_do=False), window, addon)
        found = manager.opportunities(assessment, report)
    found = found.of(mine) if addon else found
    style = screen.Style(wide=output == "wide", headers=not no_headers)
    print_document(
        output,
        lambda: render.opportunities_document(assessment, found),
        lambda: render.opportunities(assessment, found, style),
        {"csv": lambda: render.opportunities_csv(found)},
    )


_shared = click.option(
    "--shared",
    type=click.Choice(["apart", "proportional", "even", "airport"]),
    default="apart",
    show_default=True,
    help="Who bears what nobody causes (idle nodes, the control plane): by what they cost, all alike, or by the room "
    "that they need, its top only who needs the most.",
)
_use = opt.chain(opt.window("", "Split nodes by use as well, over so long, such as 7d; live only."), opt.metrics)


@click.group(invoke_without_command=True)
@opt.source_options
@_by
@_use
@_shared
@click.option("--bill", "bills", multiple=True, type=opt.PATH, help="A file of what AWS billed; may be repeated.")
@click.option(
    "--cost-explorer", is_flag=True, help="What AWS billed in the last 30 days; asks Cost Explorer, for cents."
)
@opt.output_option("table", "wide", "json", "yaml", "csv", "openmetrics", "focus")
@opt.no_headers
@click.pass_context
def cost(
    ctx: click.Context,
    /,
    by: str,
    window: "timedelta | None",
    shared: str,
    bills: tuple[str, ...],
    cost_explorer: bool,
    output: str,
    no_headers: bool,
    **source: Any,
) -> None:
    """What each add-on costs a month at list price, as the cluster runs now; `cost explain ADDON` says what for.

    A node is split among its pods by what they request, or with --window by what they use where that is more; CPU and
    memory 9 to 1, as AWS splits it. What is left is idle: it has a row of its own, or is borne by those on the node
    (--shared). Volumes, load balancers, the control plane and what AWS meters come on top. What has no price is listed.

    With a bill it is what AWS charged in the time of the bill, split in the same way, and why that is not list price. A
    bill is a Cost and Usage Report with resource ids, or a FOCUS export: CSV, also in gzip, or Parquet.
    """
    if ctx.invoked_subcommand is not None:
        refuse(given_options(), ctx.invoked_subcommand, f"Give it after {ctx.invoked_subcommand}.")
        return
    from dataclasses import replace

    from addonctl.cost import By, Sharing, shared_out
    from addonctl.render import costs, focus, openmetrics, screen

    is_shared = shared != Sharing.APART.value and output == "focus"
    refuse(["--shared"] if is_shared else [], "-o focus", "Its rows have what is left of a node as not allocated.")
    assessment, rows = _priced(source, by, window, shared)
    assert assessment.cost is not None
    whole = assessment.cost
    if bills or cost_explorer:
        bill = _bill_of(assessment, bills, cost_explorer, str(source.get("profile") or ""))
        bill = replace(bill, cost=shared_out(bill.cost, Sharing(shared)))
        _by_bill(assessment, bill, By(by), output, screen.Style(wide=output == "wide", headers=not no_headers))
        return
    assessment = replace(assessment, pricing=lambda: shared_out(whole, Sharing(shared)))
    texts = {
        "csv": lambda: costs.cost_csv(rows, By(by)),
        "openmetrics": lambda: openmetrics.month(assessment.cluster.name, rows, By(by)),
        "focus": lambda: focus.of_a_day(assessment, whole),
    }
    style = screen.Style(wide=output == "wide", headers=not no_headers)
    print_document(
        output,
        lambda: costs.cost_document(assessment, rows, By(by)),
        lambda: costs.cost(assessment, rows, By(by), style),
        texts,
    )


def _bill_of(assessment: "Assessment", files: tuple[str, ...], cost_explorer: bool, profile: str) -> "Billed":
    """A bill, held against the model of a cluster."""
    from addonctl.apps import wiring
    from addonctl.cost.bill import ClusterNames, match

    refuse(["--bill"] if files and cost_explorer else [], "--cost-explorer", "Both say what AWS billed; give one.")
    assert assessment.cost is not None
    eks = assessment.view.snapshot.eks
    names = ClusterNames(name=eks.cluster.name if eks else assessment.cluster.name, region=assessment.view.region)
    return match(assessment.cost, wiring.bill(files, names, profile).lines(names.tags), names)


def _by_bill(assessment: "Assessment", found: "Billed", by: "By", output: str, style: "Style") -> None:
    """The cost by a bill, and why it is not the model's."""
    from addonctl.apps import wiring
    from addonctl.cost import summarise
    from addonctl.render import bills, costs, focus, openmetrics

    rows = summarise(found.cost, by, assessment.inventory, wiring.catalog())
    texts = {
        "csv": lambda: costs.cost_csv(rows, by, "usd"),
        "openmetrics": lambda: openmetrics.billed(assessment.cluster.name, rows, by, found.begin, found.end),
        "focus": lambda: focus.of_a_bill(assessment, found),
    }
    print_document(
        output,
        lambda: bills.bill_document(assessment, found, rows, by),
        lambda: bills.bill(assessment, found, rows, by, style),
        texts,
    )


@cost.command("explain", short_help="What an add-on's cost is made of.")
@opt.addon
@opt.source_options
@_use
@_shared
@opt.output_option("table", "json", "yaml")
def explain(addon: str, window: "timedelta | None", shared: str, output: str, **source: Any) -> None:
    """What the cost of ADDON is made of: each workload and thing that is paid for, with its price and source.

    With --shared also what it bears of what nobody causes, and by which rule.
    """
    from addonctl.assessment import installations_of
    from addonctl.cost import Sharing, shared_out, standing
    from addonctl.cost import explain as parts_of
    from addonctl.render import costs

    assessment, _ = _priced(source, "addon", window)
    mine = installations_of(assessment, addon)
    assert assessment.cost is not None
    parts = parts_of(shared_out(assessment.cost, Sharing(shared)), mine)
    unknown = [charge for charge in assessment.cost.unknown if charge.installation in mine]
    stands = standing(assessment.cost, mine) if shared == Sharing.AIRPORT.value else None
    print_document(
        output,
        lambda: costs.explained_document(assessment, addon, parts, unknown, Sharing(shared), stands),
        lambda: costs.explained(assessment, addon, parts, unknown, Sharing(shared), stands),
    )


@cost.command("of", short_help="What manifests would cost here, before they are applied.")
@opt.manifests
@opt.cluster_options
@opt.output_option("table", "json", "yaml")
def of(manifests: tuple[str, ...], output: str, **source: Any) -> None:
    """What the manifests or the rendered chart of -f would cost a month in a cluster, before they are applied.

    A DaemonSet is counted on every node that it may run on, other pods at the mean of theirs, by what they request;
    volumes and load balancers come on top. What has no price is listed.
    """
    from addonctl.apps import wiring
    from addonctl.render import costs

    manager = wiring.manager(source_options(source))
    assessment = manager.assess()
    found = manager.estimate(assessment, wiring.manifests(manifests))
    print_document(
        output,
        lambda: costs.estimate_document(assessment, manifests, found),
        lambda: costs.estimated(assessment, manifests, found),
    )


@cost.command("diff", short_help="What costs more or less than in an older snapshot.")
@click.argument("older", type=opt.PATH)
@click.argument("newer", type=opt.PATH)
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


@cost.command("record", short_help="Keep what a cluster costs today, for trends and forecasts.")
@opt.source_options
def record(**source: Any) -> None:
    """Keep what each add-on costs today, at the day's rate; run it once a day. A day that was kept is replaced.

    Kept where runs are: in this user's files, or in the database that $ADDONCTL_DATABASE names.
    """
    from addonctl.apps import wiring
    from addonctl.render import costs, screen
    from addonctl.spending import cost_day

    assessment, rows = _priced(source, "addon")
    eks = assessment.view.snapshot.eks
    day = cost_day(assessment.cluster.name, assessment.day, rows, eks.cluster if eks else None)
    wiring.cost_history().record(day)
    total = costs.usd(sum(day.usd_micros.values()))
    screen.note(f"Recorded {day.day} of {day.cluster}: ${total} a day, by {len(day.usd_micros)} names")


@cost.command("forecast", short_help="What the next 30 days will cost, and how sure that is.")
@click.argument("cluster", required=False, default="")
@click.option("--kubernetes", default="", metavar="VERSION", help="What it runs, if not what was recorded.")
@opt.demo
@opt.output_option("table", "json", "yaml")
@opt.no_headers
def forecast(cluster: str, kubernetes: str, demo: bool, output: str, no_headers: bool) -> None:
    """What CLUSTER will cost over the next 30 days, from the days that `cost record` has kept of it.

    With the interval of 80 %, how far off such forecasts were as of earlier days beside simpler ones, and what began to
    cost more or less, since when. CLUSTER may be left out where only one was recorded.
    """
    from datetime import timedelta

    from addonctl.apps import wiring
    from addonctl.render import outlooks, screen
    from addonctl.spending import outlook

    if demo:
        refuse([cluster] if cluster else [], "--demo", "The demo is one cluster.")
        assessment, rows = _priced({"demo": True}, "addon")
        days: Sequence[CostDay] = _made_up(assessment, rows)
    else:
        history = wiring.cost_history()
        name = cluster or _only(history.clusters())
        days = history.days(name, wiring.CLOCK.now().date() - timedelta(days=_KEPT_DAYS))
        if not days:
            raise BadInput(f"No day of {name!r} was recorded", "`addonctl cost record` keeps one; run it every day.")
    found = outlook(days, wiring.catalog(), minor_of(kubernetes))
    style = screen.Style(headers=not no_headers)
    print_document(
        output, lambda: outlooks.outlook_document(found, demo), lambda: outlooks.outlook(found, style, demo=demo)
    )


def _made_up(assessment: "Assessment", rows: "Sequence[CostRow]") -> "Sequence[CostDay]":
    """Days of the demo, which never ran."""
    from addonctl.adapters.sources import invented
    from addonctl.spending import cost_day

    eks = assessment.view.snapshot.eks
    today = cost_day(assessment.cluster.name, assessment.day, rows, eks.cluster if eks else None)
    return invented.history(today)


_KEPT_DAYS = 800  # of two years a forecast makes use


def _only(clusters: "Sequence[str]") -> str:
    if len(clusters) != 1:
        known = f"There are: {', '.join(clusters)}." if clusters else "`addonctl cost record` keeps a day."
        raise BadInput("Which cluster is not said, and not one alone was recorded", known)
    return clusters[0]


@click.group()
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


def _priced(
    source: dict[str, Any], by: str, window: "timedelta | None" = None, shared: str = "apart"
) -> "tuple[Assessment, tuple[CostRow, ...]]":
    """The assessment of a source, and its cost added up; over a window, of use as well."""
    from addonctl.adapters.sources import snapshot_file
    from addonctl.apps import wiring
    from addonctl.cost import By, Sharing, shared_out, summarise

    options = source_options(source)
    manager = wiring.manager(options)
    with snapshot_file.without_collector():
        assessment = manager.assess()
        if window is not None:
            assessment = manager.priced_by_use(assessment, wiring.usage(options, means=True), window)
        assert assessment.cost is not None
        cost = shared_out(assessment.cost, Sharing(shared))
        return assessment, summarise(cost, By(by), assessment.inventory, manager.catalog)
