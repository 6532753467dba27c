"""The health document compared with the expected one.

Rules of this module:

- No answer from the service, or one that is not 2xx, is FAIL while the control address answers.
  When the control address does not answer either, the state is not known.
- 401, 403 and 429 are caused by our credential and our request rate, not by the service's health.
- A document that differs from the schema is FAIL, with the member, the expected and actual value.
- A cached answer, or one that hour24 cannot read, shows nothing.
- A timestamp is compared with our clock. When the answer's ``Date`` agrees with the document and
  not with us, one of two clocks is wrong: the control address's ``Date`` shows which.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

from msgspec import Struct

from hour24.documents import differences, pointer_to, show_value, value_at
from hour24.evidence import Document, Evidence
from hour24.objectives.base import Kinds, Objective, pick
from hour24.text import format_duration, format_number, join_some, parse_stated_time
from hour24.uptime import number_in, uptime_in
from hour24.verdict import Outcome, Scale, Verdict

EARLIEST_START = 946_684_800.0
"""1 January 2000, in epoch seconds: an earlier start means another unit, or no uptime."""


class HealthDocument(Objective, frozen=True, kw_only=True):
    """The health endpoint returns the expected document, freshly made.

    Args:
        schema: JSON Schema of the document.
        timestamp, uptime: JSON pointers to when it was made and for how long the process has run;
            "" where the document has none.
        started: JSON pointer to when the process started, instead of ``uptime``; "" for none.
        as_text: whether timestamp, uptime and started may be numbers as text.
        database: JSON pointer to the database's state; stored in the record, judged by the schema.
        fresh_s: largest difference between the timestamp and the time of the answer, in seconds.
    """

    needs: ClassVar[Kinds] = {"health": Document}
    may: ClassVar[Kinds] = {"control": Document}
    spared: ClassVar[Mapping[str, str]] = {
        "control": "it only shows on which side an answer was lost",
    }

    schema: dict[str, Any]
    timestamp: str = "/timestamp"
    uptime: str = "/uptime"
    database: str = "/database"
    fresh_s: float = 60.0
    started: str = ""
    as_text: bool = False

    def limit_text(self) -> str:
        if not self.timestamp:
            return "the expected document"
        return f"as expected, at most {self.fresh_s:g} s old"

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        document = pick(evidence, "health", Document)
        control = evidence.get("control")
        verdict = self._no_answer(document, control)
        if verdict is None:
            verdict = self._not_from_service(document)
        if verdict is None:
            verdict = self._wrong_document(document)
        if verdict is not None:
            return verdict
        if not self.timestamp:
            return self._pass(document, None)
        stated = value_at(document.body, self.timestamp)
        made = parse_stated_time(number_in(stated, as_text=self.as_text))
        if made is None:
            return self._differs([self._not_read(document, self.timestamp, "a time")])
        age = Age.of(document, made)
        if abs(age.ours_s) <= self.fresh_s:
            return self._pass(document, age)
        return self._stale(age, control)

    def _no_answer(self, document: Document, control: Evidence | None) -> Verdict | None:
        """The verdict when there was no usable answer; None when there was one."""
        attempts = attempts_text(document)
        if document.silent or document.status == 0:
            why = document.problem or "no answer"
            control_answered = control.status > 0 if isinstance(control, Document) else None
            if document.silent and control_answered is False:
                return self._inconclusive(
                    "no_network",
                    f"The service did not answer {attempts} ({why}), and neither did the control "
                    "address: our own network may be down",
                )
            if document.silent and control_answered is None:
                return self._inconclusive(
                    "no_control",
                    f"The service did not answer {attempts} ({why}), and the control address was "
                    "not asked, so it may be our own network",
                )
            contrast = (
                "while the control address answered"
                if control_answered
                else "though it had answered before"
            )
            return self._fail(
                "no_answer",
                f"The service did not answer {attempts} ({why}), {contrast}",
                "no answer",
            )
        if 200 <= document.status < 300:
            return None
        observed = f"HTTP {document.status}"
        if document.status in (401, 403):
            return self._inconclusive(
                "source_refused",
                f"The health endpoint answered {document.status} {attempts}: expected our "
                "credential to be accepted; see health.headers in production.toml",
                observed,
            )
        if document.status == 429:
            return self._inconclusive(
                "source_limited",
                f"The health endpoint answered 429 {attempts}: it rate-limits our requests, which "
                "says nothing about its health",
                observed,
            )
        says = differences_from(self.schema, document.body) if not document.problem else []
        return self._fail(
            "bad_status",
            f"The health endpoint answered {document.status} {attempts}: expected 2xx"
            + (f"; in its document, {join_some(says)}" if says else ""),
            observed,
        )

    def _not_from_service(self, document: Document) -> Verdict | None:
        """The verdict on a cached or unreadable answer; None for any other."""
        if document.cached:
            return self._inconclusive(
                "stale",
                f"A cache returned this answer ({document.cached}), {attempts_text(document)}: the "
                "service's current answer is not known; make the health endpoint return "
                "Cache-Control: no-store, or request it at its origin",
            )
        if document.not_taken:
            return self._inconclusive(
                "not_taken",
                f"The health endpoint answered {document.status}, but hour24 cannot read it: "
                f"{document.not_taken}",
            )
        return None

    def _wrong_document(self, document: Document) -> Verdict | None:
        """The verdict on a document that is not the expected one; None when it is."""
        if document.problem:
            return self._fail(
                "no_document",
                f"The health endpoint answered {document.status}, but {document.problem}",
                "no document",
            )
        found = differences_from(self.schema, document.body)
        pointer = self.started or self.uptime
        uptime = self._uptime(document)
        if pointer and (uptime is None or (uptime < 0 and not self.started)):
            expected = "a time" if self.started else "seconds of at least 0"
            if not any(each.startswith(f"{pointer}: expected") for each in found):
                found.append(self._not_read(document, pointer, expected))
        if found:
            return self._differs(found)
        if self.started and uptime is not None and uptime < -self.fresh_s:
            return self._inconclusive(
                "uptime_unit",
                f"The process would have started in the future, by {format_duration(-uptime)} "
                f"after this answer: expected seconds or milliseconds since the epoch, or ISO "
                f"8601, at health.started ({self.started})",
            )
        return None

    def _uptime(self, document: Document) -> float | None:
        """Seconds since the process started, by the document; None without."""
        return uptime_in(
            document.body,
            self.uptime,
            self.started,
            as_text=self.as_text,
            at=_answered_at(document).timestamp(),
        )

    def _not_read(self, document: Document, pointer: str, expected: str) -> str:
        """The difference of a member that is no time or no seconds, with the remedy if known."""
        value = value_at(document.body, pointer, None)
        remedy = ""
        if not self.as_text and number_in(value, as_text=True) is not value:
            remedy = "; if a number as text is right, set health.numbers_as_text = true"
        elif pointer == self.uptime and isinstance(value, str) and parse_stated_time(value):
            remedy = "; if it is when the process started, name it in health.started"
        return f"{pointer}: expected {expected}, got {_shown(document.body, pointer)}{remedy}"

    def _differs(self, differences: list[str]) -> Verdict:
        return self._fail(
            "schema",
            f"The health document differs from the expected one: {join_some(differences)}",
            differences[0].partition(":")[0] + " differs",
            {"differences": float(len(differences))},
        )

    def _stale(self, age: Age, control: Evidence | None) -> Verdict:
        """The verdict on a timestamp that does not agree with our clock."""
        by_server = age.server_s
        if by_server is None or abs(by_server) > self.fresh_s:
            third = _offset_s(control)
            if by_server is None and third is not None and abs(third) > self.fresh_s:
                return self._inconclusive(
                    "clock_skew",
                    f"The timestamp is {_age(age.ours_s)} by our clock, but that clock itself is "
                    f"{_offset_text(third)} the control address's: correct it",
                    _age(age.ours_s),
                )
            by = age.ours_s if by_server is None else by_server
            clock = "our clock" if by_server is None else "its own server's clock"
            return self._fail(
                "stale",
                f"The health document's timestamp is {_age(by)} by {clock}: expected at most "
                f"{self.fresh_s:g} s",
                _age(by),
                age.figures(),
                Scale(unit="s", limit=self.fresh_s, observed=abs(by)),
            )
        offset = age.ours_s - by_server
        third = _offset_s(control)
        if third is not None and abs(third) <= self.fresh_s:
            return self._fail(
                "stale",
                f"The health document's timestamp is {_age(age.ours_s)}: the service's clock is "
                f"{_offset_text(-offset)} ours, and the control address's clock agrees with ours",
                _age(age.ours_s),
                age.figures(),
                Scale(unit="s", limit=self.fresh_s, observed=abs(age.ours_s)),
            )
        third_clock = (
            "the control address's clock agrees with the service's, so ours is wrong: correct it"
            if third is not None and abs(third - offset) <= self.fresh_s
            else "without a third clock it is not known which one is wrong"
        )
        return self._inconclusive(
            "clock_skew",
            f"The health document is {_age(by_server)} by its own server's clock, and that clock "
            f"is {_offset_text(-offset)} ours; {third_clock}",
            _age(age.ours_s),
            age.figures(),
        )

    def _pass(self, document: Document, age: Age | None) -> Verdict:
        parts = ["The health endpoint returns the expected document"]
        figures = {"attempts": float(max(1, len(document.question.attempts)))}
        if age is not None:
            parts.append(f"its timestamp is {_age(age.ours_s)}")
            figures.update(age.figures())
        uptime = self._uptime(document)
        if uptime is not None:
            uptime = max(0.0, uptime)
            figures["uptime_s"] = uptime
            parts.append(f"the process has been up for {format_duration(uptime)}")
        attempts = document.question.attempts
        if len(attempts) > 1:
            before = ", ".join(each.result[:40] for each in attempts[:-1])
            parts.append(f"passed on attempt {len(attempts)}, after {before}")
        return Verdict(
            outcome=Outcome.PASS,
            reason="; ".join(parts),
            observed="as expected" if age is None else _age(age.ours_s),
            limit=self.limit_text(),
            scale=None
            if age is None
            else Scale(unit="s", limit=self.fresh_s, observed=abs(age.ours_s)),
            figures=figures,
        )

    def _fail(
        self,
        code: str,
        reason: str,
        observed: str,
        figures: dict[str, float] | None = None,
        scale: Scale | None = None,
    ) -> Verdict:
        return Verdict(
            outcome=Outcome.FAIL,
            code=code,
            reason=reason,
            observed=observed,
            limit=self.limit_text(),
            figures=figures or {},
            scale=scale,
        )

    def _inconclusive(
        self,
        code: str,
        reason: str,
        observed: str = "not measured",
        figures: dict[str, float] | None = None,
    ) -> Verdict:
        return Verdict(
            outcome=Outcome.INCONCLUSIVE,
            code=code,
            reason=reason,
            observed=observed,
            limit=self.limit_text(),
            figures=figures or {},
        )


class Age(Struct, frozen=True):
    """The age of a timestamp, in seconds; negative when it is in the future.

    Args:
        ours_s: by our clock at the time of the answer.
        server_s: by the answer's ``Date``, in whole seconds; None without one.
    """

    ours_s: float
    server_s: float | None

    @classmethod
    def of(cls, document: Document, made: datetime) -> Age:
        answered = _answered_at(document)
        server = document.server_date
        return cls(
            (answered - made).total_seconds(),
            None if server is None else (server - made).total_seconds(),
        )

    def figures(self) -> dict[str, float]:
        found = {"age_s": self.ours_s}
        if self.server_s is not None:
            found["age_by_server_s"] = self.server_s
        return found


def impossible_uptime(at: float, uptime_s: float) -> str:
    """Why no process can have this uptime at ``at`` (epoch seconds); empty when one can."""
    if at - uptime_s >= EARLIEST_START:
        return ""
    remedy = ""
    if uptime_s >= EARLIEST_START:
        remedy = "; if it is when the process started, name it in health.started"
    return (
        f"its uptime of {format_number(uptime_s)} cannot be in seconds: the process would have "
        f"started before the year 2000{remedy}"
    )


def differences_from(schema: Mapping[str, Any], body: Any) -> list[str]:
    """Each difference of ``body`` from ``schema`` once: ``/status: expected X, got Y``."""
    return [f"{pointer_to(each.path) or '/'}: {each.text()}" for each in differences(body, schema)]


def attempts_text(document: Document) -> str:
    """``in 3 attempts over 90 s``; ``in one attempt``."""
    attempts = document.question.attempts
    if len(attempts) < 2:
        return "in one attempt"
    over = (attempts[-1].at - attempts[0].at).total_seconds()
    return f"in {len(attempts)} attempts over {format_duration(over)}"


def _answered_at(document: Document) -> datetime:
    attempts = document.question.attempts
    sent = attempts[-1].at if attempts else document.question.at
    return sent + timedelta(milliseconds=document.took_ms)


def _offset_s(control: Evidence | None) -> float | None:
    """Our clock minus the control address's, in seconds; None when that sent no time."""
    if not isinstance(control, Document) or control.server_date is None:
        return None
    return (_answered_at(control) - control.server_date).total_seconds()


def _shown(body: Any, pointer: str) -> str:
    return show_value(value_at(body, pointer))


def _age(seconds: float) -> str:
    if seconds < -0.5:
        return f"{format_duration(-seconds)} in the future"
    return f"{format_duration(max(0.0, seconds))} old"


def _offset_text(seconds: float) -> str:
    """The offset of a clock to another: ``40 s ahead of``, ``2.0 h behind``."""
    return f"{format_duration(abs(seconds))} {'ahead of' if seconds > 0 else 'behind'}"
