"""The dependency graph: as SVG for the report, as DOT and Mermaid for other tools.

Pure: Dependencies in, text out. Add-ons are in columns, each to the left of what it depends on, so that arrows point
to the right, except those that close a cycle. Lines to one add-on merge where they pass a column. Called by html.py
and by `addonctl deps`.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from xml.etree import ElementTree as ET

from addonctl.dependencies import Dependencies, Dependency
from addonctl.model import Affects, Strength
from addonctl.render.escaping import dot_string, mermaid_string, plain

# Sizes in pixels, at a font of 13; a glyph of it is 7.3 wide on average, of the smaller one 6.2.
_GLYPH, _SMALL_GLYPH, _LABEL_MAX = 7.3, 6.2, 30
_BOX_HEIGHT, _TALL_BOX_HEIGHT, _BEND_HEIGHT = 30.0, 42.0, 8.0
_ROOM, _COLUMN_GAP, _MARGIN, _PADDING = 10.0, 62.0, 8.0, 22.0
_ARROW = 7.0
# At a smaller scale labels are unreadable; a narrower window scrolls.
_SCALE_MIN = 0.8
# A line that closes a cycle leaves and arrives below the others.
_BACK_OFFSET = 8.0
# Enough rounds for the order of columns to settle; the best one is kept.
_ROUNDS = 12


@dataclass(frozen=True, slots=True)
class Label:
    """The label of an installation: its add-on, and `where` if that alone is not unique."""

    name: str
    where: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.where})" if self.where else self.name


def labels(ids: Iterable[str]) -> Mapping[str, Label]:
    """The shortest names that distinguish installations (`add-on/namespace/workload`)."""
    parts = {each: (*each.split("/", 2), "", "")[:3] for each in ids}
    names = Counter(name for name, _, _ in parts.values())
    spaces = Counter((name, space) for name, space, _ in parts.values())
    return {
        each: Label(name, "" if names[name] == 1 else space if spaces[name, space] == 1 else f"{space}/{rest}")
        for each, (name, space, rest) in parts.items()
    }


def nodes(graph: Dependencies) -> tuple[str, ...]:
    """All installations, including those without dependencies."""
    touched = (end for dependency in graph.addons for end in (dependency.source, dependency.target))
    return tuple(sorted({*graph.order, *touched}))


# ── Text formats ────────────────────────────────────────────────────────────────────────────────────────────────


def dot(graph: Dependencies) -> str:
    """For Graphviz: hard dependencies solid, soft ones dashed, those that only affect changes grey."""
    named = labels(nodes(graph))
    lines = ["digraph dependencies {", "  rankdir=LR;", '  node [shape=box, style=rounded, fontname="sans-serif"];']
    lines += [f"  {dot_string(each)} [label={dot_string(label.name, label.where)}];" for each, label in named.items()]
    for each in graph.addons:
        style = "dashed" if each.strength is Strength.SOFT else "solid"
        colour = ", color=gray50" if each.affects is Affects.CHANGE else ""
        ends = f"{dot_string(each.source)} -> {dot_string(each.target)}"
        lines.append(f"  {ends} [style={style}{colour}, tooltip={dot_string(_meaning(each))}];")
    return "\n".join([*lines, "}", ""])


def mermaid(graph: Dependencies) -> str:
    """For Mermaid: like `dot`, with thick lines for what stops with its target."""
    numbers = {each: f"n{number}" for number, each in enumerate(nodes(graph))}
    lines = ["flowchart LR"]
    lines += [
        f"  {numbers[each]}[{mermaid_string(label.name, label.where)}]" for each, label in labels(numbers).items()
    ]
    for each in graph.addons:
        hard = "==>" if each.affects is Affects.RUNNING else "-->"
        arrow = "-.->" if each.strength is Strength.SOFT else hard
        lines.append(f"  {numbers[each.source]} {arrow} {numbers[each.target]}")
    return "\n".join([*lines, ""])


MEANINGS: Mapping[tuple[Strength, Affects], str] = {
    (Strength.HARD, Affects.RUNNING): "stops when it fails",
    (Strength.HARD, Affects.CHANGE): "runs on when it fails, but cannot start anew or change",
    (Strength.SOFT, Affects.RUNNING): "runs on, degraded, when it fails",
    (Strength.SOFT, Affects.CHANGE): "can be changed, with degradation, when it fails",
}
"""The effect of the target's failure on the source, in words; by strength and what is affected."""


def _meaning(dependency: Dependency) -> str:
    return MEANINGS[dependency.strength, dependency.affects]


# ── Layers ──────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class _Place:
    """A box, or (without a label) the point where lines pass a column. `y` is its centre."""

    column: int
    height: float
    label: Label | None = None
    id: str = ""
    y: float = 0.0


@dataclass(slots=True)
class _Line:
    """A line between neighbouring columns, from `left` to `right`. `for_` are the dependencies that share it."""

    left: str
    right: str
    style: str
    back: bool = False
    for_: list[Dependency] = field(default_factory=list)


@dataclass
class _Layout:
    places: dict[str, _Place]
    lines: dict[tuple[str, str, str], _Line]

    @cached_property
    def columns(self) -> list[list[str]]:
        """Ids by column, rightmost column first."""
        found: dict[int, list[str]] = defaultdict(list)
        for key, place in self.places.items():
            found[place.column].append(key)
        return [found[number] for number in sorted(found)]

    @cached_property
    def neighbours(self) -> Mapping[str, tuple[list[str], list[str]]]:
        """(on the left, on the right) of each place."""
        found: dict[str, tuple[list[str], list[str]]] = {key: ([], []) for key in self.places}
        for line in self.lines.values():
            found[line.left][1].append(line.right)
            found[line.right][0].append(line.left)
        return found


def _layout(graph: Dependencies) -> _Layout:
    touched = sorted({end for each in graph.addons for end in (each.source, each.target)})
    forward, back = _without_circles(graph.addons)
    depths = _depths(touched, forward)
    laid = _Layout({}, {})
    for each, label in labels(touched).items():
        height = _TALL_BOX_HEIGHT if label.where else _BOX_HEIGHT
        laid.places[each] = _Place(depths[each], height, label, each)
    for dependency in forward:
        style = _style(dependency)
        _connect(laid, dependency, dependency.source, dependency.target, f"{style} {dependency.target}", style)
    for dependency in back:
        style = f"{_style(dependency)} back"
        shared = f"{style} {dependency.target} {dependency.source}"
        _connect(laid, dependency, dependency.target, dependency.source, shared, style)
    return laid


def _style(dependency: Dependency) -> str:
    return f"{dependency.strength.value} {dependency.affects.value}"


def _without_circles(dependencies: Sequence[Dependency]) -> tuple[list[Dependency], list[Dependency]]:
    """(acyclic dependencies, those that would close a cycle): strong ones are kept first."""
    targets: dict[str, list[str]] = defaultdict(list)
    forward: list[Dependency] = []
    back: list[Dependency] = []
    for dependency in sorted(dependencies, key=lambda each: (-each.weight, each.source, each.target)):
        if _reaches(targets, dependency.target, dependency.source):
            back.append(dependency)
        else:
            targets[dependency.source].append(dependency.target)
            forward.append(dependency)
    return forward, back


def _reaches(targets: Mapping[str, list[str]], start: str, end: str) -> bool:
    seen, stack = {start}, [start]
    while stack:
        here = stack.pop()
        if here == end:
            return True
        fresh = [each for each in targets.get(here, ()) if each not in seen]
        seen.update(fresh)
        stack += fresh
    return False


def _depths(ids: Sequence[str], forward: Sequence[Dependency]) -> dict[str, int]:
    """The length of the longest path from each: 0 for what depends on nothing."""
    targets: dict[str, list[str]] = defaultdict(list)
    for dependency in forward:
        targets[dependency.source].append(dependency.target)
    depths: dict[str, int] = {}

    def depth(each: str) -> int:
        if each not in depths:
            depths[each] = 1 + max((depth(target) for target in targets[each]), default=-1)
        return depths[each]

    for each in ids:
        depth(each)
    return depths


def _connect(laid: _Layout, dependency: Dependency, left: str, right: str, shared: str, style: str) -> None:
    """Lines from column to column; `shared` names the bends that all dependencies with that name share."""
    here = left
    for column in range(laid.places[left].column - 1, laid.places[right].column - 1, -1):
        there = right if column == laid.places[right].column else f"{shared} {column}"
        laid.places.setdefault(there, _Place(column, _BEND_HEIGHT))
        line = laid.lines.setdefault((here, there, style), _Line(here, there, style, back=style.endswith("back")))
        line.for_.append(dependency)
        here = there


# ── Order and places ────────────────────────────────────────────────────────────────────────────────────────────


def _arrange(laid: _Layout) -> None:
    """Orders every column so that few lines cross, then sets the height of each place."""
    columns = laid.columns
    best, fewest = [list(column) for column in columns], _crossings(laid)
    for number in range(_ROUNDS):
        to_right = number % 2 == 0
        for column in columns if to_right else reversed(columns):
            order = {key: at for other in columns for at, key in enumerate(other)}
            column.sort(key=lambda key: _mean([order[other] for other in laid.neighbours[key][to_right]], order[key]))
        crossings = _crossings(laid)
        if crossings < fewest:
            best, fewest = [list(column) for column in columns], crossings
    for column, ordered in zip(columns, best, strict=True):
        column[:] = ordered
    _spread(laid)


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _crossings(laid: _Layout) -> int:
    order = {key: at for column in laid.columns for at, key in enumerate(column)}
    by_gap: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for line in laid.lines.values():
        by_gap[laid.places[line.left].column].append((order[line.left], order[line.right]))
    return sum(
        (one[0] - other[0]) * (one[1] - other[1]) < 0
        for gap in by_gap.values()
        for at, one in enumerate(gap)
        for other in gap[:at]
    )


def _spread(laid: _Layout) -> None:
    """Moves every place towards the middle of its neighbours, as far as the others in its column allow."""
    for column in laid.columns:
        top = 0.0
        for key in column:
            place = laid.places[key]
            place.y = top + place.height / 2
            top += place.height + _ROOM
        for key in column:
            laid.places[key].y -= top / 2
    for _ in range(_ROUNDS):
        for column in (*laid.columns, *reversed(laid.columns)):
            wanted = [
                _mean([laid.places[other].y for side in laid.neighbours[key] for other in side], laid.places[key].y)
                for key in column
            ]
            for key, y in zip(column, _apart(wanted, [laid.places[key].height for key in column]), strict=True):
                laid.places[key].y = y
    highest = min((place.y - place.height / 2 for place in laid.places.values()), default=0.0)
    for place in laid.places.values():
        place.y += _MARGIN - highest


def _apart(wanted: Sequence[float], heights: Sequence[float]) -> list[float]:
    """The centres closest to the wanted ones without overlap, in the same order (pool adjacent violators)."""
    offsets = [0.0]
    for above, below in pairwise(heights):
        offsets.append(offsets[-1] + (above + below) / 2 + _ROOM)
    pools: list[tuple[float, int]] = []  # (sum of wanted centres minus offsets, count)
    for y, offset in zip(wanted, offsets, strict=True):
        pools.append((y - offset, 1))
        while len(pools) > 1 and pools[-2][0] / pools[-2][1] > pools[-1][0] / pools[-1][1]:
            (one, many), (other, more) = pools[-2:]
            pools[-2:] = [(one + other, many + more)]
    settled = [total / many for total, many in pools for _ in range(many)]
    return [y + offset for y, offset in zip(settled, offsets, strict=True)]


# ── SVG ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def svg(graph: Dependencies) -> str:
    """An SVG element to embed in HTML, coloured by the style sheet through classes. Empty without dependencies."""
    if not graph.addons:
        return ""
    laid = _layout(graph)
    _arrange(laid)
    lefts, widths = _across(laid)
    width = lefts[0] + widths[0] + _MARGIN
    height = max(place.y + place.height / 2 for place in laid.places.values()) + _MARGIN
    root = ET.Element(
        "svg",
        {
            "viewBox": f"0 0 {width:.0f} {height:.0f}",
            "width": f"{width:.0f}",
            "height": f"{height:.0f}",
            "role": "img",
            "aria-labelledby": "picture-title",
            "class": "picture",
            "style": f"min-width: {width * _SCALE_MIN:.0f}px",
        },
    )
    boxes = sum(place.label is not None for place in laid.places.values())
    title = f"{boxes} add-ons and {len(graph.addons)} dependencies between them; the table below has them in words"
    ET.SubElement(root, "title", id="picture-title").text = title
    numbers = _numbers(graph)
    for line in sorted(laid.lines.values(), key=lambda line: ("hard running" in line.style, line.style)):
        ends = {numbers[end] for each in line.for_ for end in (each.source, each.target)}
        _draw_line(root, laid, line, lefts, widths).set("class", " ".join(("line", line.style, *_of(ends))))
    for place in laid.places.values():
        if place.label is not None:
            near = {numbers[end] for each in graph.addons for end in _ends(each) if place.id in _ends(each)}
            box = _draw_box(root, place, place.label, lefts[place.column], widths[place.column])
            box.set("class", " ".join(("box", f"b{numbers[place.id]}", *_of(near))))
    return ET.tostring(root, encoding="unicode")


def _ends(dependency: Dependency) -> tuple[str, str]:
    return dependency.source, dependency.target


def _numbers(graph: Dependencies) -> Mapping[str, int]:
    return {each: number for number, each in enumerate(sorted({end for each in graph.addons for end in _ends(each)}))}


def _of(numbers: Iterable[int]) -> Iterator[str]:
    """The classes of what belongs to add-ons: to them, or beside them."""
    return (f"n{number}" for number in sorted(numbers))


def alone_when_pointed_at(graph: Dependencies) -> str:
    """A style sheet: pointing at an add-on dims all but itself, its lines and what they lead to."""
    rule = ".picture:has(.b{0}:hover) :is(.box, .line):not(.n{0}) {{ opacity: .12; }}"
    return "\n".join(map(rule.format, _numbers(graph).values()))


def _across(laid: _Layout) -> tuple[list[float], list[float]]:
    """(left edge, width) of every column by number; column 0 is the rightmost."""
    widths = [max(_width(laid.places[key].label) for key in column) for column in laid.columns]
    lefts, left = [0.0] * len(widths), _MARGIN
    for number in reversed(range(len(widths))):
        lefts[number] = left
        left += widths[number] + _COLUMN_GAP
    return lefts, widths


def _width(label: Label | None) -> float:
    if label is None:
        return 0.0
    return max(len(_cut(label.name)) * _GLYPH, len(_cut(label.where)) * _SMALL_GLYPH) + _PADDING


def _cut(text: str) -> str:
    shown = plain(text)
    return shown if len(shown) <= _LABEL_MAX else f"{shown[: _LABEL_MAX - 1]}…"


def _draw_box(root: ET.Element, place: _Place, label: Label, left: float, width: float) -> ET.Element:
    group = ET.SubElement(root, "g")
    ET.SubElement(group, "title").text = plain(place.id)
    ET.SubElement(
        group,
        "rect",
        {
            "x": f"{left:.1f}",
            "y": f"{place.y - place.height / 2:.1f}",
            "width": f"{width:.1f}",
            "height": f"{place.height:.1f}",
            "rx": "7",
        },
    )
    baseline = place.y + (4.5 if not label.where else -2.0)
    middle = f"{left + width / 2:.1f}"
    ET.SubElement(group, "text", {"x": middle, "y": f"{baseline:.1f}"}).text = _cut(label.name)
    if label.where:
        where = ET.SubElement(group, "text", {"x": middle, "y": f"{baseline + 15:.1f}", "class": "where"})
        where.text = _cut(label.where)
    return group


def _draw_line(
    root: ET.Element, laid: _Layout, line: _Line, lefts: Sequence[float], widths: Sequence[float]
) -> ET.Element:
    """A curve that leaves and arrives horizontally, with an arrow at a box; it passes columns in a straight line."""
    left, right = laid.places[line.left], laid.places[line.right]
    offset = _BACK_OFFSET if line.back else 0.0
    y1 = left.y + (offset if left.label else 0.0)
    y2 = right.y + (offset if right.label else 0.0)
    x1, x2 = lefts[left.column] + widths[left.column], lefts[right.column]
    start = x1 + (_ARROW if line.back and left.label else 0.0)
    end = x2 - (_ARROW if not line.back and right.label else 0.0)
    bend = (end - start) / 2
    path = f"M{start:.1f} {y1:.1f}C{start + bend:.1f} {y1:.1f} {end - bend:.1f} {y2:.1f} {end:.1f} {y2:.1f}"
    if right.label is None:
        path += f"H{x2 + widths[right.column]:.1f}"
    group = ET.SubElement(root, "g")
    ET.SubElement(group, "title").text = _said(line)
    ET.SubElement(group, "path", {"d": path})
    if line.back and left.label:
        _draw_arrow(group, x1, y1, 1)
    elif not line.back and right.label:
        _draw_arrow(group, x2, y2, -1)
    return group


def _draw_arrow(group: ET.Element, x: float, y: float, direction: int) -> None:
    base = x + direction * (_ARROW + 1)
    points = f"{x:.1f},{y:.1f} {base:.1f},{y - 4:.1f} {base:.1f},{y + 4:.1f}"
    ET.SubElement(group, "polygon", {"points": points})


def _said(line: _Line) -> str:
    sources = ", ".join(sorted({plain(each.source.partition("/")[0]) for each in line.for_}))
    targets = ", ".join(sorted({plain(each.target.partition("/")[0]) for each in line.for_}))
    return f"{sources} → {targets}: {_meaning(line.for_[0])}"
