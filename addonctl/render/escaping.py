"""Escapes text from a cluster for the place where it is shown.

Anyone who may create an object chooses its name and its messages; these must not be able to run as code in a report, or
to hide parts of it. Called by every report format.
"""

import re
from typing import Any

# Terminal control sequences: CSI (colours, cursor), OSC (titles, links), and the two-character sequences.
_TERMINAL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_])")
_SPACE = re.compile(r"[\t\n\v\f\r\x85\u2028\u2029]+")
# What XML forbids (controls, surrogates, two non-characters), and what hides or reorders text: zero width, direction.
_INVISIBLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ud800-\udfff\ufff9-\ufffb\ufffe\uffff"
    "\U000e0000-\U000e007f]"
)
_SHOWN_AS = "\ufffd"
_SIGN = re.compile("[^a-zA-Z0-9 ]")


def plain(text: str) -> str:
    """A single line without hidden parts: terminal sequences are removed, line breaks become spaces, invisibles �."""
    return _INVISIBLE.sub(_SHOWN_AS, _SPACE.sub(" ", _TERMINAL.sub("", text)))


def plain_lines(text: str) -> str:
    """Like `plain`, but keeps line breaks, for the commands of a fix."""
    return "\n".join(map(plain, text.splitlines()))


def plain_document(value: Any) -> Any:
    """A document of dicts, lists and strings, with every string plain."""
    if isinstance(value, str):
        return plain_lines(value)
    if isinstance(value, dict):
        return {key: plain_document(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_document(item) for item in value]
    return value


def markdown_code(text: str) -> str:
    """A code span, in which markup, HTML, mentions and links have no effect. Fits into a table cell."""
    inner = plain(text).strip()
    if "|" in inner:  # a code span in a table cell cannot contain one: renderers differ on how to escape it
        return f"<code>{_SIGN.sub(lambda sign: f'&#{ord(sign[0])};', inner)}</code>"
    fence = "`" * (_longest_run(inner) + 1)
    pad = " " if inner[:1] == "`" or inner[-1:] == "`" else ""
    return f"{fence}{pad}{inner}{pad}{fence}" if inner else ""


def _longest_run(text: str) -> int:
    """The length of the longest run of backticks."""
    return max(map(len, re.findall("`+", text)), default=0)


def markdown_block(text: str) -> str:
    """A fenced block, to be copied verbatim."""
    inner = plain_lines(text)
    fence = "`" * max(3, _longest_run(inner) + 1)
    return f"{fence}text\n{inner}\n{fence}"


def dot_string(*lines: str) -> str:
    """A quoted Graphviz string."""
    return '"' + "\\n".join(plain(line).replace("\\", "\\\\").replace('"', '\\"') for line in lines if line) + '"'


def mermaid_string(*lines: str) -> str:
    """A quoted Mermaid string: markup and quotes as character codes."""
    marked = (re.sub(r"[^\w ./:@-]", lambda sign: f"#{ord(sign[0])};", plain(line)) for line in lines if line)
    return '"' + "<br/>".join(marked) + '"'
