"""Text that comes from a cluster, made harmless for where it is shown.

Whoever may create an object may choose its name and its messages; a report must neither run nor hide behind them.
Called by every report format.
"""

import re
from typing import Any

# What a terminal obeys: CSI (colours, cursor), OSC (titles, links), and the two-character sequences.
_TERMINAL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_])")
_SPACE = re.compile(r"[\t\n\v\f\r\x85\u2028\u2029]+")
# What XML forbids (controls, surrogates, two non-characters), and what hides or turns text: zero width, direction.
_INVISIBLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ud800-\udfff\ufff9-\ufffb\ufffe\uffff"
    "\U000e0000-\U000e007f]"
)
_SHOWN_AS = "\ufffd"
_SIGN = re.compile("[^a-zA-Z0-9 ]")


def plain(text: str) -> str:
    """One line that shows all it holds: terminal sequences go, breaks become spaces, invisible characters �."""
    return _INVISIBLE.sub(_SHOWN_AS, _SPACE.sub(" ", _TERMINAL.sub("", text)))


def plain_lines(text: str) -> str:
    """As `plain`, where line breaks mean something: the commands of a fix."""
    return "\n".join(map(plain, text.splitlines()))


def plain_document(value: Any) -> Any:
    """A document of mappings, lists and texts, with every text plain."""
    if isinstance(value, str):
        return plain_lines(value)
    if isinstance(value, dict):
        return {key: plain_document(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_document(item) for item in value]
    return value


def markdown_code(text: str) -> str:
    """A code span: inside one neither markup, HTML, mentions nor links count. Fits into a table's cell."""
    inner = plain(text).strip()
    if "|" in inner:  # no code span can hold one in a cell: renderers differ on a backslash before it
        return f"<code>{_SIGN.sub(lambda sign: f'&#{ord(sign[0])};', inner)}</code>"
    fence = "`" * (_longest_run(inner) + 1)
    pad = " " if inner[:1] == "`" or inner[-1:] == "`" else ""
    return f"{fence}{pad}{inner}{pad}{fence}" if inner else ""


def _longest_run(text: str) -> int:
    """How many backticks stand together in it at most."""
    return max(map(len, re.findall("`+", text)), default=0)


def markdown_block(text: str) -> str:
    """A fenced block, to be copied as it is."""
    inner = plain_lines(text)
    fence = "`" * max(3, _longest_run(inner) + 1)
    return f"{fence}text\n{inner}\n{fence}"


def dot_string(*lines: str) -> str:
    """A quoted string of Graphviz."""
    return '"' + "\\n".join(plain(line).replace("\\", "\\\\").replace('"', '\\"') for line in lines if line) + '"'


def mermaid_string(*lines: str) -> str:
    """A quoted string of Mermaid: what is markup there, or would end it, as its number."""
    marked = (re.sub(r"[^\w ./:@-]", lambda sign: f"#{ord(sign[0])};", plain(line)) for line in lines if line)
    return '"' + "<br/>".join(marked) + '"'
