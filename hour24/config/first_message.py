"""The first message of a WebSocket connection, with secrets from the environment.

Rules of this module:

- ``${NAME}`` stands for the environment variable NAME. In a message that is JSON, its value is
  escaped as part of a JSON string.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

VARIABLE = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")


def variables_of(text: object) -> list[str]:
    """Return the names of the variables in a first message, each once."""
    return list(dict.fromkeys(VARIABLE.findall(text))) if isinstance(text, str) else []


def filled(text: str, values: Mapping[str, str]) -> str:
    """Return the message with the values of its variables."""
    is_json = text.lstrip()[:1] in ("{", "[")

    def value_of(found: re.Match[str]) -> str:
        value = values[found[1]]
        return json.dumps(value)[1:-1] if is_json else value

    return VARIABLE.sub(value_of, text)
