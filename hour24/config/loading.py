"""Builds a Production from a file and an environment, or reports every problem at once.

Rules of this module:

- Nothing is built while there is a problem, and production is not queried here.
- Paths in the file are relative to the file.
- A missing key has the default of the Struct, so that defaults are stated once.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, TypeVar

from msgspec import Struct

from hour24.classes import IssueClass
from hour24.config import rules, schemas, without
from hour24.config.environment import Environment
from hour24.config.first_message import filled, variables_of
from hour24.config.form import differences
from hour24.config.problems import KeyPath, Problems, format_path, quote_value
from hour24.config.production import (
    Alerts,
    Applies,
    Contact,
    Described,
    Linked,
    Production,
    Repository,
    Schedule,
    Without,
)
from hour24.config.service import (
    Endpoint,
    Health,
    Jobs,
    Memory,
    Process,
    Service,
    Tls,
    WebSocketTarget,
)
from hour24.documents import DocumentError, read_json
from hour24.errors import ConfigurationError
from hour24.secrets import Secret
from hour24.shipped import SCHEMAS
from hour24.witnesses import registry, sections
from hour24.witnesses.port import Witness

HEALTH_SCHEMA = SCHEMAS / "health.schema.json"
WATCH_H = 24
DEEPEST = 20
"""Nested tables: production.toml needs 4; deeper ones would exhaust the stack."""
S = TypeVar("S", bound=Struct)


def load(
    path: Path, environ: Mapping[str, str] | None = None, *, secrets: bool = True
) -> Production:
    """Return the production that ``path`` and the environment describe.

    Args:
        path: a production.toml.
        environ: variables by name; none: those of this process.
        secrets: false: to list what is due; secrets are empty, and none is reported missing.

    Raises: ConfigurationError, with every problem found, in the order of the file.
    """
    data = _read_file(path)
    problems = Problems(str(path), data)
    files = _files(path, data, problems)
    described = _described_witnesses(path, data, problems, files)
    unknown = _suggest_sections(data, {*schemas.core(), *described}, files)
    schema = schemas.file_schema(described, unknown)
    rules.texts(problems, data, schema)
    for key_path, text in differences(data, schema):
        problems.add(key_path, text)
    rules.beyond_schema(problems, data)
    environment = Environment(os.environ if environ is None else environ, problems, secrets=secrets)
    if not problems.at("without"):
        without.check(problems, _without(data), set(data))
    reading = _Reading(path, data, problems, environment, described)
    health_schema = reading.health_schema()
    headers, tokens = reading.headers(), reading.tokens()
    first_message = reading.first_message()
    alert_urls, heartbeat = environment.alert_urls(), environment.heartbeat_url()
    if lines := problems.lines():
        raise ConfigurationError(lines)
    return reading.production(health_schema, headers, tokens, first_message, alert_urls, heartbeat)


def alert_urls(environ: Mapping[str, str] | None = None) -> tuple[Secret, ...]:
    """Return where alerts are sent, without reading any other secret.

    Raises: ConfigurationError.
    """
    problems = Problems("environment", {})
    environment = Environment(os.environ if environ is None else environ, problems, secrets=True)
    found = environment.alert_urls()
    if lines := problems.lines():
        raise ConfigurationError(lines)
    return found


def launch_problem(production: Production, t0: datetime) -> str:
    """Return why launch_at is too early for a watch from ``t0``; or ""."""
    launch = production.service.launch_at
    ready = t0 + timedelta(hours=WATCH_H)
    if launch is None or launch >= ready:
        return ""
    return (
        f"{production.path}: service.launch_at: expected {ready.astimezone(UTC):%Y-%m-%dT%H:%MZ} "
        f"or later (T0 + 24 h), got {launch.astimezone(UTC):%Y-%m-%dT%H:%MZ}"
    )


def _read_file(path: Path) -> dict[str, Any]:
    try:
        return {
            name: _plain(value)
            for name, value in tomllib.loads(path.read_bytes().decode("utf-8-sig")).items()
        }
    except FileNotFoundError:
        problem = "expected a file, got nothing; "
        if path.name == "rehearsal":
            problem += "a rehearsal's production exists only while one of its checkpoints runs"
        else:
            problem += "copy the shipped production.toml, or try the embedded production with "
            problem += "--target rehearsal"
    except IsADirectoryError:
        problem = "expected a file, got a folder"
    except OSError as error:
        problem = f"expected a file that can be read, got: {(error.strerror or '').lower()}"
    except UnicodeDecodeError as error:
        problem = f"expected UTF-8, got something else at byte {error.start}"
    except tomllib.TOMLDecodeError as error:
        problem = _toml_problem(str(error))
    except RecursionError:
        problem = "expected TOML, got tables too deep"
    raise ConfigurationError([f"{path}: {problem}"])


def _toml_problem(text: str) -> str:
    found = re.fullmatch(r"(.*) \(at (line \d+, column \d+|end of document)\)", text, re.DOTALL)
    said, where = (found[1], found[2]) if found else (text, "")
    said = " ".join(said.split())
    said = said[:1].lower() + said[1:]
    return f"{where}: expected TOML, got an error: {said}".removeprefix(": ")


def _plain(value: Any, depth: int = 1) -> Any:
    """Return TOML with its times as text, for the schema. Raises: RecursionError, if too deep."""
    if depth > DEEPEST:
        raise RecursionError
    if isinstance(value, dict):
        return {name: _plain(each, depth + 1) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each, depth + 1) for each in value]
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return value


def _files(path: Path, data: dict[str, Any], problems: Problems) -> dict[str, Witness]:
    """Return the witnesses of the files in ``[witnesses]``, by section."""
    files: dict[str, Witness] = {}
    stated = data.get("witnesses")
    named_files = stated.get("files") if isinstance(stated, dict) else None
    for number, each in enumerate(named_files if isinstance(named_files, list) else []):
        if not isinstance(each, str):
            continue
        try:
            witness = registry.of_file(path.parent / each)
        except registry.NoWitness as problem:
            problems.add(("witnesses", "files", number), str(problem))
        else:
            files[witness.section] = witness
    return files


def _described_witnesses(
    path: Path, data: dict[str, Any], problems: Problems, files: Mapping[str, Witness]
) -> dict[str, Witness]:
    """Return the witnesses whose sections are in the file, in its order."""
    try:
        return registry.described([name for name in data if name not in schemas.core()], files)
    except registry.NoWitness as problem:
        problems.add_outside(str(path), str(problem))
        return {}


def _suggest_sections(
    data: Mapping[str, Any], known: Collection[str], files: Collection[str]
) -> list[str]:
    """Return names of witnesses that an unknown section may mean."""
    if not set(data) - set(known):
        return []
    return [*registry.own(), *registry.offered(), *files]


class _Reading:
    """Reads one file."""

    def __init__(
        self,
        path: Path,
        data: dict[str, Any],
        problems: Problems,
        environment: Environment,
        described: Mapping[str, Witness],
    ) -> None:
        self.described = described
        self.path = path
        self.data = data
        self.problems = problems
        self.environment = environment

    # --- while there may be problems: reads only what has none --------------------------------

    def health_schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the health document."""
        key_path: KeyPath = ("health", "schema")
        if self.problems.at(*key_path):
            return {}
        given = self.data.get("health", {}).get("schema")
        path = HEALTH_SCHEMA if given is None else self.path.parent / given
        try:
            schema = read_json(path.read_bytes())
        except OSError as error:
            got = "nothing there" if isinstance(error, FileNotFoundError) else "no access"
            got = "a folder" if isinstance(error, IsADirectoryError) else got
            problem = f"expected a file that can be read, got {got}: {path}"
        except DocumentError as error:
            problem = f"expected a JSON document, got {error}: {path}"
        else:
            problem = _schema_problem(schema, path)
        if problem:
            self.problems.add(key_path, problem)
            return {}
        assert isinstance(schema, dict)
        return schema

    def headers(self) -> dict[KeyPath, dict[str, Secret | str]]:
        """Return the headers of every section that has some."""
        sections: list[KeyPath] = [("health",), ("websocket",)]
        endpoints = self.data.get("endpoints", {})
        if isinstance(endpoints, dict):
            sections += [("endpoints", name) for name in endpoints]
        found: dict[KeyPath, dict[str, Secret | str]] = {}
        for section in sections:
            stated = self._at((*section, "headers"))
            if not isinstance(stated, dict):
                continue
            found[section] = {}
            for name, value in stated.items():
                key_path = (*section, "headers", name)
                if self.problems.at(*key_path):
                    continue
                if isinstance(value, str):
                    found[section][name] = value
                else:
                    prefix = value.get("prefix", "")
                    found[section][name] = self.environment.secret(
                        (*key_path, "env"), value["env"], "header", "what this header says", prefix
                    )
        return found

    def first_message(self) -> Secret | str:
        """Return the first message of the WebSocket; a secret where it has variables."""
        key_path: KeyPath = ("websocket", "first_message")
        text = self._at(key_path)
        if not isinstance(text, str) or self.problems.at(*key_path):
            return ""
        names = variables_of(text)
        values = {
            name: self.environment.secret(
                key_path, name, "header", "what the first message needs"
            ).reveal()
            for name in names
        }
        return Secret("websocket.first_message", filled(text, values)) if names else text

    def tokens(self) -> dict[KeyPath, Secret]:
        """Return the secrets that the sections name."""
        found: dict[KeyPath, Secret] = {}
        for section, witness in self.described.items():
            stated = self.data[section]
            tables = stated if witness.many else [stated]
            for number, _ in enumerate(tables if isinstance(tables, list) else []):
                for field in sections.fields_of(witness.at).values():
                    key_path: KeyPath = (section, *((number,) if witness.many else ()), field.key)
                    variable = self._at(key_path)
                    if field.variable is None or self.problems.at(*key_path):
                        continue
                    if isinstance(variable, str):
                        form, content = field.variable
                        found[key_path] = self.environment.secret(key_path, variable, form, content)
        return found

    def _at(self, key_path: KeyPath) -> Any:
        value: Any = self.data
        for part in key_path:
            value = value.get(part) if isinstance(value, dict) else None
        return value

    # --- only without problems ----------------------------------------------------------------

    def production(
        self,
        schema: dict[str, Any],
        headers: dict[KeyPath, dict[str, Secret | str]],
        tokens: dict[KeyPath, Secret],
        first_message: Secret | str,
        alert_urls: tuple[Secret, ...],
        heartbeat: Secret | None,
    ) -> Production:
        data, issues = self.data, self.data.get("issues", {})
        service = dict(data["service"])
        base = str(service.pop("url", ""))
        for key in ("launch_at", "daily_until"):
            if key in service:
                service[key] = datetime.fromisoformat(service[key]).astimezone(UTC)

        def make_requested(
            kind: type[S], key_path: KeyPath, stated: dict[str, Any], **more: Any
        ) -> S:
            url = _join(base, stated["url"], socket=kind is WebSocketTarget)
            given = {**stated, **more, "url": url, "headers": headers.get(key_path, {})}
            return _convert(kind, given)

        def make_section(witness: Witness, key_path: KeyPath, stated: dict[str, Any]) -> Struct:
            given = {name: service[name] for name in witness.inherited if name in service}
            for name, field in sections.fields_of(witness.at).items():
                if field.secret and (*key_path, field.key) in tokens:
                    given[name] = tokens[(*key_path, field.key)]
                elif field.key in stated and not field.secret:
                    given[name] = stated[field.key]
            if isinstance(given.get("url"), str):
                given["url"] = given["url"].rstrip("/")
            return _convert(witness.at, given)

        def describe(section: str, witness: Witness) -> Described:
            if not witness.many:
                return Described(witness, make_section(witness, (section,), data[section]))
            many = (
                make_section(witness, (section, n), each) for n, each in enumerate(data[section])
            )
            return Described(witness, tuple(many))

        websocket = data.get("websocket")
        jobs = data.get("jobs")
        return Production(
            path=str(self.path),
            service=_convert(Service, service),
            health=make_requested(
                Health,
                ("health",),
                {**({"uptime": ""} if data["health"].get("started") else {}), **data["health"]},
                schema=schema,
            ),
            endpoints={
                name: make_requested(Endpoint, ("endpoints", name), stated, name=name)
                for name, stated in data.get("endpoints", {}).items()
            },
            websocket=make_requested(
                WebSocketTarget, ("websocket",), websocket, first_message=first_message
            )
            if websocket
            else None,
            jobs=_convert(Jobs, jobs) if jobs else None,
            memory=_convert(Memory, data.get("memory", {})),
            process=_convert(Process, data.get("process", {})),
            tls=_convert(Tls, data.get("tls", {})),
            described={
                section: describe(section, witness) for section, witness in self.described.items()
            },
            normal=tuple(_convert(IssueClass, each) for each in issues.get("normal", [])),
            critical=tuple(_convert(IssueClass, each) for each in issues.get("critical", [])),
            contacts=tuple(_convert(Contact, each) for each in data.get("contacts", [])),
            criteria=without.unencrypted(
                data,
                base,
                without.left_out(
                    _without(data),
                    {n: _convert(Applies, each) for n, each in data.get("criteria", {}).items()},
                    self.described,
                ),
            ),
            schedule=_convert(Schedule, data.get("schedule", {})),
            alerts=_convert(Alerts, data.get("alerts", {})),
            repository=_convert(Repository, data.get("repository", {})),
            links=_convert(Linked, data.get("links", {})),
            alert_urls=alert_urls,
            heartbeat_url=heartbeat,
            secrets=self.environment.all(),
        )


def _without(data: Mapping[str, Any]) -> Without | None:
    """Return the section [without], if there is one; only without problems in it."""
    return _convert(Without, data["without"]) if "without" in data else None


def _convert(kind: type[S], stated: Mapping[str, Any]) -> S:
    """Return a Struct of plain TOML values: whole numbers become floats, lists tuples."""
    given: dict[str, Any] = {}
    for name, field in sections.fields_of(kind).items():
        if name not in stated:
            continue
        value = stated[name]
        if field.type is float and isinstance(value, int):
            value = float(value)
        given[name] = tuple(value) if isinstance(value, list) else value
    return kind(**given)


def _join(base: str, url: str, *, socket: bool) -> str:
    if not url.startswith("/"):
        return url
    if socket:
        base = base.replace("http", "ws", 1)
    return base.rstrip("/") + url


def _schema_problem(schema: Any, path: Path) -> str:
    """Return why a JSON document is no usable JSON Schema of a health document, or ""."""
    if not isinstance(schema, dict):
        return f"expected a JSON Schema, got {quote_value((), schema)} in {path}"
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError
    from jsonschema.validators import validator_for

    judge = validator_for(schema, default=Draft202012Validator)
    try:
        judge.check_schema(schema)
    except SchemaError as error:
        where = format_path(tuple(error.absolute_path))
        return f"expected a JSON Schema, got a mistake at {where} of {path}"
    if remote := next(rules.remote_references(schema), ""):
        return f"expected a JSON Schema complete in itself, got a reference to {remote} in {path}"
    anything: tuple[Any, ...] = (None, True, 0, "", [], {})
    if all(judge(schema).is_valid(each) for each in anything):
        return f"expected a JSON Schema that refuses something, got one that does not: {path}"
    return ""
