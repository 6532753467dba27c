"""Secrets, from the environment and nowhere else.

Rules of this module:

- What is missing is told with the key that named the variable.
- White space around a value is no part of it; inside a header there is none but the blank.
- A part of a secret that could be used alone (a password in a connection string) is a secret
  as well, so that it is scrubbed where it stands alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import unquote, urlsplit

from hour24.config.problems import Place, Problems
from hour24.secrets import Secret
from hour24.secrets.shapes import looks_random

ALERT_URLS = "HOUR24_ALERT_URLS"
HEARTBEAT_URL = "HOUR24_HEARTBEAT_URL"
SHORTEST = 6
FORMS = {
    "connection": (
        re.compile(r"postgres(ql)?://\S+|.*\b(host|service|dbname)\s*=.*"),
        "a connection string such as postgresql://ROLE:PASSWORD@HOST:5432/postgres",
    ),
    "dsn": (
        re.compile(r"https?://[^\s/@]+@[^\s/@]+/(\S*/)?[A-Za-z0-9-]+"),
        "a DSN such as https://KEY@HOST/PROJECT",
    ),
    "word": (re.compile(r"[\x21-\x7e]+"), "one word of printable characters"),
    "header": (re.compile(r"[\x20-\x7e]+"), "one line of printable characters"),
    "web": (re.compile(r"https?://[^\s/]+(/\S*)?"), "an http or https address"),
}


class Environment:
    """The variables that the file names, and the two that it need not name.

    Args:
        secrets: false: nothing is missing, and every secret is empty.
    """

    def __init__(self, variables: Mapping[str, str], problems: Problems, *, secrets: bool) -> None:
        self._variables = variables
        self._problems = problems
        self._wanted = secrets
        self._known: dict[str, str] = {}
        self._wrong: set[str] = set()

    def secret(
        self, place: Place, variable: str, form: str, holds: str, prefix: str = ""
    ) -> Secret:
        """The secret that ``variable`` holds; what is wrong with it is noted at ``place``.

        Args:
            form: one of :data:`FORMS`.
            holds: what belongs there, for a person who must set it.
            prefix: stands before it where it is used.
        """
        value = self._variables.get(variable, "").strip() if self._wanted else ""
        if variable in self._wrong:
            pass  # told already, where it was named first
        elif self._wanted and not value:
            self._wrong.add(variable)
            got = "an empty one" if variable in self._variables else "nothing"
            self._problems.add(
                place, f"expected environment variable {variable} to hold {holds}, got {got}"
            )
        elif self._wanted:
            expression, expected = FORMS[form]
            if not expression.fullmatch(value):
                self._wrong.add(variable)
                self._problems.add(
                    place,
                    f"environment variable {variable}: expected {expected}, got something else",
                )
            self._know(variable, value)
            for name, part in parts(variable, value, form):
                self._know(name, part)
        return Secret(variable, prefix + value if value else "")

    def alert_urls(self) -> tuple[Secret, ...]:
        """``HOUR24_ALERT_URLS``: addresses as apprise takes them, apart by blanks or commas."""
        if not self._wanted:
            return ()
        # A comma may stand inside an address; before the next scheme it separates.
        text = self._variables.get(ALERT_URLS, "")
        found = [each for each in re.split(r"\s+|,+(?=\s|$|[a-z][a-z0-9+.-]*://)", text) if each]
        secrets = []
        for number, each in enumerate(found, 1):
            name = f"{ALERT_URLS} {number}"
            if not re.match(r"[a-z][a-z0-9+.-]*://.", each, re.IGNORECASE):
                self._problems.add_outside(
                    f"environment: {ALERT_URLS}",
                    f"expected addresses such as slack://..., got something else at {number}",
                )
            secrets.append(Secret(name, each))
            self._know(name, each)
            for part_name, part in parts(name, each, "address"):
                self._know(part_name, part)
        return tuple(secrets)

    def heartbeat_url(self) -> Secret | None:
        """``HOUR24_HEARTBEAT_URL``: what is told that we are still there."""
        if not self._wanted or not self._variables.get(HEARTBEAT_URL, "").strip():
            return None
        value = self._variables[HEARTBEAT_URL].strip()
        expression, expected = FORMS["web"]
        if not expression.fullmatch(value):
            self._problems.add_outside(
                f"environment: {HEARTBEAT_URL}", f"expected {expected}, got something else"
            )
        self._know(HEARTBEAT_URL, value)
        for name, part in parts(HEARTBEAT_URL, value, "web"):
            self._know(name, part)
        return Secret(HEARTBEAT_URL, value)

    def all(self) -> tuple[Secret, ...]:
        """Every secret that was read, and every part of one that could be used alone."""
        return tuple(Secret(name, value) for value, name in self._known.items())

    def _know(self, name: str, value: str) -> None:
        self._known.setdefault(value, name)


def parts(name: str, value: str, form: str) -> Iterator[tuple[str, str]]:
    """The parts of a secret that could be used alone, and stand alone in what others print."""
    found: Iterable[str] = ()
    if "://" in value:
        found = _of_address(value, form)
    elif form == "connection":
        found = [
            match[1] or match[2]
            for match in re.finditer(r"password\s*=\s*(?:'((?:[^'\\]|\\.)*)'|(\S+))", value)
        ]
    for part in found:
        for each in dict.fromkeys((part, unquote(part))):
            if len(each) >= SHORTEST and each != value:
                yield f"{name}, a part of it", each


def _of_address(value: str, form: str) -> Iterator[str]:
    try:
        address = urlsplit(value)
    except ValueError:
        return
    if address.password:
        yield address.password
    if form == "dsn" and address.username:
        yield address.username
    query = [part.rpartition("=")[2] for part in address.query.split("&")]
    yield from (part for part in query if part and re.search("passw", address.query))
    if form in ("web", "address"):
        for part in (address.netloc, *address.path.split("/"), *query):
            if looks_random(part):
                yield part
