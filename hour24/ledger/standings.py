"""The standing of every criterion at every checkpoint, over all attempts and waivers.

Rules of this module:

- Records that ran early, or over another window than that of the checkpoint, do not count.
- A FAIL stays: a later attempt of the same checkpoint does not erase it. A PASS replaces an
  INCONCLUSIVE of the same checkpoint, and both replace NOT_APPLICABLE.
- A verdict on the ledger itself is that of the newest attempt: the ledger keeps what it is about.
- INCONCLUSIVE for lack of evidence is resolved by a later PASS of the same property over a window
  that contains its own. INCONCLUSIVE for another reason needs a waiver.
- A source of cumulative counters that had no answer is resolved by a later PASS whose earlier
  reading was taken before the window of that answer began: the difference covers it.
- A past checkpoint without a record, or an unreadable attempt, is INCONCLUSIVE.
- A waiver counts until its end, for FAIL and INCONCLUSIVE alike; the outcome itself stays. It
  covers the outcome of the time it was made: an INCONCLUSIVE that a later attempt turns into a
  FAIL is not waived.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct, convert, structs

from hour24.codes import ASKED_AGAIN, SETTLED_BY_MORE_EVIDENCE
from hour24.criteria import CRITERIA, EIGHT, Criterion, database, own_criterion
from hour24.criteria.criterion import WHOLE
from hour24.ledger.record import Judged, Record
from hour24.verdict import Outcome, worst
from hour24.watch import Watch, Window

OF_COUNTERS = frozenset({database.SLOW.id})
"""Criteria that compare two readings of counters that only grow."""


class Standing(Struct, frozen=True, kw_only=True):
    """One criterion (of one subject) at one hour.

    Args:
        outcome: over all attempts that count; waivers and later evidence do not change it.
        attempt: number of the attempt with this verdict; 0 when there is none.
        settled_by: the later verdict that resolves it; empty when none does.
        waived_by: the person who waived it; empty when it is not waived.
        waived_until: when that waiver ends.
        known_from: since when this is the outcome (the end of the attempt that brought it, or the
            due time of a missed checkpoint); earlier waivers do not cover it.
        counted_from: when the earlier reading of its cumulative counters was taken, if it compares
            two.
    """

    id: str
    subject: str
    hour: int
    outcome: Outcome
    code: str = ""
    reason: str = ""
    settled_by: str = ""
    waived_by: str = ""
    waived_until: datetime | None = None
    known_from: datetime | None = None
    sentence: str = ""
    group: str = ""
    attempt: int = 0
    window: Window | None = None
    on_ledger: bool = False
    counted_from: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether it blocks the launch: FAIL or INCONCLUSIVE, not waived, not resolved."""
        bad = self.outcome in (Outcome.FAIL, Outcome.INCONCLUSIVE)
        return bad and not self.waived_by and not self.settled_by

    @property
    def effective(self) -> Outcome:
        """The outcome counting waivers and later evidence: waived or resolved is PASS."""
        return Outcome.PASS if self.waived_by or self.settled_by else self.outcome


class Waived(Struct, frozen=True, kw_only=True):
    """An outcome that a waiver names: of one subject at one hour, when the waiver was made.

    Args:
        attempt: number of the attempt with that verdict; 0 when there was none.
    """

    hour: int
    subject: str
    outcome: Outcome
    code: str
    attempt: int


class Waiver(Struct, frozen=True, kw_only=True):
    """A named person's acceptance of the outcomes of one criterion.

    Args:
        hour: none: at every checkpoint.
        subject: empty: of every subject.
        at: when it was made; none: after all outcomes it covers.
        covered: the outcomes it names; none: a waiver of an older format, which names no outcome
            and covers every outcome of the time it was made.
    """

    criterion: str
    by: str
    because: str
    until: datetime
    hour: int | None = None
    subject: str = ""
    at: datetime | None = None
    covered: tuple[Waived, ...] | None = None

    def covers(self, standing: Standing, now: datetime) -> bool:
        """Return whether it names this standing, was made after it was known, and has not ended."""
        known = standing.known_from
        if self.at is not None and known is not None and self.at < known:
            return False
        if self.covered is not None and not any(
            _is_same_outcome(one, standing) for one in self.covered
        ):
            return False
        return (
            self.criterion == standing.id
            and self.hour in (None, standing.hour)
            and self.subject in ("", standing.subject)
            and now < self.until
        )


def _is_same_outcome(waived: Waived, standing: Standing) -> bool:
    """Return whether the standing still has the waived outcome.

    An attempt that became unreadable may have a FAIL: a waiver of its former outcome, or of
    another attempt, does not cover that.
    """
    unreadable = "unreadable" in (waived.code, standing.code) and waived.code != standing.code
    return not unreadable and (waived.hour, waived.subject, waived.outcome) == (
        standing.hour,
        standing.subject,
        standing.outcome,
    )


def standings_of(
    watch: Watch,
    records: Iterable[Record],
    waivers: Sequence[Waiver],
    now: datetime,
    unreadable: Mapping[int, str] | None = None,
) -> tuple[Standing, ...]:
    """Return the standing of every criterion at every checkpoint so far.

    Args:
        records: all attempts, early ones too.
        unreadable: hours with an unreadable attempt, and why.
    Returns: by hour, then in the order of the plan.
    """
    kept = [record for record in records if _counts(watch, record)]
    by_hour = {hour: _attempts(kept, hour) for hour in watch.hours}
    plan = _plan(kept)
    newest = max((record.hour for record in kept), default=-1)
    found: list[Standing] = []
    for hour, attempts in by_hour.items():
        problem = (unreadable or {}).get(hour, "")
        due = watch.checkpoint(hour).due
        past = due + timedelta(seconds=watch.tolerance_s) < now
        if attempts:
            own = _of_hour(hour, attempts, plan)
        elif problem or hour < newest or past:
            absent = (_absent(one, hour, kept) for one in plan.values() if hour in one.hours)
            own = [structs.replace(one, known_from=due) for one in absent]
        else:
            continue
        found += [_as_unreadable(one, problem) for one in own] if problem else own
    resolved = [
        structs.replace(
            one, settled_by=_resolved_by(one, found) or _recounted_by(one, found, watch)
        )
        for one in found
    ]
    return tuple(_apply_waiver(one, waivers, now) for one in resolved)


def asked_again(standings: Iterable[Standing], before: int) -> dict[int, tuple[Standing, ...]]:
    """Return hour -> what another attempt at it may settle, as its source keeps history.

    Args:
        before: only earlier hours.
    """
    found: dict[int, tuple[Standing, ...]] = {}
    for one in standings:
        exists_later = one.window is not None and one.id not in EIGHT and one.attempt > 0
        if one.hour < before and one.is_open and one.code in ASKED_AGAIN and exists_later:
            found[one.hour] = (*found.get(one.hour, ()), one)
    return found


def outcome_of(standings: Iterable[Standing]) -> Outcome:
    """Return the worst outcome, counting waivers and later evidence; of none, INCONCLUSIVE."""
    return worst(standing.effective for standing in standings)


def _counts(watch: Watch, record: Record) -> bool:
    if record.early or record.hour not in watch.hours:
        return False
    return record.window == watch.checkpoint(record.hour).window


def _attempts(records: Iterable[Record], hour: int) -> list[Record]:
    return sorted((r for r in records if r.hour == hour), key=lambda record: record.attempt)


def _plan(records: Sequence[Record]) -> dict[str, Criterion]:
    """Return every criterion, custom ones included, with its hours over all records."""
    plan: dict[str, Criterion] = {}
    for record in sorted(records, key=lambda one: (one.hour, one.attempt)):
        by_id = {judged.id: judged for judged in record.criteria}
        for name, hours in record.plan.items():
            known = plan.get(name) or CRITERIA.get(name)
            judged = by_id.get(name)
            merged = tuple(sorted({*hours, *(plan[name].hours if name in plan else ())}))
            base = known or own_criterion(name, "", ())
            plan[name] = structs.replace(
                base,
                sentence=judged.sentence if judged else base.sentence,
                hours=merged,
                group=judged.group if judged else base.group,
            )
    ordered = {name: plan[name] for name in CRITERIA if name in plan}
    return {**ordered, **plan} if plan else dict(CRITERIA)


def _of_hour(
    hour: int, attempts: Sequence[Record], plan: Mapping[str, Criterion]
) -> list[Standing]:
    """Return the standings of one hour over its attempts, oldest first."""
    verdicts: dict[tuple[str, str], list[tuple[Record, Judged]]] = {}
    for record in attempts:
        own: dict[tuple[str, str], Judged] = {}
        for judged in record.criteria:  # the worst of several in one attempt
            key = (judged.id, judged.subject)
            own[key] = _worse(own[key], judged) if key in own else judged
        for key, judged in own.items():
            verdicts.setdefault(key, []).append((record, judged))
    found = [
        _over_attempts(hour, many)
        for (name, subject), many in verdicts.items()
        if subject or not _is_superseded(name, attempts)
    ]
    have = {standing.id for standing in found}
    missing = "it was due, but the record does not have it"
    found += [
        structs.replace(
            _no_verdict(one, hour, "not_recorded", missing), known_from=attempts[0].ended
        )
        for one in plan.values()
        if hour in one.hours and one.id not in have and _is_planned(one.id, hour, attempts)
    ]
    order = {name: number for number, name in enumerate(plan)}
    return sorted(found, key=lambda one: (order.get(one.id, len(order)), one.subject))


def _worse(one: Judged, other: Judged) -> Judged:
    return one if worst([one.outcome, other.outcome]) == one.outcome else other


def _is_planned(name: str, hour: int, attempts: Sequence[Record]) -> bool:
    return any(hour in record.plan.get(name, ()) for record in attempts)


def _is_superseded(name: str, attempts: Sequence[Record]) -> bool:
    """Return whether per-subject verdicts of another attempt supersede one without a subject."""
    groups = [[j for j in record.criteria if j.id == name] for record in attempts]
    nameless = [j for group in groups for j in group if not j.subject]
    if not all(j.objective is None for j in nameless):
        return False
    return any(group and all(j.subject for j in group) for group in groups)


def _over_attempts(hour: int, many: Sequence[tuple[Record, Judged]]) -> Standing:
    """Return one standing from the verdicts of all attempts, oldest first."""
    record, judged = _deciding(many)
    since = record.ended
    for last in range(len(many), 0, -1):  # back to the attempt that brought this outcome
        if _deciding(many[:last])[1].outcome != judged.outcome:
            break
        since = many[last - 1][0].ended
    return Standing(
        id=judged.id,
        subject=judged.subject,
        hour=hour,
        outcome=judged.outcome,
        code=judged.code,
        reason=judged.reason,
        sentence=judged.sentence,
        group=judged.group,
        attempt=record.attempt,
        known_from=since,
        window=judged.window,
        on_ledger=on_ledger(judged),
        counted_from=_counted_from(judged),
    )


def _counted_from(judged: Judged) -> datetime | None:
    """Return when the earlier of two readings of counters was taken; None without two."""
    before = judged.evidence.get("before", {}) if judged.id in OF_COUNTERS else {}
    if not before or before.get("kind") == "unanswered":
        return None
    return datetime.fromisoformat(before["question"]["at"])


def _deciding(many: Sequence[tuple[Record, Judged]]) -> tuple[Record, Judged]:
    """Return the verdict that counts after these attempts, with its record."""
    if on_ledger(many[-1][1]):
        return many[-1]
    order = (Outcome.FAIL, Outcome.PASS, Outcome.INCONCLUSIVE, Outcome.NOT_APPLICABLE)
    best = next(o for o in order if any(judged.outcome == o for _, judged in many))
    return next(one for one in reversed(many) if one[1].outcome == best)


def on_ledger(judged: Judged) -> bool:
    """Return whether this is a sign-off verdict that depends only on the ledger's standings."""
    return judged.id in EIGHT and set(judged.evidence) == {"standings"}


def _absent(criterion: Criterion, hour: int, records: Sequence[Record]) -> Standing:
    """Return a criterion's standing without a record; disabled if all records disable it."""
    elsewhere = [j for r in records for j in r.criteria if j.id == criterion.id]
    if elsewhere and all(j.outcome == Outcome.NOT_APPLICABLE for j in elsewhere):
        left_out = elsewhere[-1]
        return structs.replace(
            _no_verdict(criterion, hour, left_out.code, left_out.reason),
            outcome=Outcome.NOT_APPLICABLE,
        )
    return _no_verdict(criterion, hour, "missed", f"hour {hour} was due but was not run")


def _no_verdict(criterion: Criterion, hour: int, code: str, reason: str) -> Standing:
    return Standing(
        id=criterion.id,
        subject="",
        hour=hour,
        outcome=Outcome.INCONCLUSIVE,
        code=code,
        reason=reason,
        sentence=criterion.sentence,
        group=criterion.group,
    )


def _as_unreadable(standing: Standing, why: str) -> Standing:
    """Return the standing when another attempt of its hour, perhaps a FAIL, is unreadable."""
    if standing.outcome == Outcome.FAIL:
        return standing
    return structs.replace(
        standing, outcome=Outcome.INCONCLUSIVE, code="unreadable", reason=why, attempt=0
    )


def _resolved_by(standing: Standing, found: Sequence[Standing]) -> str:
    """Return the later PASS that resolves this one; empty when none does, or none may."""
    if standing.outcome != Outcome.INCONCLUSIVE or standing.window is None:
        return ""
    if standing.code not in SETTLED_BY_MORE_EVIDENCE:
        return ""
    for other in found:
        if other.outcome != Outcome.PASS or other.window is None or other.on_ledger:
            continue
        same = other.id == standing.id and other.subject == standing.subject
        whole = _whole_watch_of(other.id) == standing.id and other.subject in (
            {"", WHOLE} if not standing.subject else {standing.subject}
        )
        later = other.hour > standing.hour or (whole and other.hour == standing.hour)
        if (same or whole) and later and other.window.contains(standing.window):
            return f"hour {other.hour}" if same else f"{other.id} at hour {other.hour}"
    return ""


def _recounted_by(standing: Standing, found: Sequence[Standing], watch: Watch) -> str:
    """Return the later PASS with counters that began before the window of this missing answer."""
    missing = standing.outcome == Outcome.INCONCLUSIVE and standing.code in ASKED_AGAIN
    if not missing or standing.window is None or standing.id not in OF_COUNTERS:
        return ""
    latest = standing.window.start + timedelta(seconds=watch.tolerance_s)
    for other in found:
        later = other.id == standing.id and other.hour > standing.hour
        counted = other.counted_from is not None and other.counted_from <= latest
        if later and counted and other.outcome == Outcome.PASS:
            return f"hour {other.hour}"
    return ""


def _whole_watch_of(name: str) -> str:
    """Return the criterion whose property this one judges over the whole watch, if any."""
    return CRITERIA[name].settles if name in CRITERIA else ""


def _apply_waiver(standing: Standing, waivers: Sequence[Waiver], now: datetime) -> Standing:
    if standing.outcome not in (Outcome.FAIL, Outcome.INCONCLUSIVE):
        return standing
    for waiver in reversed(waivers):
        if waiver.covers(standing, now):
            return structs.replace(standing, waived_by=waiver.by, waived_until=waiver.until)
    return standing


def waiver_from(content: Mapping[str, Any]) -> Waiver:
    """Return the waiver of a ledger entry."""
    return Waiver(
        criterion=content["criterion"],
        by=content["by"],
        because=content["because"],
        until=datetime.fromisoformat(content["until"]),
        hour=content.get("hour"),
        subject=content.get("subject", ""),
        at=datetime.fromisoformat(content["at"]) if "at" in content else None,
        covered=convert(content["covered"], tuple[Waived, ...]) if "covered" in content else None,
    )
