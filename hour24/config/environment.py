"""Reads secrets, only from the environment.

Rules of this module:

- A missing variable is reported with the key that names it.
- White space around a value is removed; inside a header only spaces are allowed.
- A part of a secret that could be used alone (a password in a connection string) is a secret
  as well, so that it is redacted on its own too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import unquote, urlsplit

from hour24.config.problems import KeyPath, Problems
from hour24.secrets import Secret
from hour24.secrets.shapes import looks_random

ALERT_URLS = "HOUR24_ALERT_URLS"
HEARTBEAT_URL = "HOUR24_HEARTBEAT_URL"
SHORTEST = 6
"""Shorter parts are words such as a host or a port."""
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
    """The variables that the file names, and two more.

    Args:
        secrets: false: every secret is empty, and none is reported missing.
    """

    def __init__(self, variables: Mapping[str, str], problems: Problems, *, secrets: bool) -> None:
        self._variables = variables
        self._problems = problems
        self._wanted = secrets
        self._known: dict[str, str] = {}
        self._wrong: set[str] = set()

    def secret(
        self, key_path: KeyPath, variable: str, form: str, content: str, prefix: str = ""
    ) -> Secret:
        """Return the secret in ``variable``; a problem with it is added at ``key_path``.

        Args:
            form: one of :data:`FORMS`.
            content: what to set it to, for the message.
            prefix: is put before the value.
        """
        value = self._variables.get(variable, "").strip() if self._wanted else ""
        if variable in self._wrong:
            pass  # reported where it was named first
        elif self._wanted and not value:
            self._wrong.add(variable)
            got = "an empty one" if variable in self._variables else "nothing"
            self._problems.add(
                key_path, f"expected environment variable {variable} to hold {content}, got {got}"
            )
        elif self._wanted:
            expression, expected = FORMS[form]
            if not expression.fullmatch(value):
                self._wrong.add(variable)
                self._problems.add(
                    key_path,
                    f"environment variable {variable}: expected {expected}, got something else",
                )
            self._know(variable, value)
            for name, part in parts(variable, value, form):
                self._know(name, part)
        return Secret(variable, prefix + value if value else "")

    def alert_urls(self) -> tuple[Secret, ...]:
        """``HOUR24_ALERT_URLS``: addresses for apprise, separated by spaces or commas."""
        if not self._wanted:
            return ()
        # A comma may be part of an address; before the next scheme it separates.
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
        """``HOUR24_HEARTBEAT_URL``: the dead man's switch to ping."""
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
        """Return every secret that was read, and every part that could be used alone."""
        return tuple(Secret(name, value) for value, name in self._known.items())

    def _know(self, name: str, value: str) -> None:
        self._known.setdefault(value, name)


def parts(name: str, value: str, form: str) -> Iterator[tuple[str, str]]:
    """Yield the parts of a secret that could be used alone."""
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
