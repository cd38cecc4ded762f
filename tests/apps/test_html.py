"""The HTML report: one file, complete, harmless, accessible."""

import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from importlib import resources
from itertools import pairwise

import pytest
from markupsafe import escape

from addonctl.assessment import Assessment
from addonctl.dependencies import Dependency
from addonctl.findings import CHECKS
from addonctl.model import Affects, ObjectRef, Strength
from addonctl.render.commands import LineKind, fix_lines
from addonctl.render.escaping import plain
from addonctl.render.html import html
from tests import builders
from tests.judging import assessed

_VOID = frozenset({"meta", "link", "br"})


class _Page(HTMLParser):
    """What a browser would see: tags with their attributes, and the visible text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.badly_nested: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if self.open.pop() != tag:
            self.badly_nested.append(tag)

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def all(self, tag: str) -> Iterator[dict[str, str]]:
        return (attributes for name, attributes in self.tags if name == tag)


@pytest.fixture(scope="module")
def page(everything: Assessment) -> _Page:
    return _Page(html(everything))


def test_it_has_every_finding_with_evidence_and_fix(page: _Page, everything: Assessment) -> None:
    for found in everything.findings:
        assert f"{found.code} {CHECKS[found.code].title} {found.subject}" in page.text
        for line in fix_lines(found):
            assert " ".join(str(line).split()) in page.text
        for item in found.evidence:
            assert " ".join(item.detail.split()) in page.text


def test_the_sections_come_in_their_order(page: _Page) -> None:
    ids = [attributes["id"] for attributes in page.all("section") if "id" in attributes]
    assert ids == [
        "findings",
        "compatibility",
        "health",
        "dependencies",
        "inventory",
        "unseen",
        "waived",
        "stale",
    ]


def test_it_says_what_was_not_seen_waived_and_old(page: _Page) -> None:
    for said in (
        "DEMO",
        "leases forbidden 403 list leases.coordination.k8s.io",
        "Not in the input: quotas.",
        "until the move",
        "2027-01-31",
        "the table is 130 days old",
    ):
        assert said in page.text


def test_every_minor_has_an_answer_with_its_reason(page: _Page, everything: Assessment) -> None:
    answers = [attributes for attributes in page.all("span") if attributes.get("class") in ("yes", "no", "unknown")]
    wanted = [each for row in everything.compatibility.cells.values() for each in row]
    assert [(each["class"], each["title"]) for each in answers] == [(each.answer, each.reason) for each in wanted]


def test_it_loads_nothing(page: _Page, hostile: Assessment) -> None:
    for seen in (page, _Page(html(hostile))):
        names = {tag for tag, _ in seen.tags}
        assert not names & {"script", "img", "iframe", "object", "embed", "form", "base", "audio", "video", "use"}
        for tag, attributes in seen.tags:
            assert not {"src", "srcset", "xlink:href", "action", "formaction", "data", "poster"} & attributes.keys()
            assert not [name for name in attributes if name.startswith("on")]
            if "href" in attributes:
                assert attributes["href"].startswith("#") or (tag, attributes["href"]) == ("link", "data:,")
    style = re.search("<style>(.*?)</style>", html(hostile), re.DOTALL)
    assert style is not None
    assert not re.search(r"url\(|@import|https?:", style[1])


def test_a_hostile_cluster_is_shown_and_does_nothing(hostile: Assessment) -> None:
    text = html(hostile)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff\ufffe\uffff]", text)
    text.encode()
    seen = _Page(text)
    assert not seen.badly_nested
    assert not seen.open
    for found in hostile.findings:
        assert " ".join(plain(str(found.subject)).split()) in seen.text


def test_tags_are_nested_and_links_lead_somewhere(page: _Page) -> None:
    assert not page.badly_nested
    assert not page.open
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {attributes["href"][1:] for attributes in page.all("a")} <= set(ids)
    assert {attributes["aria-labelledby"] for _, attributes in page.tags if "aria-labelledby" in attributes} <= set(ids)


def test_headings_do_not_skip_a_level_and_headers_have_their_scope(page: _Page) -> None:
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert all(attributes.get("scope") in ("row", "col") for attributes in page.all("th"))


def test_an_empty_cluster_has_a_page_too() -> None:
    nothing = assessed(builders.snapshot(), builders.small_catalog())
    seen = _Page(html(replace(nothing, findings=())))
    assert "Nothing was found" in seen.text
    assert "No add-on depends on another" in seen.text
    assert "not known: no add-on’s state was read" in seen.text


def test_a_cluster_of_unknown_kubernetes_says_why() -> None:
    cluster = replace(builders.snapshot().cluster, kubernetes="")
    workloads = (builders.workload("coredns", "registry.example/coredns/coredns:v1.11.4", namespace="kube-system"),)
    snapshot = builders.snapshot(cluster=cluster, workloads=workloads)
    seen = _Page(html(assessed(snapshot, builders.small_catalog())))
    assert "Kubernetes version unknown: the input does not say which Kubernetes runs" in seen.text


# ── Colours ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _schemes() -> Iterator[dict[str, str]]:
    """The colours of the light and of the dark scheme."""
    css = (resources.files("addonctl.render") / "templates" / "report.css").read_text()
    blocks = re.findall(r":root \{(.*?)\}", css, re.DOTALL)[:2]
    for block in blocks:
        yield dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{3,6})", block))


def _luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])
    channels = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", [*_schemes()], ids=["light", "dark"])
def test_every_text_can_be_read_on_what_it_stands(scheme: dict[str, str]) -> None:
    """WCAG AA: 4.5 to 1 for text."""
    pairs = [(ink, ground) for ink in ("ink", "muted") for ground in ("page", "card", "sunk")]
    pairs += [(tone, ground) for tone in ("red", "amber", "green", "blue") for ground in ("card", f"{tone}-card")]
    pairs += [("red", "page"), ("amber", "page"), ("blue", "page"), ("link", "page"), ("link", "card"), ("page", "ink")]
    for text, ground in pairs:
        light, dark = sorted((_luminance(scheme[text]), _luminance(scheme[ground])), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, ground)


def test_commands_stand_apart_from_what_a_person_is_to_do(everything: Assessment) -> None:
    """What stands in a box can be pasted as it is; advice is no command."""
    boxes = re.findall('<pre class="fix"[^>]*><code>(.*?)</code></pre>', html(everything), re.DOTALL)
    boxes = [re.sub("</?span[^>]*>", "", box.replace('<span class="command">', "\n")) for box in boxes]
    advice = re.findall('<p class="advice">(.*?)</p>', html(everything), re.DOTALL)
    for found in everything.findings:
        for line in fix_lines(found):
            shown = advice if line.kind is LineKind.PROSE else boxes
            assert any(str(escape(plain(str(line)))) in text for text in shown), line


def test_a_row_leads_to_its_findings_and_a_finding_to_its_row(demo: Assessment) -> None:
    text = html(demo)
    at = {found.id: number for number, found in enumerate(demo.findings, start=1)}
    rows = [row.id for row in demo.inventory.installations]
    crash = next(found for found in demo.findings if found.code == "HLT001")
    ebs = 1 + next(n for n, each in enumerate(rows) if each.startswith("aws-ebs-csi-driver/"))
    row = re.search(rf'<tr id="addon-{ebs}">(.*?)</tr>', text, re.DOTALL)
    health = text[text.index('<table class="health">') : text.index('id="dependencies"')]
    compatibility = text[text.index('<table class="matrix') : text.index('id="health"')]
    assert f'href="#finding-{at[crash.id]}"' in health
    assert f'href="#finding-{at[crash.id]}"' not in compatibility, "a row leads to what its table is about"
    card = re.search(rf'id="finding-{at[crash.id]}">(.*?)</article>', text, re.DOTALL)
    assert row is not None and card is not None  # noqa: PT018 - for the types
    assert f'href="#finding-{at[crash.id]}"' in row[1]
    assert f'href="#addon-{ebs}"' in card[1]


def test_an_effect_names_its_cause(demo: Assessment) -> None:
    effect = next(found for found in demo.findings if found.cause)
    number = 1 + next(n for n, found in enumerate(demo.findings) if found.id == effect.cause)
    assert f'Effect of <a href="#finding-{number}">HLT001</a>' in html(demo)


def test_what_is_healthy_and_what_repeats_is_folded(demo: Assessment) -> None:
    text = html(demo)
    healthy = re.search('<details class="quiet"><summary>(.*?)</summary>(.*?)</details>', text, re.DOTALL)
    assert healthy is not None
    rows = healthy[2].count('<td class="score">')
    assert rows > 10
    assert f"{rows} add-ons are healthy" in healthy[1]
    assert 'class="aspect ' not in healthy[2], "what is unhealthy is not folded"
    single = next(found for found in demo.findings if found.code == "HLT014")
    many = tuple(
        replace(single, subject=ObjectRef(kind="Deployment", name=f"web-{n}", namespace="shop", group="apps"))
        for n in range(28)
    )
    page = html(replace(demo, findings=many))
    folded = re.search('<details class="same"><summary>(.*?)</summary>(.*?)</details>', page, re.DOTALL)
    assert folded is not None
    assert folded[1].startswith("25 more of HLT014")
    assert folded[2].count("<article") == 25


def test_support_that_ends_soon_looks_the_same_whatever_was_found(demo: Assessment) -> None:
    assert 'class="support soon"' in html(demo)
    assert 'class="support soon"' in html(replace(demo, findings=()))


def test_findings_can_be_shown_by_severity_and_by_add_on_without_a_script(demo: Assessment) -> None:
    text = html(demo)
    page = _Page(text)
    offered = [attrs["value"] for attrs in page.all("option")]
    rows = [value for value in offered if value.startswith("addon-")]
    concerned = {id_ for found in demo.findings for id_ in demo.concerned(found.subject)}
    assert len(rows) == len(concerned)
    assert {value for value in offered if value not in rows} == {"any", "required", "recommended", "info"}
    classes = [set(attrs["class"].split()) for tag, attrs in page.tags if tag == "article"]
    for value in rows:
        assert f'option[value="{value}"]:checked) :is(.finding, .same, .group):not(.of-{value}' in text
        assert any(f"of-{value}" in each for each in classes)
    for severity in ("required", "recommended", "info"):
        assert f'option[value="{severity}"]:checked) .group:not(.{severity})' in text
    assert "<select" not in html(replace(demo, findings=demo.findings[:3])), "three are seen at once"


def test_pointing_at_an_add_on_leaves_what_it_needs_and_what_needs_it(demo: Assessment) -> None:
    text = html(demo)
    numbers = set(re.findall(r'class="box b(\d+) ', text))
    assert len(numbers) > 10
    for number in numbers:
        assert f".picture:has(.b{number}:hover) :is(.box, .line):not(.n{number})" in text


def test_a_long_blast_radius_is_folded(demo: Assessment) -> None:
    """All of it is in the page, a dozen names of it at once."""
    ids = [f"a{number}/shop/a{number}" for number in range(40)]
    edges = [
        Dependency(source=each, target=ids[0], strength=Strength.HARD, affects=Affects.RUNNING, via=())
        for each in ids[1:]
    ]
    page = html(replace(demo, dependencies=replace(demo.dependencies, addons=tuple(edges), cycles=())))
    table = page[page.index('<table class="blast">') : page.index('id="inventory"')]
    shown, _, folded = table.partition("<summary>27 more</summary>")
    assert (shown.count('class="name"'), folded.count('class="name"')) == (12, 27)
