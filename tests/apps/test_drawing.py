"""The picture of dependencies: nothing overlaps, every add-on and every dependency is there, whatever the graph."""

import re
from itertools import combinations, pairwise
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from addonctl.assessment import Assessment
from addonctl.dependencies import Dependencies, Dependency
from addonctl.model import Affects, Strength
from addonctl.render import drawing
from addonctl.render.escaping import plain


def graph(*lines: str, order: tuple[str, ...] = ()) -> Dependencies:
    """From `a => b` (stops), `a -> b` (hurts changes) and `a ~> b` (soft)."""
    kinds = {
        "=>": (Strength.HARD, Affects.RUNNING),
        "->": (Strength.HARD, Affects.CHANGE),
        "~>": (Strength.SOFT, Affects.RUNNING),
    }
    found = []
    for line in lines:
        source, arrow, target = line.split()
        strength, affects = kinds[arrow]
        found.append(Dependency(source=source, target=target, strength=strength, affects=affects, via=()))
    return Dependencies(edges=(), addons=tuple(found), order=order)


def boxes(svg: str) -> list[tuple[float, float, float, float]]:
    """(left, top, right, bottom) of every box."""
    found = []
    for rect in ET.fromstring(svg).iter("rect"):
        x, y, width, height = (float(rect.get(name, "")) for name in ("x", "y", "width", "height"))
        found.append((x, y, x + width, y + height))
    return found


def overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


@st.composite
def graphs(draw: st.DrawFn) -> Dependencies:
    names = [f"addon-{number}/ns/w" for number in range(draw(st.integers(2, 25)))]
    pairs = draw(st.sets(st.tuples(st.sampled_from(names), st.sampled_from(names)), max_size=60))
    kinds = st.sampled_from(["=>", "->", "~>"])
    return graph(*(f"{one} {draw(kinds)} {other}" for one, other in sorted(pairs) if one != other))


@given(graphs())
def test_boxes_do_not_overlap_and_lie_within(drawn: Dependencies) -> None:
    svg = drawing.svg(drawn)
    if not drawn.addons:
        assert svg == ""
        return
    root = ET.fromstring(svg)
    width, height = float(root.get("width", "")), float(root.get("height", ""))
    found = boxes(svg)
    assert len(found) == len({end for each in drawn.addons for end in (each.source, each.target)})
    assert not any(overlap(one, other) for one, other in combinations(found, 2))
    assert all(left >= 0 and top >= 0 and right <= width and bottom <= height + 1 for left, top, right, bottom in found)


@given(graphs())
def test_lines_run_past_boxes(drawn: Dependencies) -> None:
    """The straight part of a line, where it passes a column, meets no box."""
    svg = drawing.svg(drawn)
    if not svg:
        return
    found = boxes(svg)
    for path in ET.fromstring(svg).iter("path"):
        straight = re.search(r" ([\d.-]+) ([\d.-]+)H([\d.-]+)$", path.get("d", ""))
        if straight:
            left, y, right = map(float, straight.groups())
            assert not any(overlap((left, y, right, y + 0.1), box) for box in found)


def test_lines_and_neighbours_of_an_add_on_carry_its_number() -> None:
    """So that pointing at it can dim all else."""
    drawn = graph("a => x", "b => x", "x ~> y", "c => y")
    root = ET.fromstring(drawing.svg(drawn))
    boxes_: dict[str | None, set[str]] = {}
    lines: dict[str | None, set[str]] = {}
    for group in root.iter("g"):
        classes = set((group.get("class") or "").split())
        (boxes_ if "box" in classes else lines)[group.findtext("title")] = classes
    number = {
        name: next(each[1:] for each in classes if each[0] == "b" and each != "box") for name, classes in boxes_.items()
    }
    near = {name: {other for other, classes in boxes_.items() if f"n{number[name]}" in classes} for name in boxes_}
    assert near == {"a": {"a", "x"}, "b": {"b", "x"}, "x": {"a", "b", "x", "y"}, "y": {"c", "x", "y"}, "c": {"c", "y"}}
    of_x = {title for title, classes in lines.items() if title and f"n{number['x']}" in classes}
    assert of_x == {title for title in lines if title and "x" in title.partition(":")[0]}


def test_whoever_depends_stands_to_the_left() -> None:
    svg = drawing.svg(graph("a => b", "b => c", "a -> c"))
    lefts = [left for left, _, _, _ in boxes(svg)]
    assert all(one < other for one, other in pairwise(lefts))


def test_the_weakest_of_a_circle_is_drawn_as_what_closes_it() -> None:
    svg = drawing.svg(graph("a => b", "b => c", "c ~> a"))
    back = [line for line in ET.fromstring(svg).iter("g") if "back" in (line.get("class") or "")]
    assert {line.findtext("title") for line in back} == {"c → a: runs on, degraded, when it fails"}
    assert sum(line.find("polygon") is not None for line in back) == 1


def test_lines_to_one_addon_share_their_way() -> None:
    shared = graph("a => x", "b => x", "x => y", "a -> y", "b -> y")
    titles = [group.findtext("title") for group in ET.fromstring(drawing.svg(shared)).iter("g")]
    assert "a, b → y: runs on when it fails, but cannot start anew or change" in titles


def test_the_demo_shows_every_addon_by_name(demo: Assessment) -> None:
    root = ET.fromstring(drawing.svg(demo.dependencies))
    texts = {text.text for text in root.iter("text")}
    names = {end.partition("/")[0] for each in demo.dependencies.addons for end in (each.source, each.target)}
    assert names <= texts
    assert {"dns-private", "dns-public"} <= texts


def test_labels_are_as_short_as_they_can_be() -> None:
    named = drawing.labels(["a/x/1", "b/x/1", "b/y/1", "c/x/1", "c/x/2", "odd"])
    assert {each: str(label) for each, label in named.items()} == {
        "a/x/1": "a",
        "b/x/1": "b (x)",
        "b/y/1": "b (y)",
        "c/x/1": "c (x/1)",
        "c/x/2": "c (x/2)",
        "odd": "odd",
    }


_SMALL = graph("a/x/1 => b/y/2", "a/x/1 ~> c/z/3", "c/z/3 -> b/y/2", order=("b/y/2", "c/z/3", "d/w/4", "a/x/1"))


def test_dot_is_this() -> None:
    assert (
        drawing.dot(_SMALL)
        == """\
digraph dependencies {
  rankdir=LR;
  node [shape=box, style=rounded, fontname="sans-serif"];
  "a/x/1" [label="a"];
  "b/y/2" [label="b"];
  "c/z/3" [label="c"];
  "d/w/4" [label="d"];
  "a/x/1" -> "b/y/2" [style=solid, tooltip="stops when it fails"];
  "a/x/1" -> "c/z/3" [style=dashed, tooltip="runs on, degraded, when it fails"];
  "c/z/3" -> "b/y/2" [style=solid, color=gray50, tooltip="runs on when it fails, but cannot start anew or change"];
}
"""
    )


def test_mermaid_is_this() -> None:
    assert (
        drawing.mermaid(_SMALL)
        == """\
flowchart LR
  n0["a"]
  n1["b"]
  n2["c"]
  n3["d"]
  n0 ==> n1
  n0 -.-> n2
  n2 --> n1
"""
    )


def test_hostile_names_stay_within_their_quotes(hostile: Assessment) -> None:
    dot = re.sub(r'"(?:[^"\\\n]|\\.)*"', "", drawing.dot(hostile.dependencies))
    assert set(dot.split()) <= {
        "digraph",
        "dependencies",
        "{",
        "rankdir=LR;",
        "node",
        "[shape=box,",
        "style=rounded,",
        "fontname=];",
        "[label=];",
        "->",
        "[style=solid,",
        "[style=dashed,",
        "color=gray50,",
        "tooltip=];",
        "}",
    }
    mermaid = drawing.mermaid(hostile.dependencies)
    assert "<script" not in mermaid
    assert set(re.sub(r'"[^"\n]*"', "", mermaid)) <= set("flowchart LR\nn0123456789[]->=. ")
    assert plain(mermaid) == mermaid.replace("\n", " ")
