"""Writes production.toml for a service that was read, with a reason for each disabled criterion."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from hour24 import config
from hour24.criteria import CRITERIA, database, process
from hour24.doctor.examining import undescribed
from hour24.errors import ConfigurationError
from hour24.starter.service import SAMPLES, Service, plain

HEALTH = "schemas/health.schema.json"
HEADER = re.compile(r"([A-Za-z0-9-]+)\s*[:=]\s*([^$\"\\]*)\$\{?([A-Z_][A-Z0-9_]*)\}?")
CONTROL = "https://connectivitycheck.gstatic.com/generate_204"
ROLES = ("tech lead", "devops", "on call")


def settings(service: Service, name: str, headers: Mapping[str, tuple[str, str]]) -> str:
    """Return the text of the file; :func:`hour24.config.load` accepts it.

    Args:
        name: of the service; empty: its host.
        headers: name -> prefix and the environment variable of the rest.
    """
    head = "\n".join(_head(service, name, headers))
    with tempfile.TemporaryDirectory(prefix="hour24-init-") as folder:
        path = Path(folder) / "production.toml"
        (path.parent / "schemas").mkdir()
        (path.parent / HEALTH).write_text(json.dumps(service.schema), encoding="utf-8")
        filled = head.replace('"CHANGE-ME"', '"Mara Lind, desk 4"')
        path.write_text(filled, encoding="utf-8")
        try:
            production = config.load(path, {}, secrets=False)
        except ConfigurationError as refusal:
            problems = [each.replace(str(path), path.name) for each in refusal.problems]
            raise ConfigurationError(problems) from None
    left = left_out(production, service)
    lines = [
        head,
        "# Criteria without a source: describe the section, then delete the entry.",
        "",
    ]
    for one, because in left.items():
        lines += [f"[criteria.{one}]", "applies = false", f"because = {quoted(because)}", ""]
    return "\n".join(lines)


def left_out(production: config.Production, service: Service) -> dict[str, str]:
    """Return id -> reason of every criterion that this production has no source for."""
    sections: dict[str, list[str]] = {}
    for section, ids in undescribed(production):
        for one in ids:
            sections.setdefault(one, []).append(f"[{section}]")
    found = {
        one: f"no source: production.toml describes no {' or '.join(named)}"
        for one, named in sections.items()
    }
    found[database.ONLINE.id] = "no source: production.toml describes no [database]"
    if not service.uptime:
        found[process.RESTARTS.id] = "the health document has no uptime"
    for one in CRITERIA.values():
        if one.rests_on and set(one.rests_on) <= set(found):
            found.setdefault(one.id, found[one.rests_on[0]])
    return {one: found[one] for one in CRITERIA if one in found}


def quoted(text: str) -> str:
    """Return a TOML string of printable ASCII."""
    return f'"{plain(text, 300)}"'


def header(text: str) -> tuple[str, str, str]:
    """Return name, prefix and variable of ``Authorization: Bearer $TOKEN``. Raises: ValueError."""
    found = HEADER.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"expected 'NAME: PREFIX $VARIABLE', got {plain(text.split('$')[0], 20)}")
    return found[1], found[2], found[3]


def _head(service: Service, name: str, headers: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    host = urlsplit(service.base).hostname or "service"
    yield "# Read from a running service by `hour24 init --from`. Replace every CHANGE-ME; then"
    yield "# `hour24 doctor` tries each address. No secret belongs in this file: it names"
    yield "# environment variables. Every key is described in schemas/production.schema.json."
    yield ""
    yield "[service]"
    yield f"name = {quoted(name or host)}"
    yield 'environment = "production"'
    yield f"url = {quoted(service.base)}"
    yield 'time_zone = "UTC"'
    if service.version:
        yield f"release = {quoted(service.version)}    # as the health document says"
    yield "# Requested when the service does not answer: is our own network up?"
    yield f'control_url = "{CONTROL}"'
    yield ""
    for note in service.notes:
        yield f"# {plain(note)}"
    yield "[health]"
    yield f"url = {quoted(service.path)}"
    yield f'schema = "{HEALTH}"'
    sent = ", ".join(
        f"{each} = {{ env = {quoted(variable)}, prefix = {json.dumps(prefix)} }}"
        for each, (prefix, variable) in headers.items()
    )
    if sent:
        yield f"headers = {{ {sent} }}"
    for key in ("timestamp", "uptime", "database"):
        pointer = getattr(service, key)
        comment = "" if pointer else "    # the document has none"
        yield f"{key} = {quoted(pointer)}{comment}"
    yield ""
    yield f"# Each target is a proposal: three times the slowest of {SAMPLES} answers, rounded up."
    for each in service.endpoints:
        yield ""
        yield f"[endpoints.{each.name}]"
        yield f"url = {quoted(each.path)}"
        yield f"target_ms = {each.target_ms}    # slowest answer: {each.slowest_ms:.0f} ms"
        if sent:
            yield f"headers = {{ {sent} }}"
    yield ""
    if service.left_out:
        yield "# GET endpoints of its OpenAPI document that were skipped:"
        for path in service.left_out:
            yield f"#   {plain(path, 160)}"
        yield ""
    if service.metrics:
        yield "# Its /metrics has families that a Prometheus could provide:"
        for family in service.metrics:
            yield f"#   {plain(family)}"
        yield ""
    for role in ROLES:
        yield "[[contacts]]"
        yield f'role = "{role}"'
        yield 'name = "CHANGE-ME"'
        yield 'reach = "CHANGE-ME"'
        yield ""
