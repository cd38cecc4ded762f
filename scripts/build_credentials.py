"""Makes data/credentials.json, the vendors' tokens that are known by their own form, out of gitleaks' rules.

`python -m scripts.build_credentials GITLEAKS_TOML YYYY-MM-DD`, where the day is that of the file. Left out are rules
that look for a vendor's name beside any value, which the general patterns of adapters/redact.py cover, and those that
match what is no secret as often.
"""

import json
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parents[1] / "addonctl" / "data" / "credentials.json"
_BESIDE_A_NAME = r"(?:[ \t\w.-]{0,20})"
# Any 40 hexadecimal digits (a commit), whole shell commands and manifests, private keys (cut off ones count as well).
_LEFT_OUT = frozenset(
    {
        "sourcegraph-access-token",
        "curl-auth-header",
        "curl-auth-user",
        "kubernetes-secret-yaml",
        "private-key",
        "freemius-secret-key",
        "nuget-config-password",
        "generic-api-key",
        "sidekiq-sensitive-url",
    }
)
_ENDS = (
    r"""(?:[\x60'"\s;]|\\[nr]|$)""",
    r"""(?:[\x60'"\s;]|\\[nr]|$|\b)""",
    r"(?:[^\w-]|\z)",
    r"\b",
    r"(?:[^a-zA-Z0-9+/]|\z)",
)


def python_pattern(go: str) -> str:
    """A pattern of Go's in Python: what follows the token is not part of it, and flags hold for a group."""
    for end in _ENDS:
        go = go.removesuffix(end)
    go = go.replace("[[:alnum:]]", "[A-Za-z0-9]").replace(r"\x60", "`")
    out, open_flags = "", [0]
    for part in re.findall(r"\\.|\[(?:\\.|[^\]\\])*\]|\(\?[is]\)|\(|\)|.", go, re.DOTALL):
        if part in ("(?i)", "(?s)"):
            out += f"(?{part[2]}:"
            open_flags[-1] += 1
            continue
        if part == "(":
            open_flags.append(0)
        elif part == ")":
            out += ")" * open_flags.pop()
        out += part
    return out + ")" * open_flags.pop()


def rules(gitleaks: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """By the rule's name: the pattern, and the words of which one must be in a text before it is tried."""
    return {
        rule["id"]: {"keywords": sorted(word.lower() for word in rule["keywords"]), "pattern": pattern}
        for rule in gitleaks["rules"]
        if rule["id"] not in _LEFT_OUT and _BESIDE_A_NAME not in rule.get("regex", _BESIDE_A_NAME)
        for pattern in (python_pattern(rule["regex"]),)
        if re.compile(pattern)
    }


def main() -> None:
    found = rules(tomllib.loads(Path(sys.argv[1]).read_text()))
    facts = {
        "source": "gitleaks, config/gitleaks.toml: https://github.com/gitleaks/gitleaks",
        "licence": "MIT, Copyright (c) 2019 Zachary Rice",
        "as_of": sys.argv[2],
        "rules": found,
    }
    TARGET.write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n")
    print(f"{TARGET.name}: {len(found)} rules")


if __name__ == "__main__":
    main()
