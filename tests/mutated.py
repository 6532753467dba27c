"""The answers of every witness on tape, played again with one of them mutated.

A rehearsal is asked once, as a checkpoint asks it. What came back from each system is kept at the
three places where foreign data enters: an HTTP answer, the rows of a statement, a health document.
An example then plays it all again, one thing changed, through the sources, the evidence, redaction
and the criteria of tests_prod/ to the verdicts that a record would hold.
"""

from __future__ import annotations

import importlib.util
import inspect
import json
import re
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import msgspec
from hypothesis import strategies as st

from hour24.asking import client as asking
from hour24.asking.exchange import Reply
from hour24.asking.fetching import Answer
from hour24.checkpoint.inquiry import Inquiry
from hour24.checkpoint.lanes import Lanes
from hour24.checkpoint.questions import QUESTIONS
from hour24.checkpoint.run import Run
from hour24.clock import SteppingClock
from hour24.criteria import CRITERIA
from hour24.ledger import canonical
from hour24.ledger.record import Judged
from hour24.secrets.redactor import Redactor
from hour24.sources import health
from hour24.targets import rehearsal
from hour24.targets.context import Context
from hour24.targets.request import Request
from hour24.verdict import Outcome
from hour24.witnesses.database.session import Session
from tests.played import ROOT, T0

HEALTH = "health"
"""The section of what is no witness and answers all the same."""
AT_HOUR = 4
_ID = re.compile(r"[0-9a-f]{32}|127\.0\.0\.1:\d+")
Place = tuple[str, str]
"""Section and request."""


@dataclass(frozen=True)
class Taped:
    """One answer: an :class:`Answer`, a list of rows, or a :class:`Reply`."""

    section: str
    request: str
    value: Any


@dataclass
class Tape:
    """What the systems answered, in order.

    Args:
        server_version: of the database.
    """

    context: Context
    answers: list[Taped] = field(default_factory=list)
    server_version: int = 0
    others: dict[str, Any] = field(default_factory=dict)

    @property
    def sections(self) -> set[str]:
        return {each.section for each in self.answers}

    def of(self, section: str) -> list[int]:
        """The positions of a section's answers."""
        return [n for n, each in enumerate(self.answers) if each.section == section]


# --- recording -----------------------------------------------------------------------------------


def record(reports: Path, *faults: str, resources: ExitStack) -> Tape:
    """Ask a rehearsal at hour 4 everything that witnesses are asked, and keep what came back."""
    request = Request(
        marker=f"hour{AT_HOUR}", target="rehearsal", reports=reports, t0=T0, seed=1, faults=faults
    )
    context = rehearsal.open_context(request, resources)
    context.step_clock_to(context.checkpoint.due)
    context.simulate_probes(context)
    tape = Tape(context)
    with recording(tape):
        lanes = Lanes(inquiry_of(context, context.clock), set(QUESTIONS))
        tape.others = {name: lanes.answer(name) for name in QUESTIONS if not _foreign(name)}
        for name in QUESTIONS:
            lanes.answer(name)
    return tape


@contextmanager
def recording(tape: Tape) -> Iterator[None]:
    """Keep on the tape what comes back meanwhile."""
    lock = threading.Lock()

    def keep(request: str, value: Any) -> Any:
        with lock:
            tape.answers.append(Taped(_section(), _ID.sub("#", request), deepcopy(value)))
        return value

    fetch, rows, look = asking.fetch, Session._ask, health.ask

    def fetched(session: Any, url: str, body: Any, headers: Any, limit: float, method: str = ""):
        answer = fetch(session, url, body, headers, limit, method)
        if isinstance(answer, Answer):
            answer = replace(answer, headers=dict(answer.headers))
        return keep(f"{method or body is not None} {url}", answer)

    def asked(self: Session, what: str, sql: str, values: Mapping[str, Any]):
        found = keep(what, rows(self, what, sql, values))
        tape.server_version = self.version
        return found

    def seen(url: str, headers: Any, timeout_s: float):
        return keep(url, look(url, headers, timeout_s))

    with _instead(fetched, asked, seen):
        yield


def _section() -> str:
    return threading.current_thread().name.removeprefix("hour24 ").partition("-")[0]


def _foreign(name: str) -> bool:
    asked = QUESTIONS[name]
    return asked.measure is not None or asked.lane == HEALTH


@contextmanager
def _instead(fetched: Any, asked: Any, seen: Any) -> Iterator[None]:
    with (
        mock.patch.object(asking, "fetch", fetched),
        mock.patch.object(Session, "_ask", asked),
        mock.patch.object(health, "ask", seen),
    ):
        yield


def inquiry_of(context: Context, clock: Any) -> Inquiry:
    return Inquiry(
        context.production,
        context.ledger.watch,
        context.checkpoint,
        clock,
        context.ledger,
        addresses={},
        sampling=context.per_s,
        started=context.checkpoint.due,
    )


# --- playing -------------------------------------------------------------------------------------


def played(tape: Tape, sections: Sequence[str] = (), at: int = -1, value: Any = None):
    """The verdicts with the answer at this position replaced.

    Args:
        sections: only their questions are asked, and what needs them judged; none: all.
    """
    waiting: dict[Place, list[Any]] = defaultdict(list)
    for n, each in enumerate(tape.answers):
        waiting[each.section, each.request].append(value if n == at else each.value)
    lock = threading.Lock()

    def mutate_answer(request: str, nothing: Any) -> Any:
        with lock:
            left = waiting.get((_section(), _ID.sub("#", request)), [])
            found = left.pop(0) if len(left) > 1 else left[0] if left else nothing
        if isinstance(found, Exception):
            raise found
        return deepcopy(found)

    lost = Answer(404, {"Content-Type": "application/json"}, b"{}")
    fetched = lambda session, url, body, headers, limit, method="": mutate_answer(  # noqa: E731
        f"{method or body is not None} {url}", lost
    )
    asked = lambda self, what, sql, values: mutate_answer(what, [])  # noqa: E731
    seen = lambda url, headers, timeout_s: mutate_answer(url, Reply(404))  # noqa: E731
    names = asked_of(tape.context, sections)
    clock = SteppingClock(tape.context.checkpoint.due)
    version = property(lambda self: tape.server_version)
    with _instead(fetched, asked, seen), mock.patch.object(Session, "version", version):
        lanes = Lanes(inquiry_of(tape.context, clock), set(names))
        answers = {name: lanes.answer(name) for name in names}
    return judged(tape.context, {**tape.others, **answers}, set(names))


def asked_of(context: Context, sections: Sequence[str]) -> list[str]:
    """The questions that these sections are asked; none: all."""
    return [name for name in QUESTIONS if _foreign(name) and _asks(context, name, sections)]


def _asks(context: Context, name: str, sections: Sequence[str]) -> bool:
    asked = QUESTIONS[name]
    if not sections:
        return True
    if asked.measure is None:
        return asked.lane in sections
    return any(
        one is not None and one.witness.section in sections
        for one in asked.asked_of(context.production)
    )


def judged(context: Context, answers: Mapping[str, Any], needed: set[str]) -> list[Judged]:
    """The verdicts of every criterion that rests on one of the needed answers."""
    secrets = [(each.name, each.reveal()) for each in context.production.secrets]
    run = Run.__new__(Run)
    run.context, run.redactor = context, Redactor(secrets)
    run.judged, run.trouble = [], []
    run.journal = SimpleNamespace(write=lambda content: None)  # type: ignore[assignment]
    for name, test in criteria():
        wanted = list(inspect.signature(test).parameters)
        given: dict[str, Any] = {
            "production": context.production,
            "endpoints": context.production.endpoints,
            "checkpoint": context.checkpoint,
        }
        questions = [each for each in wanted if each in QUESTIONS]
        if not needed & set(questions) or AT_HOUR not in CRITERIA[name].hours:
            continue
        if set(wanted) - {*given, *questions, "conclude"} or not set(questions) <= answers.keys():
            continue
        for each in questions:
            answer = answers[each]
            if QUESTIONS[each].each and not isinstance(answer, Mapping):
                answer = defaultdict(lambda answer=answer: answer)
            given[each] = answer
        given["conclude"] = lambda objective, *, subject="", name=name, **evidence: run.conclude(
            CRITERIA[name], objective, evidence, subject
        )
        test(**{each: given[each] for each in wanted})
    for each in run.judged:
        canonical.to_bytes(msgspec.to_builtins(each), each.id)
    return run.judged


def criteria() -> list[tuple[str, Callable[..., None]]]:
    """Id and test of each criterion of tests_prod/."""
    if not _CRITERIA:
        for path in sorted((ROOT / "tests_prod").glob("test_*.py")):
            spec = importlib.util.spec_from_file_location(f"fuzzed_{path.stem}", path)
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            for test in vars(module).values():
                for mark in getattr(test, "pytestmark", ()):
                    if mark.name == "criterion" and mark.args[0] in CRITERIA:
                        _CRITERIA.append((mark.args[0], test))
    return _CRITERIA


_CRITERIA: list[tuple[str, Callable[..., None]]] = []


def outcomes(found: Sequence[Judged]) -> dict[tuple[str, str], Outcome]:
    """(criterion, subject) -> its outcome; the worst where it was judged several times."""
    worst: dict[tuple[str, str], Outcome] = {}
    order = [Outcome.PASS, Outcome.NOT_APPLICABLE, Outcome.INCONCLUSIVE, Outcome.FAIL]
    for each in found:
        key = (each.id, each.subject)
        worst[key] = max(worst.get(key, Outcome.PASS), each.outcome, key=order.index)
    return worst


def improved(base: dict[tuple[str, str], Outcome], found: Sequence[Judged]) -> set[tuple[str, str]]:
    """The criteria that pass with changed answers and not with the unchanged ones."""
    return {
        key
        for key, outcome in outcomes(found).items()
        if outcome == Outcome.PASS and base.get(key) not in (Outcome.PASS, None)
    }


# --- mutating ------------------------------------------------------------------------------------

MISSING = object()
MALFORMED: tuple[tuple[str, Callable[[Any], Any]], ...] = (
    ("null", lambda value: None),
    ("true", lambda value: True if value is not True else 0),
    ("minus one", lambda value: -1),
    ("below any time", lambda value: -1e18),
    ("beyond a float", lambda value: 10**400),
    ("the largest float", lambda value: 1.7e308),
    ("not a number", lambda value: float("nan")),
    ("infinity", lambda value: float("inf")),
    ("in a list", lambda value: [value]),
    ("in an object", lambda value: {"value": value}),
    ("an object", lambda value: {}),
    ("a text", lambda value: "\u202e\x1b[2J<b>" if not isinstance(value, str) else 7),
    ("half a character", lambda value: "\ud800" if not isinstance(value, str) else [value]),
    ("taken out", lambda value: MISSING),
)
"""What no working system answers: another kind of value, an impossible number, nothing."""
STATED: tuple[tuple[str, Callable[[Any], Any]], ...] = (
    ("empty", lambda value: type(value)() if isinstance(value, str | list | dict) else 0),
    ("twice", lambda value: value * 2 if isinstance(value, str | list) else value),
    ("huge", lambda value: "x" * 100_000 if isinstance(value, str) else value),
    ("another number", lambda value: value * 7 + 1 if _is_number(value) else value),
    ("as text", lambda value: str(value) if _is_number(value) else value),
    ("a secret", lambda value: f"{value} {SECRET}" if isinstance(value, str) else value),
)
"""What a system may answer: it may change a verdict, and must not break one or leak."""
SECRET = "{secret}"
BROKEN = (b"", b"null", b"[", b"<p>no</p>", b"\xff\xfe\x00", b"[" * 5000, b'"x"', b"0" * 9000)
STATUSES = (0, 204, 206, 302, 401, 429, 500, 999)
HEADERS = ("Link", "Date", "Content-Type", "X-Sentry-Rate-Limit-Reset", "Retry-After")
VALUES = (
    "",
    "x",
    "-1",
    "9" * 400,
    "<>; rel=next",
    '<http://[>; rel="next"; results="true"',
    "é\x00",
)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value in plain data; of many alike, the first and last."""
    yield path
    if isinstance(value, dict):
        for key in value:
            yield from paths(value[key], (*path, key))
    elif isinstance(value, list):
        for n in sorted({*range(min(3, len(value))), *range(max(0, len(value) - 2), len(value))}):
            yield from paths(value[n], (*path, n))


def changed(value: Any, path: tuple[Any, ...], change: Callable[[Any], Any]) -> Any:
    """The data with the value at this path changed."""
    if not path:
        new = change(value)
        return None if new is MISSING else new
    copy = dict(value) if isinstance(value, dict) else list(value)
    new = changed(copy[path[0]], path[1:], change) if len(path) > 1 else change(copy[path[0]])
    if new is MISSING:
        del copy[path[0]]
    else:
        copy[path[0]] = new
    return copy


def _draw_change(draw: Any, plain: Any, *, statement: bool = False) -> tuple[bool, Any]:
    """Draw a change of plain data; rows of our own statement keep their columns."""
    malformed = draw(st.booleans())
    _, change = draw(st.sampled_from(MALFORMED if malformed else STATED))
    found = [path for path in paths(plain) if not statement or len(path) > 1]
    if not found or (statement and change(0) is MISSING):
        return False, plain
    return malformed, changed(plain, found[draw(st.integers(0, len(found) - 1))], change)


def mutations(draw: Any, value: Any, secret: str) -> tuple[bool, Any]:
    """Draw a mutated answer. Returns: whether no working system gives it, and the answer."""
    if isinstance(value, list):  # rows of a database
        malformed, rows = _draw_change(draw, value, statement=True)
        return malformed, json_secret(rows, secret)
    data = value.data if isinstance(value, Answer | Reply) else b""
    way = draw(st.integers(0, 9))
    if way == 0:
        cut = draw(st.integers(0, max(0, len(data) - 1)))
        return True, replace(value, data=data[:cut])
    if way == 1:
        return True, replace(value, data=draw(st.sampled_from(BROKEN)))
    if way == 2 and isinstance(value, Answer):
        return True, replace(value, status=draw(st.sampled_from(STATUSES)))
    if way == 3 and isinstance(value, Answer):
        name = draw(st.sampled_from(HEADERS))
        return False, replace(value, headers={**value.headers, name: draw(st.sampled_from(VALUES))})
    try:
        plain = json.loads(data)
    except ValueError:
        return True, replace(value, data=data[::-1])
    malformed, new = _draw_change(draw, plain)
    text = json.dumps(new).replace(SECRET, secret)
    return malformed, replace(value, data=text.encode("utf-8", "surrogatepass"))


def json_secret(value: Any, secret: str) -> Any:
    """Rows with the secret where the mutation put its mark."""
    if isinstance(value, str):
        return value.replace(SECRET, secret)
    if isinstance(value, list):
        return [json_secret(each, secret) for each in value]
    if isinstance(value, dict):
        return {key: json_secret(each, secret) for key, each in value.items()}
    return value
