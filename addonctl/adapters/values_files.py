"""Values as people give them: files in YAML or JSON, and `--set` lines over them, as Helm reads them.

No error quotes a value: they may be secret.
"""

import sys
from collections.abc import Iterable
from pathlib import Path

from addonctl.adapters.yaml_loader import loaded
from addonctl.errors import BadInput, Invalid
from addonctl.values import Values, assigned, laid_over

_SIZE_MAX = 4 << 20  # etcd takes no object of more than 1.5 MiB


def given(files: Iterable[str], lines: Iterable[str] = (), texts: Iterable[str] = ()) -> Values:
    """What files say, the later ones over the earlier ones, then `--set` lines, then those of `--set-string`.

    Raises BadInput for what cannot be read, or is no mapping.
    """
    values: Values = {}
    for file in files:
        values = laid_over(values, _read(file))
    for line in lines:
        values = assigned(line, values)
    for text in texts:
        values = assigned(text, values, as_text=True)
    return values


def parsed(text: str) -> Values:
    """The values in JSON or YAML; none in an empty text. Raises Invalid where it is no mapping."""
    import yaml

    try:
        found = loaded(text.encode())
    except (yaml.YAMLError, ValueError, RecursionError, BadInput):
        # Not `from` the error: its message may quote values.
        raise Invalid("The configuration is neither JSON nor YAML", "Correct it.") from None
    if found is None:
        return {}
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        raise Invalid("The configuration is no mapping of names to values", "Correct it.")
    return found


def _read(file: str) -> Values:
    try:
        body = sys.stdin.buffer.read(_SIZE_MAX + 1) if file == "-" else Path(file).read_bytes()
        if len(body) > _SIZE_MAX:
            raise BadInput(f"{file} is larger than {_SIZE_MAX >> 20} MiB", "Give a file of values.")
        return parsed(body.decode("utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no UTF-8"
        raise BadInput(f"{file} cannot be read: {why}", "Check the path.") from error
    except Invalid as error:
        raise BadInput(f"{file}: {error.what[:1].lower()}{error.what[1:]}", "Give YAML or JSON of values.") from None
