"""What Terraform files declare: EKS add-ons and Helm releases that are written out, and the modules that they use.

Pure: a text in, Declarations out. It is no parser of HCL: blocks are told by their braces, and only what is written as
a literal is known; an expression is kept as it is written. Called by the reader of files.
"""

import re
from collections.abc import Iterator
from dataclasses import replace

from addonctl.model import Declaration, DeclaredBy, Place

_BLOCK = re.compile(r'^[ \t]*(resource|module)[ \t]+"([^"\n]*)"(?:[ \t]+"([^"\n]*)")?[ \t]*\{', re.MULTILINE)
_ENTRY = re.compile(r'^[ \t]*"?([\w.-]+)"?[ \t]*[=:][ \t]*\{', re.MULTILINE)
_STRING = r'"(?:[^"\\\n]|\\.)*"'
_ATTRIBUTE = re.compile(rf"^[ \t]*(\w+)[ \t]*=[ \t]*({_STRING}|[^#\n]+?)[ \t]*(?:#.*|//.*)?$", re.MULTILINE)
_LITERAL = re.compile(r'"([^"$]*)"')
_ENABLED = re.compile(r"^[ \t]*enable_(\w+)[ \t]*=[ \t]*true\b", re.MULTILINE)
_QUOTED = re.compile(rf"{_STRING}|#[^\n]*|//[^\n]*|/\*.*?(?:\*/|\Z)", re.DOTALL)
_EKS_ADDONS = ("cluster_addons", "addons", "eks_addons")
# Flags of modules that turn on what is no add-on of its own.
_NO_ADDONS = frozenset({"irsa", "cluster_creator_admin_permissions", "auto_mode_custom_tags"})


def modules(text: str) -> Iterator[str]:
    """The sources of the modules that a text uses."""
    for kind, _, _, body, _ in _blocks(text):
        source = _attributes(body).get("source", "") if kind == "module" else ""
        if source:
            yield source


def declared(text: str, place: Place) -> Iterator[Declaration]:
    """Resources `aws_eks_addon` and `helm_release`, and the add-ons of modules for EKS and its blueprints."""
    line, last = 1, 0
    for kind, type_, name, body, at in _blocks(text):
        line, last = line + text.count("\n", last, at), at
        said = Declaration(
            by=DeclaredBy.TERRAFORM,
            name=f"{type_}.{name}" if name else f"module.{type_}",
            place=replace(place, line=line),
        )
        here = _attributes(body)
        if kind == "resource" and type_ == "aws_eks_addon" and here.get("addon_name"):
            yield replace(said, eks_addon=here["addon_name"], version=here.get("addon_version", ""))
        elif kind == "resource" and type_ == "helm_release" and here.get("chart"):
            yield replace(
                said,
                chart=here["chart"].rstrip("/").rpartition("/")[2],
                version=here.get("version", ""),
                repository=here.get("repository", ""),
                namespace=_known(here.get("namespace", "")),
                release=_known(here.get("name", "")),
            )
        elif kind == "module":
            yield from _of_module(said, here.get("source", ""), body)


def _of_module(said: Declaration, source: str, body: str) -> Iterator[Declaration]:
    if "eks" not in source:
        return
    for key, inner in _entries(body):
        if key in _EKS_ADDONS:
            for name, one in _entries(inner):
                written = _attributes(one)
                version = written.get("addon_version") or written.get("version", "")
                yield replace(said, eks_addon=name, version=version)
    if "addons" in source:
        written_out = {key: _attributes(one) for key, one in _entries(body)}
        for flag in _ENABLED.findall(body):
            if flag not in _NO_ADDONS:
                own = written_out.get(flag, {})
                chart = own.get("chart") or flag.replace("_", "-")
                yield replace(said, chart=chart, version=own.get("chart_version", ""))


def _known(written: str) -> str:
    return "" if "${" in written else written


def _blocks(text: str) -> Iterator[tuple[str, str, str, str, int]]:
    """(kind, first label, second label, body, where it begins) of the resources and modules."""
    bare, at = _bare(text), 0
    while found := _BLOCK.search(text, at):
        at = found.end()
        if bare[at - 1] == "{":
            at = _end(bare, at)
            yield found[1], found[2], found[3] or "", text[found.end() : at], found.start()


def _entries(body: str) -> Iterator[tuple[str, str]]:
    """The keys of a body whose values are maps or blocks, with those; none inside another one."""
    bare, at = _bare(body), 0
    while found := _ENTRY.search(body, at):
        at = _end(bare, found.end())
        if bare[found.end() - 1] == "{":
            yield found[1], body[found.end() : at]


def _bare(text: str) -> str:
    """The text of the same length with strings and remarks blanked."""
    return _QUOTED.sub(lambda found: " " * len(found[0]), text)


# A longer line is no attribute that a person wrote.
_LINE_MAX = 2000
_BRACE = re.compile(r"[{}]")


def _end(bare: str, begin: int) -> int:
    """Where the brace that was opened just before `begin` is closed."""
    depth = 1
    for brace in _BRACE.finditer(bare, begin):
        depth += 1 if brace[0] == "{" else -1
        if not depth:
            return brace.start()
    return len(bare)


def _attributes(body: str) -> dict[str, str]:
    """The attributes of a body that are no maps; an expression is kept as a template."""
    found: dict[str, str] = {}
    flat = _flat(body)
    lines = "".join("\n" if mark == "," else char for char, mark in zip(flat, _bare(flat), strict=True))
    for found_in in filter(None, (_ATTRIBUTE.match(line) for line in lines.splitlines() if len(line) <= _LINE_MAX)):
        key, written = found_in[1], found_in[2]
        literal = _LITERAL.fullmatch(written)
        if literal is not None:
            found.setdefault(key, literal[1])
        elif not written.startswith(("{", "[")):
            found.setdefault(key, f"${{{written.strip()}}}")
    return found


def _flat(body: str) -> str:
    """The body without what is in its inner braces."""
    bare, kept, depth, last = _bare(body), [], 0, 0
    for brace in _BRACE.finditer(bare):
        if brace[0] == "{":
            if not depth:
                kept.append(body[last : brace.end()])
            depth += 1
        elif depth:
            depth -= 1
            if not depth:
                last = brace.start()
    return "".join((*kept, body[last:] if not depth else ""))
