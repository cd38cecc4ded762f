"""A bill held against the model: what each line is of, what each share then costs, and why both differ.

A line belongs to what its resource names: a node's instance, a volume, a load balancer, the cluster. Lines that name
none, or none that the model has, are the cluster's if its tags are on them, and else not. What a bill says of a node is
split as the model splits the node. Every micro-dollar of the bill is in one share.

Pure: decided from a ClusterCost and the lines of a bill. Called by `addonctl cost --bill`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import ROUND_FLOOR, Decimal

from addonctl.cost.allocation import split
from addonctl.errors import BadInput
from addonctl.model.bill import Billed, BillLine, Cause, LineKind, hours_between
from addonctl.model.cost import HOURS_PER_MONTH, Charge, ClusterCost, CostKind, Pool, Share

_HOURS = frozenset({"hrs", "hours", "hour"})
# Units of what the model has a figure for; others (GB, LCU-Hrs, requests) depend on use.
_MODELLED = _HOURS | {"gb-mo", "gb-months", "iops-mo", "iops-months", "gibps-mo", "gib/second-months"}
_DAY_H = 24
_PER_USD = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterNames:
    """What a bill knows a cluster by."""

    name: str
    region: str = ""

    @property
    def tags(self) -> Mapping[str, tuple[str, ...]]:
        """Tags of what belongs to it, with their values. EKS, controllers and AWS itself set them."""
        return {
            f"kubernetes.io/cluster/{self.name}": ("owned", "shared"),
            "eks:cluster-name": (self.name,),
            "aws:eks:cluster-name": (self.name,),
        }

    @property
    def key(self) -> str:
        return f"eks/{self.region}/{self.name}"

    def owns(self, line: BillLine) -> bool:
        """Whether a line has one of its tags, or is of a part of it in EKS."""
        if any(line.tags.get(tag) in values for tag, values in self.tags.items()):
            return True
        return f"{resource_key(line.resource)}/".startswith(f"{self.key}/")


# ── Names of resources ──────────────────────────────────────────────────────────────────────────────────────────

_SHORT_NAME = re.compile(r"[A-Z]{2,4}\d{0,2}-")  # of a region, before a usage type
_BY_SUFFIX = re.compile(r"internal-|-\d+$")


def resource_key(resource: str) -> str:
    """One name for all that a bill or a cluster calls a resource: its id, ARN, or the host name of a load balancer.

    i-0abc and arn:aws:ec2:…:instance/i-0abc are i-0abc; a load balancer is elb/REGION/NAME, a cluster eks/REGION/NAME,
    and what EKS has of it eks/REGION/NAME/KIND.
    """
    if resource.startswith("arn:"):
        parts = resource.split(":", 5)
        return _arn_key(parts[2], parts[3], parts[5]) if len(parts) == 6 else resource
    return _host_key(resource.lower()) if ".elb." in resource else resource


def _arn_key(service: str, region: str, rest: str) -> str:
    path = rest.split("/")
    if service == "elasticloadbalancing" and path[0] == "loadbalancer" and len(path) > 1:
        name = "-".join(path[2:4]) if path[1] == "net" else path[2] if path[1] == "app" else path[1]
        return f"elb/{region}/{name.lower()}"
    if service == "eks" and len(path) > 1:
        return f"eks/{region}/{path[1]}" + ("" if path[0] == "cluster" else f"/{path[0]}")
    return path[-1]


def _host_key(host: str) -> str:
    labels = host.removeprefix("dualstack.").split(".")
    if labels[1] == "elb":
        return f"elb/{labels[2]}/{labels[0]}"
    return f"elb/{labels[1]}/{_BY_SUFFIX.sub('', labels[0])}"


_OF_A_TYPE = ("type/", "volumes", "load balancers", "control planes")


def _meter_key(meter: str) -> str:
    """What a usage type alone says: the type of an instance, or that it is of volumes, load balancers, clusters."""
    named = _SHORT_NAME.match(meter)
    bare = meter[named.end() :] if named else meter
    what, _, type_ = bare.partition(":")
    if what in ("BoxUsage", "SpotUsage"):
        return f"type/{type_}"
    if bare.startswith("EBS:Volume"):
        return "volumes"
    if bare.startswith("AmazonEKS-Hours"):
        return "control planes"
    return "load balancers" if bare.startswith(("LoadBalancerUsage", "LCUUsage")) else ""


def _keys(charge: Charge, names: ClusterNames) -> Iterator[str]:
    """The names by which a bill may speak of a charge."""
    if charge.resource:
        yield resource_key(charge.resource.partition("::")[0])
    if charge.kind is CostKind.NODE:
        yield f"type/{charge.what}"
    elif charge.kind is CostKind.CONTROL_PLANE:
        yield from (names.key, "control planes")
    elif charge.kind is CostKind.VOLUME:
        yield "volumes"
    elif charge.kind is CostKind.LOAD_BALANCER:
        yield "load balancers"


# ── Adding up ───────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class _Sum:
    """What a bill says of one thing, line by line."""

    known: Decimal = Decimal(0)  # of what the model has a figure for
    used: Decimal = Decimal(0)
    discounts: Decimal = Decimal(0)
    covered: bool = False
    spot: bool = False
    hours: dict[str, Decimal] = field(default_factory=dict)  # by meter, of those that count hours
    spans: dict[str, Decimal] = field(default_factory=dict)  # by meter, of the others
    by_day: dict[tuple[str, date], Decimal] = field(default_factory=dict)

    def add(self, line: BillLine) -> None:
        unit = line.unit.lower()
        if line.kind is LineKind.DISCOUNT:
            self.discounts += line.amortized_usd
        elif unit in _MODELLED or not unit:
            self.known += line.amortized_usd
        else:
            self.used += line.amortized_usd
        self.covered = self.covered or line.kind is LineKind.COVERED
        self.spot = self.spot or line.spot
        if line.kind in (LineKind.USAGE, LineKind.COVERED):
            self._count(line, unit)

    def _count(self, line: BillLine, unit: str) -> None:
        span = hours_between(line.begin, line.end)
        if unit not in _HOURS:
            self.spans[line.meter] = self.spans.get(line.meter, Decimal(0)) + span
            return
        self.hours[line.meter] = self.hours.get(line.meter, Decimal(0)) + line.quantity
        if line.meter and span <= _DAY_H:
            day = line.meter, line.begin.date()
            self.by_day[day] = self.by_day.get(day, Decimal(0)) + line.quantity

    @property
    def ran(self) -> Decimal | None:
        """For how many hours it was paid; None where the bill does not say."""
        return max((self.hours or self.spans).values(), default=None)

    @property
    def price(self) -> Cause:
        return Cause.COMMITTED if self.covered else Cause.SPOT if self.spot else Cause.PRICE


_APART = {
    LineKind.COMMITMENT: Pool.COMMITMENTS,
    LineKind.CREDIT: Pool.CREDITS,
    LineKind.REFUND: Pool.CREDITS,
    LineKind.TAX: Pool.TAXES,
}


class _Adding:
    """All lines of a bill, added up by what they are of. Its size is that of the cluster, not of the bill."""

    def __init__(self, cost: ClusterCost, names: ClusterNames) -> None:
        self._names = names
        self.charges: dict[str, list[Charge]] = {}
        for charge in cost.charges:
            for key in _keys(charge, names):
                self.charges.setdefault(key, []).append(charge)
        self.things: dict[str, _Sum] = {}
        self.tagged: dict[str, Decimal] = {}  # the cluster's, by service
        self.pools: dict[Pool, Decimal] = {}
        self.unblended = Decimal(0)
        self.names_resources = False
        self._short: tuple[datetime, datetime] | None = None
        self._long: tuple[datetime, datetime] | None = None

    def add(self, line: BillLine) -> None:
        self.unblended += line.unblended_usd
        self.names_resources = self.names_resources or bool(line.resource)
        if line.kind in (LineKind.USAGE, LineKind.COVERED):
            self._see(line)
        pool, key = self._place(line)
        if pool is not None:
            self.pools[pool] = self.pools.get(pool, Decimal(0)) + line.amortized_usd
        elif key:
            self.things.setdefault(key, _Sum()).add(line)
        else:
            self.tagged[line.service] = self.tagged.get(line.service, Decimal(0)) + line.amortized_usd

    def _place(self, line: BillLine) -> tuple[Pool | None, str]:
        """The pool that a line is of, or the key of what it is of in the model; neither: it is the cluster's."""
        if line.kind in _APART:
            return _APART[line.kind], ""
        key = resource_key(line.resource) if line.resource else ""
        if key in self.charges:
            return None, key
        if self._names.owns(line):
            by_meter = "" if line.resource else _meter_key(line.meter)
            return None, by_meter if by_meter in self.charges else ""
        return Pool.CREDITS if line.kind is LineKind.DISCOUNT else Pool.ELSEWHERE, ""

    def _see(self, line: BillLine) -> None:
        """Widens the time of the bill. What is charged for a month at once says that it began, not how far it got."""
        if line.end - line.begin <= timedelta(days=1):
            self._short = _wider(self._short, line)
        else:
            self._long = _wider(self._long, line)

    @property
    def time(self) -> tuple[datetime, datetime]:
        """From when to when the bill is. Raises BadInput for one that has no usage."""
        found = self._short or self._long
        if found is None or found[0] >= found[1]:
            raise BadInput("The bill has no usage, so that it is of no time", "Give a bill with lines of usage.")
        return found


def _wider(time: tuple[datetime, datetime] | None, line: BillLine) -> tuple[datetime, datetime]:
    return (line.begin, line.end) if time is None else (min(time[0], line.begin), max(time[1], line.end))


def _check_days(key: str, thing: _Sum) -> None:
    """No instance runs for more than 24 hours of a day: who says so has the day twice."""
    for (_, day), hours in thing.by_day.items():
        if hours > _DAY_H + 1:  # the clock of a bill is not the clock of an instance
            raise BadInput(
                f"The bill has {hours:.4g} hours of {key} on {day}: it has that day more than once",
                "Give one delivery of each month; a later one replaces those before it.",
            )


def micros(amounts: Sequence[Decimal]) -> tuple[int, ...]:
    """Dollars in whole micro-dollars, whose sum is the rounded sum of the dollars; none is off by more than one."""
    exact = [amount * _PER_USD for amount in amounts]
    whole = [int(amount.to_integral_value(ROUND_FLOOR)) for amount in exact]
    left = int(sum(exact, Decimal(0)).to_integral_value()) - sum(whole)
    by_remainder = sorted(range(len(whole)), key=lambda n: (whole[n] - exact[n], n))
    for n in by_remainder[:left]:
        whole[n] += 1
    return tuple(whole)


# ── The bill in shares ──────────────────────────────────────────────────────────────────────────────────────────


def match(cost: ClusterCost, lines: Iterable[BillLine], names: ClusterNames) -> Billed:
    """A bill, held against what the model has of the cluster.

    Raises BadInput for a bill without usage, or with a day more than once, and what `lines` raises.
    """
    adding = _Adding(cost, names)
    for line in lines:
        adding.add(line)
    for key, thing in adding.things.items():
        if adding.charges[key][0].kind is CostKind.NODE and not key.startswith("type/"):
            _check_days(key, thing)
    begin, end = adding.time
    return _billed(cost, adding, begin, end)


def _billed(cost: ClusterCost, adding: _Adding, begin: datetime, end: datetime) -> Billed:
    hours = hours_between(begin, end)
    in_time = {id(charge): _in_time(charge, hours) for charge in cost.charges}
    # What is named comes before what is only of a type, so that no charge of the model is counted twice.
    keys = sorted(adding.things, key=lambda key: (key.startswith(_OF_A_TYPE), key))
    amounts = _Rounded(adding, keys)
    by_charge: dict[int, list[Share]] = {}
    for share in cost.shares:
        by_charge.setdefault(id(share.charge), []).append(share)
    seen: set[int] = set()
    differences: dict[Cause, int] = {}
    shares: list[Share] = []
    for key in keys:
        fresh = [charge for charge in adding.charges[key] if id(charge) not in seen]
        seen |= set(map(id, fresh))
        expected = sum(in_time[id(charge)] for charge in fresh)
        for cause, usd in _why(adding.things[key], amounts.of(key), expected, hours * _count(fresh)):
            differences[cause] = differences.get(cause, 0) + usd
        shares += _shares(adding.charges[key], by_charge, sum(amounts.of(key)))
    shares += amounts.others()
    for cause, usd in (*amounts.causes(), (Cause.MODEL_ONLY, -sum(_left(in_time, seen)))):
        differences[cause] = differences.get(cause, 0) + usd
    return Billed(
        cost=_as_cost(cost, shares, seen),
        begin=begin,
        end=end,
        model_usd_micros=sum(in_time.values()),
        unblended_usd_micros=micros((adding.unblended,))[0],
        differences={cause: differences[cause] for cause in Cause if differences.get(cause)},
        matched=len(seen),
        names_resources=adding.names_resources,
    )


def _in_time(charge: Charge, hours: Decimal) -> int:
    return int((Decimal(charge.usd_micros or 0) * hours / HOURS_PER_MONTH).to_integral_value())


def _left(in_time: Mapping[int, int], seen: set[int]) -> Iterator[int]:
    return (usd for charge, usd in in_time.items() if charge not in seen)


def _count(charges: Iterable[Charge]) -> int:
    """How many things charges are of: a node in Auto Mode has two."""
    return len({charge.resource or charge.about for charge in charges}) or 1


class _Rounded:
    """All sums of a bill in whole micro-dollars, rounded together: they add up to the bill."""

    def __init__(self, adding: _Adding, keys: Sequence[str]) -> None:
        parts = [(thing.known, thing.used, thing.discounts) for thing in map(adding.things.__getitem__, keys)]
        tagged, pools = list(adding.tagged), list(adding.pools)
        flat = [amount for part in parts for amount in part]
        flat += [adding.tagged[service] for service in tagged] + [adding.pools[pool] for pool in pools]
        whole = micros(flat)
        self._things = {key: whole[3 * n : 3 * n + 3] for n, key in enumerate(keys)}
        rest = whole[3 * len(keys) :]
        self._tagged = dict(zip(tagged, rest[: len(tagged)], strict=True))
        self._pools = dict(zip(pools, rest[len(tagged) :], strict=True))

    def of(self, key: str) -> tuple[int, ...]:
        """What the model has a figure for, what is metered on top, discounts."""
        return self._things[key]

    def others(self) -> Iterator[Share]:
        """Shares of what the model does not have."""
        for service, usd in self._tagged.items():
            yield Share.whole(_charge(service, usd), usd)
        for pool, usd in self._pools.items():
            yield Share.whole(_charge(pool.value, usd), usd)._replace(pool=pool)

    def causes(self) -> Iterator[tuple[Cause, int]]:
        yield Cause.BILL_ONLY, sum(self._tagged.values())
        yield from ((Cause(pool.value), usd) for pool, usd in self._pools.items())


def _charge(what: str, usd: int) -> Charge:
    return Charge(kind=CostKind.OTHER, what=what, usd_micros=usd, source=_SOURCE)


_SOURCE = "the bill"


def _why(thing: _Sum, amounts: Sequence[int], expected: int, hours: Decimal) -> Iterator[tuple[Cause, int]]:
    """Why a thing's bill is not what the model expects of it. The causes add up to the difference."""
    known, used, discounts = amounts
    yield Cause.USE, used if expected else used + known
    yield Cause.DISCOUNT, discounts
    if not expected:
        return
    ran = hours if thing.ran is None else min(thing.ran, hours)
    in_hours = int((expected * ran / hours).to_integral_value())
    yield Cause.HOURS, in_hours - expected
    yield thing.price, known - in_hours


def _shares(charges: Sequence[Charge], by_charge: Mapping[int, Sequence[Share]], usd_micros: int) -> Iterator[Share]:
    """A bill of some charges, split as the model splits them; where it does not, each is its owner's in equal parts."""
    of_them = [share for charge in charges for share in by_charge.get(id(charge), ())]
    weights = [share.usd_micros for share in of_them]
    if not any(weights):
        of_them, weights = [Share.whole(charge, 0) for charge in charges], [1] * len(charges)
    parts = split(usd_micros, weights)
    whole: dict[int, int] = {}
    for share, part in zip(of_them, parts, strict=True):
        whole[id(share.charge)] = whole.get(id(share.charge), 0) + part
    billed = {id(share.charge): _as_billed(share.charge, whole[id(share.charge)]) for share in of_them}
    for share, part in zip(of_them, parts, strict=True):
        yield share._replace(usd_micros=part, charge=billed[id(share.charge)])


def _as_billed(charge: Charge, usd: int) -> Charge:
    return replace(charge, usd_micros=usd, quantity=None, unit="", usd=None, source=_SOURCE, estimated="", unknown="")


def _as_cost(cost: ClusterCost, shares: Sequence[Share], seen: set[int]) -> ClusterCost:
    """The shares with their charges, and those of the model that have no figure in the bill either."""
    charges = {id(share.charge): share.charge for share in shares}
    unknown = (charge for charge in cost.unknown if id(charge) not in seen)
    return ClusterCost(charges=(*charges.values(), *unknown), shares=tuple(shares))
