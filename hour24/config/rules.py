"""What production.toml must satisfy beyond its schema.

Rules of this module:

- A rule reads only what passed the schema.
- Rules are independent; each adds the problems that it finds.
"""

from __future__ import annotations

import ipaddress
import json
import math
import re
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from hour24 import links
from hour24.config.first_message import VARIABLE, variables_of
from hour24.config.form import nearest, wanted_at
from hour24.config.placeholders import is_no_person, is_placeholder
from hour24.config.problems import KeyPath, Problems, format_path, walk
from hour24.criteria import CRITERIA, MAY_BE_ADVISORY, may_be_advisory
from hour24.documents import Schema
from hour24.linear import PatternRefused, Stated
from hour24.secrets.shapes import (
    PASSWORD_IN_ADDRESS,
    SHAPES,
    looks_random,
    looks_secret,
    names_secret,
)
from hour24.watch import CHECKPOINTS
from hour24.witnesses.port import OWN_VANTAGE

FREE_TEXT = {"pattern", "body", "first_message"}
WITHOUT_SECRETS = frozenset({"service", "status_pages"})
SURE = 0.95
"""The confidence with which a share is shown to be below its limit."""
INLINE = "a secret written inline"
LEAST_LIVES = 6
"""Probes within the shortest planned life of a worker: fewer may all reach other workers."""


def texts(problems: Problems, data: dict[str, Any], schema: Schema) -> None:
    """Refuse texts that are a secret, a placeholder or more than one line."""
    for key_path, value in walk(data):
        if not isinstance(value, str) or not key_path:
            continue
        key = str(key_path[-1])
        if _inline(problems, key_path, key, value) or key in FREE_TEXT:
            continue
        if re.search(r"[\x00-\x1f\x7f]", value):
            problems.add(key_path, "expected one line of text, got a control character")
            continue
        person = key_path[0] == "contacts" and key in ("name", "reach")
        if is_no_person(value) if person else is_placeholder(value):
            expected = wanted_at(key_path, schema)
            problems.add(key_path, f"expected {expected}, got the placeholder {json.dumps(value)}")


def _inline(problems: Problems, key_path: KeyPath, key: str, value: str) -> bool:
    """Add a problem for a secret in the file. Returns: whether the text needs no other rule."""
    header = len(key_path) > 1 and "headers" in key_path[:-1] and key not in ("env", "prefix")
    if header and (names_secret(key) or looks_random(value) or looks_secret(value)):
        problems.add(key_path, f'expected {{ env = "NAME" }}, got {INLINE}')
    elif key == "env" or key.endswith("_env"):
        if not re.fullmatch(r"[A-Z][A-Z0-9_]*", value):
            problems.add(
                key_path,
                "expected the name of an environment variable, in capitals, got something else",
            )
            return True
        return False
    elif names_secret(key):
        return True  # no known key has such a name: reported as an unknown key
    elif key == "prefix" and (looks_random(value) or looks_secret(value)):
        problems.add(key_path, f"expected a word such as Bearer, got {INLINE}")
    elif PASSWORD_IN_ADDRESS.search(value):
        problems.add(key_path, f"expected an address without a password, got {INLINE}")
    elif SHAPES.search(value):
        problems.add(key_path, f"expected no secret, got {INLINE}")
    elif looks_secret(value):
        problems.add(key_path, f"expected an address without a key in its query, got {INLINE}")
    else:
        return False
    return True


def beyond_schema(problems: Problems, data: dict[str, Any]) -> None:
    """Check every rule that joins several keys, or that a schema cannot express."""
    for rule in (
        _service,
        _addresses,
        _secrets_in_clear,
        _timing,
        _connections,
        _first_message,
        _recycling,
        _vantages,
        _started,
        _patterns,
        _classes,
        _criteria,
        _schedule,
        _links,
        _quiet,
    ):
        rule(problems, data)


def _service(problems: Problems, data: dict[str, Any]) -> None:
    service = _table(problems, data, "service")
    zone = service.get("time_zone", "UTC")
    if not problems.at("service", "time_zone") and zone != "UTC" and not _is_zone(zone):
        close = nearest(zone, sorted(available_timezones()))
        hint = f"such as {close}" if close else "such as Europe/Berlin"
        problems.add(
            ("service", "time_zone"), f"expected an IANA time zone {hint}, got {json.dumps(zone)}"
        )
    for key in ("launch_at", "daily_until"):
        if key in service and not problems.at("service", key):
            try:
                datetime.fromisoformat(service[key])
            except ValueError:
                problems.add(
                    ("service", key),
                    f"expected a date that exists, got {json.dumps(service[key])}",
                )


def _addresses(problems: Problems, data: dict[str, Any]) -> None:
    base = _table(problems, data, "service").get("url")
    for key_path, value in walk(data):
        if not key_path or not isinstance(value, str) or problems.at(*key_path):
            continue
        if key_path[-1] not in ("url", "control_url"):
            continue
        if value.startswith("/"):
            if base is None:
                problems.add(
                    key_path,
                    f"expected a whole address, since service.url is not given, got "
                    f"{json.dumps(value)}",
                )
        elif not _is_address(value):
            problems.add(
                key_path, f"expected an address that can be asked, got {json.dumps(value)}"
            )


def _secrets_in_clear(problems: Problems, data: dict[str, Any]) -> None:
    """Refuse sending a secret without TLS, unless the file names the host."""
    service = _table(problems, data, "service")
    base, allowed = service.get("url", ""), service.get("plain_http", [])
    for key_path, value in walk(data):
        if (
            not key_path
            or key_path[-1] != "url"
            or not isinstance(value, str)
            or problems.at(*key_path)
        ):
            continue
        if not _sends_a_secret(data, key_path[:-1]):
            continue
        parts = urlsplit(f"{base}{value}" if value.startswith("/") else value)
        host = parts.hostname or ""
        if parts.scheme in ("http", "ws") and not is_loopback(host) and host not in allowed:
            secure = {"http": "https", "ws": "wss"}[parts.scheme]
            problems.add(
                key_path,
                f"expected {secure}, since a secret is sent there, or {json.dumps(host)} among "
                f"service.plain_http, got {parts.scheme}",
            )


def _sends_a_secret(data: dict[str, Any], key_path: KeyPath) -> bool:
    """Return whether requests to the address in this table carry a secret."""
    if key_path[0] in WITHOUT_SECRETS:
        return False
    table: Any = data
    for part in key_path:
        table = table[part]
    if any(key.endswith("_env") for key in table) or variables_of(table.get("first_message", "")):
        return True
    headers = table.get("headers", {})
    return isinstance(headers, dict) and any(isinstance(each, dict) for each in headers.values())


def _timing(problems: Problems, data: dict[str, Any]) -> None:
    """Check pairs of times of which one must be longer."""
    for section, smaller, least, larger, most in (
        ("health", "retry_after_s", 30, "give_up_after_s", 120),
        ("jobs", "every_s", 30, "max_gap_s", 75),
    ):
        table = _table(problems, data, section)
        low, high = table.get(smaller, least), table.get(larger, most)
        known = not problems.at(section, smaller) and not problems.at(section, larger)
        if table and known and high <= low:
            problems.add(
                (section, larger if larger in table else smaller),
                f"expected {larger} above {smaller}, got {high:g} and {low:g}",
            )


def _connections(problems: Problems, data: dict[str, Any]) -> None:
    """Refuse so few connections that none of them dropping would still settle nothing."""
    table = _table(problems, data, "websocket")
    if problems.at("websocket") or not table:
        return
    ratio, many = table.get("max_drop_ratio", 0.10), table.get("connections", 30)
    # the 95 % bound of none of n is 1 - 0.05 ** (1 / n)
    least = 1 if ratio >= 1 else math.floor(math.log(1 - SURE) / math.log1p(-ratio)) + 1
    if many < least:
        key = "connections" if "connections" in table else "max_drop_ratio"
        problems.add(
            ("websocket", key),
            f"expected connections of at least {least}, which can show that fewer than "
            f"{100 * ratio:g} % drop, got {many}",
        )


def _first_message(problems: Problems, data: dict[str, Any]) -> None:
    """Refuse a ``$`` that names no variable, and an expected table that every object satisfies."""
    table = _table(problems, data, "websocket")
    first = table.get("first_message", "")
    if first and not problems.at("websocket", "first_message") and "${" in VARIABLE.sub("", first):
        problems.add(
            ("websocket", "first_message"),
            "expected ${NAME} with a name in capitals, got another text after ${",
        )
    if table.get("expects") in ("", {}) and not problems.at("websocket", "expects"):
        problems.add(
            ("websocket", "expects"), "expected a text or a table with members, got an empty one"
        )


def _recycling(problems: Problems, data: dict[str, Any]) -> None:
    """Check that the prober sees a worker several times before it is replaced by plan."""
    every = _table(problems, data, "process").get("recycles_every_s", 0)
    probed = _table(problems, data, "health").get("interval_s", 10)
    known = not problems.at("process", "recycles_every_s") and not problems.at(
        "health", "interval_s"
    )
    if known and 0 < every < LEAST_LIVES * probed:
        problems.add(
            ("process", "recycles_every_s"),
            f"expected at least {LEAST_LIVES * probed:g}, {LEAST_LIVES} times health.interval_s, "
            f"so that each worker is probed, got {every:g}",
        )


def _vantages(problems: Problems, data: dict[str, Any]) -> None:
    """Refuse a vantage that is described twice, and more needed than there are."""
    health = _table(problems, data, "health")
    if problems.at("health", "vantages") or problems.at("health", "vantages_needed"):
        return
    own = health.get("vantages", [])
    known = {OWN_VANTAGE} if not own else set(own)
    for section, table in data.items():
        if section == "health" or not isinstance(table, dict) or problems.at(section, "vantages"):
            continue
        stated = table.get("vantages", {})
        for name in stated if isinstance(stated, dict) else ():
            if name in known:
                problems.add(
                    (section, "vantages", name),
                    f"expected a name that no other vantage has, got {json.dumps(name)}",
                )
            known.add(name)
    needed = health.get("vantages_needed", 1)
    if needed > len(known):
        problems.add(
            ("health", "vantages_needed"),
            f"expected at most {len(known)}, as many as are described, got {needed}",
        )


def _started(problems: Problems, data: dict[str, Any]) -> None:
    """Refuse a document with an uptime and a start time: only one of them is read."""
    health = _table(problems, data, "health")
    stated = not problems.at("health", "started") and health.get("started")
    if stated and not problems.at("health", "uptime") and health.get("uptime"):
        problems.add(
            ("health", "uptime"),
            f'expected "", since health.started is given, got {json.dumps(health["uptime"])}',
        )


def _patterns(problems: Problems, data: dict[str, Any]) -> None:
    for key_path, value in walk(data):
        if not key_path or key_path[-1] != "pattern" or problems.at(*key_path):
            continue
        try:
            expression = Stated(value)
        except PatternRefused as refused:
            problems.add(key_path, f"expected a regular expression, got {refused}")
            continue
        if expression.found_in(""):
            problems.add(
                key_path,
                f"expected a pattern that some text does not match, got {json.dumps(value)}",
            )


def _classes(problems: Problems, data: dict[str, Any]) -> None:
    """Refuse two classes of errors with the same name."""
    seen: dict[str, KeyPath] = {}
    for kind in ("normal", "critical"):
        if problems.at("issues", kind):
            continue
        for number, each in enumerate(data.get("issues", {}).get(kind, [])):
            key_path = ("issues", kind, number, "name")
            name = each["name"].casefold()
            if name in seen:
                problems.add(
                    key_path,
                    f"expected a unique name, got {json.dumps(each['name'])}, as "
                    f"{format_path(seen[name])}",
                )
            seen.setdefault(name, key_path)


def _criteria(problems: Problems, data: dict[str, Any]) -> None:
    hours = data.get("schedule", {}) if isinstance(data.get("schedule", {}), dict) else {}
    planned = hours.get("checkpoints", CHECKPOINTS)
    for name, stated in _table(problems, data, "criteria").items():
        key_path = ("criteria", name)
        if problems.at(*key_path):
            continue
        if stated.get("applies", True) is False and "because" not in stated:
            problems.add((*key_path, "because"), "expected why it does not apply, got nothing")
        if stated.get("advisory", False):
            _advisory_criterion(problems, name, stated)
        if name in CRITERIA:
            for key in ("sentence", "hours"):
                if key in stated:
                    problems.add(
                        (*key_path, key),
                        f"expected nothing, since {name} is built in, got "
                        f"{'a sentence' if key == 'sentence' else 'a list'}",
                    )
        elif not {"sentence", "hours"} <= set(stated):
            close = nearest(name, list(CRITERIA))
            hint = f" such as {close}" if close else ""
            problems.add(
                key_path,
                f"expected the id of a criterion{hint}, or sentence and hours of your own, got "
                f"{json.dumps(name)}",
            )
        elif not problems.at("schedule"):
            for stray in [hour for hour in stated["hours"] if hour not in planned]:
                problems.add(
                    (*key_path, "hours"),
                    f"expected hours out of {', '.join(map(str, planned))}, got {stray}",
                )


def _advisory_criterion(problems: Problems, name: str, stated: dict[str, Any]) -> None:
    """Refuse a criterion that must count, or without a reason why it does not."""
    key_path = ("criteria", name, "advisory")
    if not may_be_advisory(name):
        allowed = " or ".join((*MAY_BE_ADVISORY, "a criterion of your own"))
        problems.add(
            key_path, f"expected false, since only {allowed} may be advisory, got true for {name}"
        )
    elif stated.get("applies", True) is False:
        problems.add(key_path, "expected false, since it does not apply, got true")
    if "because" not in stated and stated.get("applies", True) is not False:
        problems.add(("criteria", name, "because"), "expected why it does not count, got nothing")


def _schedule(problems: Problems, data: dict[str, Any]) -> None:
    hours = _table(problems, data, "schedule").get("checkpoints")
    if hours is None or problems.at("schedule", "checkpoints"):
        return
    if hours[0] != 0 or any(a >= b for a, b in pairwise(hours)):
        problems.add(
            ("schedule", "checkpoints"),
            f"expected ascending hours from 0, got {', '.join(map(str, hours))}",
        )


def _quiet(problems: Problems, data: dict[str, Any]) -> None:
    """Refuse quiet hours that end when they begin: none, or all day."""
    stated = _table(problems, data, "alerts").get("quiet", "")
    if not stated or problems.at("alerts", "quiet"):
        return
    begin, _, end = stated.partition("-")
    if begin == end:
        problems.add(("alerts", "quiet"), f"expected two different times, got {json.dumps(stated)}")


def _table(problems: Problems, data: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a section, or an empty one when it is no table."""
    found = data.get(name, {})
    return found if isinstance(found, dict) else {}


def is_loopback(host: str) -> bool:
    """Return whether this host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


def remote_references(schema: Any) -> Iterator[str]:
    """Yield references of a JSON Schema to other files."""
    for key_path, value in walk(schema):
        if (
            key_path
            and key_path[-1] == "$ref"
            and isinstance(value, str)
            and not value.startswith("#")
        ):
            yield value


def _links(problems: Problems, data: dict[str, Any]) -> None:
    """Refuse a link that would not be one, or with a field that nothing fills in."""
    table = _table(problems, data, "links")
    known = {"logs": set(links.TIMES), "issues": {"issue"}, "runbook": set()}
    for key, names in known.items():
        value = table.get(key, "")
        if not value or problems.at("links", key):
            continue
        filled = links.fill(value, dict.fromkeys(names, "1"))
        unknown = sorted(links.fields_of(value) - names)
        if unknown or not filled:
            wanted = ", ".join(f"{{{each}}}" for each in sorted(names)) or "no field in braces"
            got = f"{{{unknown[0]}}}" if unknown else json.dumps(value)
            problems.add(("links", key), f"expected an https address with {wanted}, got {got}")
