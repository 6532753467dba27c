"""What must not be approved: changed limits, short plans, foreign records, waivers in advance."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from msgspec import structs, to_builtins

from hour24.checkpoint import killed
from hour24.criteria import Criterion
from hour24.errors import ConfigurationError, LedgerError
from hour24.evidence import Counts, Evidence, Unanswered
from hour24.ledger import journal, readiness, signoff, waivers
from hour24.ledger.book import Ledger
from hour24.ledger.standings import on_ledger, standings_of, waiver_from
from hour24.ledger.verify import verify
from hour24.objectives.base import Kinds, Objective
from hour24.verdict import Outcome, Verdict
from hour24.watch import Window
from tests import small_watch as small
from tests.small_watch import AFTER, WATCH, FewBad, counts, judged, record

SERVICE = {"name": "voice", "environment": "production", "release": "7c1e2fa"}
WORDS: dict[str, Any] = {"by": "Mara Lind", "because": "known", "until": "2026-02-01"}
OWN = Criterion(
    id="OWN-ONE",
    sentence="Ours holds",
    hours=(8, 12),
    group="Your own",
    span="now",
    means="value",
)


class Eased(Objective, frozen=True, kw_only=True):
    """Passes; its fields are those that may differ, and one that may not."""

    needs: ClassVar[Kinds] = {"counts": Counts}

    q: float = 0.99
    days: float = 7.0
    normal: tuple[str, ...] = ()
    critical: tuple[str, ...] = ()
    limit: float = 0.1

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        assert isinstance(evidence["counts"], Counts)
        return Verdict(outcome=Outcome.PASS, reason="it passes")


class WithBaseline(FewBad, frozen=True, kw_only=True):
    """The same with a baseline, which it does not judge."""

    may: ClassVar[Kinds] = {"before": Counts}


HEALTH_PROBED = small.HealthProbed()
TWO = ("calls", "health")


def missing(ledger: Ledger) -> tuple[str, ...]:
    return signoff.missing(Ledger(ledger.folder), AFTER)


def said(name: str, hour: int, objective: Objective, bad: int = 0) -> Any:
    return judged(name, hour, counts(hour, bad), objective)


def failed(hour: int, name: str = "DB-SLOW", **changes: Any) -> Any:
    return record(hour, judged(name, hour, counts(hour, 200)), **changes)


def test_a_clean_watch_may_be_approved(tmp_path: Path) -> None:
    """Nothing is missing, or the other tests would say nothing."""
    assert missing(small.whole(tmp_path)) == ()


# --- limits that stand in an objective ---------------------------------------------------------


def test_a_limit_in_an_objective_is_that_of_the_beginning(tmp_path: Path) -> None:
    """A wider one at hour 8 is reported with both values, though its verdict follows from it."""
    wide = record(8, said("ERRORS-RATE", 8, FewBad(limit=0.9), bad=200))
    assert missing(small.whole(tmp_path, hour8=wide)) == (
        "limits: hour08.a1.json: ERRORS-RATE: limit: "
        "expected that of hour00.a1.json (0.1), got 0.9",
    )


def test_another_objective_is_reported_by_name(tmp_path: Path) -> None:
    """One line, and none for the fields that the two do not share."""
    other = record(12, said("DB-POOL", 12, Eased()))
    assert missing(small.whole(tmp_path, hour12=other)) == (
        "limits: hour12.a1.json: DB-POOL: name: "
        "expected that of hour00.a1.json (FewBad), got Eased",
    )


def eased(hour: int, **fields: Any) -> Any:
    return record(hour, said("DB-SIZE", hour, Eased(**fields)))


def sized(reports: Path, **instead: Any) -> Ledger:
    start = {"hour0": eased(0, q=0.9, days=0.0)}
    rest = {f"hour{hour}": eased(hour) for hour in WATCH.hours if hour}
    return small.whole(reports, **{**start, **rest, **instead})


def test_classes_may_be_added_and_hour_0_is_easier(tmp_path: Path) -> None:
    """``classify`` changes ``normal`` and ``critical``; ``q`` and ``days`` are hour 0's own."""
    named = eased(8, normal=("resets",), critical=("leak",))
    assert missing(sized(tmp_path, hour8=named)) == ()


@pytest.mark.parametrize("field", ["q", "days"])
def test_what_is_hour_0s_own_is_the_same_from_hour_4_on(tmp_path: Path, field: str) -> None:
    """The value that was right at hour 0 is none at hour 16."""
    found = missing(sized(tmp_path, hour16=eased(16, **{field: 0.0})))
    got = {"q": 0.99, "days": 7.0}[field]
    assert found == (
        f"limits: hour16.a1.json: DB-SIZE: {field}: "
        f"expected that of hour04.a1.json ({got}), got 0.0",
    )


# --- the plan, the service --------------------------------------------------------------------


@pytest.mark.parametrize("hours", [(0, 24), (0, 4, 8, 12, 16, 24), (0, 4)])
def test_a_shorter_plan_is_not_approved(tmp_path: Path, hours: tuple[int, ...]) -> None:
    """It may run; what is missing names both plans."""
    ledger = small.watch_of(tmp_path, record(0), hours=hours)
    got = ", ".join(map(str, hours))
    wanted = f"checkpoints: expected checkpoints at hours 0, 4, 8, 12, 16, 20, 24, got {got}"
    assert wanted in missing(ledger)


@pytest.mark.parametrize(("key", "value"), [("name", "other"), ("environment", "staging")])
def test_a_record_of_another_service_is_foreign(tmp_path: Path, key: str, value: str) -> None:
    """Whatever it says, it says it of something else."""
    foreign = record(8, service={**SERVICE, key: value})
    assert missing(small.whole(tmp_path, hour8=foreign)) == (
        f"watch: hour08.a1.json: service.{key}: expected {SERVICE[key]}, got {value}",
    )


def test_the_release_may_change(tmp_path: Path) -> None:
    """A declared deploy brings another one."""
    assert (
        missing(small.whole(tmp_path, hour8=record(8, service={**SERVICE, "release": "2"}))) == ()
    )


def test_what_a_rehearsal_serves_is_no_production(tmp_path: Path) -> None:
    """Its own production.toml, given as a target, names the release of a rehearsal."""
    service = {**SERVICE, "release": "rehearsal"}
    ledger = small.watch_of(tmp_path, *map(record, WATCH.hours), service=service)
    assert missing(ledger) == (
        "release: expected that of a production, got 'rehearsal': this is a rehearsal",
    )


# --- waivers ----------------------------------------------------------------------------------


def waived(ledger: Ledger, at: datetime, **changes: Any) -> Path:
    """An entry as a person may have made it by hand."""
    fields = {"criterion": "DB-SLOW", "by": "Mara Lind", "because": "known", "at": at}
    until = AFTER + timedelta(days=9)
    return small.by_hand(ledger, "waive", {**fields, "until": until, **changes})


def ended(hour: int) -> datetime:
    return record(hour).ended


@pytest.mark.parametrize("hour", [None, 8])
def test_a_waiver_does_not_cover_what_came_after_it(tmp_path: Path, hour: int | None) -> None:
    """From the end of the attempt on it does; a second before it does not."""
    for late in (False, True):
        ledger = small.whole(tmp_path / str(late), hour8=failed(8))
        waived(ledger, ended(8) - timedelta(seconds=not late), hour=hour)
        lines = [line for line in missing(ledger) if line.startswith("DB-SLOW at hour 8: FAIL")]
        assert bool(lines) is not late


def test_a_waiver_for_every_hour_covers_those_that_were(tmp_path: Path) -> None:
    """Made after hour 8, it says nothing of hour 16, nor of a later attempt's new FAIL at 4."""
    again = failed(4, attempt=2, ended=ended(12))
    ledger = small.whole(tmp_path, hour8=failed(8), hour16=failed(16))
    ledger.write(again)
    waived(ledger, ended(8), hour=None)
    stands = {one.hour for one in Ledger(ledger.folder).standings(AFTER) if one.is_open}
    assert stands == {4, 16}


def test_a_second_attempt_leaves_a_waiver_in_force(tmp_path: Path) -> None:
    """It was made when the FAIL was there; the same FAIL again is no news."""
    ledger = small.watch_of(tmp_path, failed(8), failed(8, attempt=2, ended=ended(12)))
    waived(ledger, ended(8), hour=8)
    found = Ledger(ledger.folder).standings(ended(12))
    assert [one.waived_by for one in found if one.outcome == Outcome.FAIL] == ["Mara Lind"]


def without_data(hour: int, **changes: Any) -> Any:
    return record(hour, judged("DB-SLOW", hour, small.without_data(hour)), **changes)


@pytest.mark.parametrize("by_hand", [False, True])
def test_a_waiver_of_an_inconclusive_does_not_cover_a_later_fail(
    tmp_path: Path, by_hand: bool
) -> None:
    """Nor does one of an older form, which names no outcome; a new one of the FAIL does."""
    ledger = small.whole(tmp_path, hour8=without_data(8))
    if by_hand:
        waived(ledger, ended(8), hour=8)
    else:
        waivers.waive(Ledger(ledger.folder), "DB-SLOW", hour=8, now=AFTER, **WORDS)
    assert not any(line.startswith("DB-SLOW") for line in missing(ledger))
    end = ended(8) + timedelta(hours=1) if by_hand else AFTER + timedelta(minutes=5)
    Ledger(ledger.folder).write(failed(8, attempt=2, started=end, ended=end))
    assert [line for line in missing(ledger) if line.startswith("DB-SLOW at hour 8: FAIL")]
    later = AFTER + timedelta(minutes=10)
    waivers.waive(Ledger(ledger.folder), "DB-SLOW", hour=8, now=later, **WORDS)
    assert not any(line.startswith("DB-SLOW") for line in missing(ledger))


def test_a_waiver_names_what_it_covers(tmp_path: Path) -> None:
    """The outcome, its attempt and its code, for each hour that did not pass."""
    ledger = small.watch_of(
        tmp_path, without_data(0), record(4), without_data(8), failed(8, attempt=2)
    )
    waivers.waive(Ledger(ledger.folder), "DB-SLOW", now=ended(8), **WORDS)
    entry = next(e for e in Ledger(ledger.folder).entries() if e.kind == "waive")
    assert entry.content["covered"] == [
        {
            "hour": hour,
            "subject": "",
            "outcome": outcome,
            "code": code,
            "attempt": attempt,
        }
        for hour, outcome, code, attempt in (
            (0, "INCONCLUSIVE", "source_failed", 1),
            (8, "FAIL", "beyond_limit", 2),
        )
    ]


def test_a_waiver_does_not_cover_a_fail_that_was_recorded_late(tmp_path: Path) -> None:
    """`finalise` enters a killed attempt after the waiver, with the time at which it ended."""
    ledger = small.watch_of(tmp_path, without_data(8, attempt=2))
    waivers.waive(Ledger(ledger.folder), "DB-SLOW", hour=8, now=ended(8), **WORDS)
    Ledger(ledger.folder).write(failed(8))
    stands = [one for one in Ledger(ledger.folder).standings(ended(8)) if one.hour == 8]
    assert [one.waived_by for one in stands if one.id == "DB-SLOW"] == [""]


def test_a_waiver_does_not_cover_an_attempt_that_cannot_be_read(tmp_path: Path) -> None:
    """It may hold a FAIL; a waiver given since covers it."""
    ledger = small.watch_of(tmp_path, without_data(8))
    waivers.waive(Ledger(ledger.folder), "DB-SLOW", hour=8, now=ended(8), **WORDS)
    torn = {8: "hour08.a2.json cannot be read"}
    kept = Ledger(ledger.folder)
    given = [waiver_from(e.content) for e in kept.entries() if e.kind == "waive"]

    def covered(waivers_: Any) -> set[str]:
        found = standings_of(kept.watch, kept.records(), waivers_, ended(8), torn)
        return {one.waived_by for one in found if (one.id, one.hour) == ("DB-SLOW", 8)}

    assert covered(given) == {""}
    named = structs.replace(given[0].covered[0], code="unreadable", attempt=0)  # type: ignore[index]
    assert covered([structs.replace(given[0], covered=(named,))]) == {"Mara Lind"}


@pytest.mark.parametrize("late", [False, True])
def test_a_missed_checkpoint_is_waived_after_it_was_due(tmp_path: Path, late: bool) -> None:
    """Not before."""
    ledger = small.watch_of(tmp_path, record(0), record(8))
    waived(ledger, WATCH.checkpoint(4).due - timedelta(seconds=not late), hour=None)
    found = {one.hour: one for one in Ledger(ledger.folder).standings(ended(8)) if one.code}
    names = {
        one.waived_by
        for one in Ledger(ledger.folder).standings(ended(8))
        if (one.id, one.hour, one.code) == ("DB-SLOW", 4, "missed")
    }
    assert found[4].code == "missed"
    assert names == {"Mara Lind" if late else ""}


@pytest.mark.parametrize(
    ("records", "hour", "says"),
    [
        ((0, 4), None, "nothing to waive: DB-SLOW passed every checkpoint so far"),
        ((), None, "nothing to waive: DB-SLOW has not been judged yet"),
        ((0, 4), 8, "nothing to waive: DB-SLOW has not been judged at hour 8 yet"),
        ((0, 4), 4, "DB-SLOW: expected a FAIL or INCONCLUSIVE at hour 4, got PASS"),
    ],
)
def test_nothing_is_waived_in_advance(
    tmp_path: Path, records: tuple[int, ...], hour: int | None, says: str
) -> None:
    """What covers nothing now is refused, and not written."""
    ledger = small.watch_of(tmp_path, *map(record, records))
    now = ended(max(records, default=0))
    with pytest.raises(ConfigurationError) as refusal:
        waivers.waive(ledger, "DB-SLOW", now=now, hour=hour, **WORDS)
    assert str(refusal.value) == says
    assert all(entry.kind != "waive" for entry in ledger.entries())


@pytest.mark.parametrize(
    ("criterion", "hour", "says"),
    [
        ("DB-SLOW", 5, "--hour: expected one of 0, 4, 8, 12, 16, 20, 24, got 5"),
        (
            "DB-SLWO",
            None,
            "criterion: expected one of the watch's, got 'DB-SLWO'; did you mean DB-SLOW?",
        ),
        (
            "SIGNOFF-DATABASE",
            None,
            "SIGNOFF-DATABASE: expected a criterion that can be waived; the eight of the sign-off "
            "cannot: waive the checks it depends on, then run hour 24 again",
        ),
        (
            "SENTRY-RECEIVES",
            8,
            "--hour: expected an hour at which SENTRY-RECEIVES is due (0), got 8",
        ),
        (
            "ERRORS-COUNT",
            None,
            "nothing to waive: ERRORS-COUNT has no FAIL and no INCONCLUSIVE so far",
        ),
    ],
)
def test_what_cannot_be_waived_is_refused_with_the_reason(
    tmp_path: Path, criterion: str, hour: int | None, says: str
) -> None:
    left_out = structs.replace(judged("ERRORS-COUNT", 4), outcome=Outcome.NOT_APPLICABLE)
    four = record(4)
    kept = tuple(one for one in four.criteria if one.id != "ERRORS-COUNT")
    ledger = small.watch_of(tmp_path, structs.replace(four, criteria=(*kept, left_out)))
    with pytest.raises(ConfigurationError) as refusal:
        waivers.waive(ledger, criterion, now=ended(4), hour=hour, **WORDS)
    assert says in str(refusal.value).splitlines()
    assert all(entry.kind != "waive" for entry in ledger.entries())


def test_what_is_there_is_waived(tmp_path: Path) -> None:
    """For every checkpoint so far, by one word."""
    ledger = small.watch_of(tmp_path, record(0), failed(4))
    waivers.waive(ledger, "DB-SLOW", now=ended(4), **WORDS)
    assert not any(one.is_open for one in Ledger(ledger.folder).standings(ended(4)))


def test_a_production_without_recorded_addresses_is_not_approved(
    tmp_path: Path,
) -> None:
    """As those of an older hour24, or of a rehearsal that was made to look like a production."""
    records = [record(hour, watched={}) for hour in WATCH.hours]
    ledger = small.watch_of(tmp_path, *records, watched={})
    assert missing(ledger) == ("addresses: expected those of production in the records, got none",)


# --- who approves -----------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["", " ", "TODO", "<name>", "change-me", "..."])
def test_who_approves_is_a_person(tmp_path: Path, word: str) -> None:
    """A placeholder is not a person, and has no role."""
    ledger = small.whole(tmp_path)
    with pytest.raises(signoff.Refused) as refusal:
        signoff.sign(ledger, word, word, "", AFTER)
    got = repr(word.strip()) if word.strip() else "nothing"
    assert refusal.value.missing == (
        f'--by: expected the name of the person who approves, such as "Mara Example", got {got}',
        f'--role: expected the role of that person, such as "tech lead", got {got}',
    )
    assert not (ledger.folder / "signoff.json").exists()


# --- what rests on the ledger alone -------------------------------------------------------------


def test_an_own_criterion_on_standings_keeps_its_fail(tmp_path: Path) -> None:
    """Only the sign-off's eight are turned by a later attempt."""
    ledger = small.whole(tmp_path / "other", hour8=failed(8, "DB-POOL"))
    objective, evidence = small.held(12, ledger, "DB-POOL")
    bad = judged(OWN, 12, evidence, objective)
    other, same = small.held(12, ledger, "DB-SIZE")
    good = judged(OWN, 12, same, other)
    assert (bad.outcome, good.outcome) == (Outcome.FAIL, Outcome.PASS)
    plan = {**record(12).plan, OWN.id: (12,)}
    first = record(12, bad, plan=plan)
    second = record(12, structs.replace(good, objective=bad.objective), attempt=2, plan=plan)
    kept = small.watch_of(tmp_path, first, second).standings(AFTER)
    own = next(one for one in kept if one.id == OWN.id and one.hour == 12)
    assert (own.outcome, own.attempt, own.on_ledger) == (Outcome.FAIL, 1, False)
    assert on_ledger(structs.replace(bad, id="SIGNOFF-DATABASE"))


# --- what an honest record may hold ---------------------------------------------------------------


def wrong(ledger: Ledger) -> list[str]:
    """What ``verify`` says against a ledger, its verdicts apart."""
    return [one.says for one in verify(ledger.folder) if not one.ok and one.what != "verdicts"]


@pytest.mark.parametrize("minutes", [-240, -5, 5])
def test_a_prober_has_its_own_clock_and_may_have_stopped(tmp_path: Path, minutes: int) -> None:
    """Its last line may be of another minute than the checkpoint; another source's may not."""
    for source in ("prober", "render"):
        seen = small.probes(8)["probes"]
        at = seen.question.at + timedelta(minutes=minutes)
        question = structs.replace(seen.question, at=at, source=source)
        one = judged(
            "HEALTH-ALWAYS", 8, {"probes": structs.replace(seen, question=question)}, HEALTH_PROBED
        )
        ledger = small.watch_of(tmp_path / source, record(8, one))
        assert bool(wrong(ledger)) is (source != "prober")


@pytest.mark.parametrize("absent", ["answer", "window", "nothing"])
def test_a_baseline_alone_does_not_say_of_when_the_evidence_is(tmp_path: Path, absent: str) -> None:
    """An absent answer, or one without a period, leaves only the window of the day before."""
    now, before = counts(8)["counts"], counts(8)["counts"]
    day = timedelta(days=1)
    window = Window(WATCH.checkpoint(8).window.start - day, WATCH.checkpoint(8).window.end - day)
    before = structs.replace(before, question=structs.replace(before.question, window=window))
    question = structs.replace(now.question, window=window if absent == "nothing" else None)
    now = structs.replace(now, question=question)
    if absent == "answer":
        question = structs.replace(question, window=window)
        now = Unanswered(question=question, code="source_failed", reason="503")
    one = judged("SENTRY-FEED", 8, {"counts": now, "before": before}, WithBaseline())
    ledger = small.watch_of(tmp_path, record(8, one))
    assert bool(wrong(ledger)) is (absent == "nothing")


def endpoints(hour: int, *of: str, **changes: Any) -> Any:
    """A record that judges each of these endpoints, of the two that production.toml names."""
    watched = {**small.WATCHED, **{f"endpoints.{one}.url": "https://x" for one in TWO}}
    each = [judged("LATENCY-TARGET", hour, subject=one) for one in of]
    fields = {"watched": watched, "subjects": {"LATENCY-TARGET": TWO}, **changes}
    return record(hour, *each, **fields)


def killed_before(ledger: Ledger, ran: Any, *left: tuple[str, str]) -> Any:
    """The record, rebuilt from its journal, of a run that was killed before these verdicts."""
    path = ledger.folder / "journal" / f"hour{ran.hour:02d}.a1.jsonl"
    lines = journal.Journal(path)
    not_run = {"outcome": Outcome.INCONCLUSIVE, "code": "not_run", "subject": ""}
    nothing = {"objective": None, "evidence": {}, "figures": {}}
    due = {one.id: structs.replace(one, **not_run, **nothing) for one in ran.criteria}
    begun = structs.replace(ran, criteria=tuple(due.values()))
    lines.write({"kind": "begin", "record": to_builtins(begun)})
    for one in ran.criteria:
        if (one.id, one.subject) not in left:
            lines.write({"kind": "judged", "judged": to_builtins(one)})
    lines.close()
    return killed.finalise(ledger, path)


@pytest.mark.parametrize("whole", ["", "24 hours"])
def test_a_run_killed_between_two_endpoints_misses_none(tmp_path: Path, whole: str) -> None:
    """The other one, or the other half of a sign-off's, stands as INCONCLUSIVE."""
    subjects = {"LATENCY-TARGET": TWO, "SIGNOFF-HEALTH": ("", "24 hours")}
    ran = endpoints(24, *TWO, subjects=subjects)
    ledger = small.watch_of(tmp_path, watched=ran.watched)
    left = (("LATENCY-TARGET", "health"), ("SIGNOFF-HEALTH", whole))
    rebuilt = killed_before(ledger, ran, *left)
    assert wrong(ledger) == []
    absent = [one for one in rebuilt.criteria if (one.id, one.subject) in left]
    assert [(one.outcome, one.code) for one in absent] == [
        (Outcome.INCONCLUSIVE, "interrupted")
    ] * 2
    stands = {(one.id, one.subject) for one in ledger.standings(AFTER) if one.code == "interrupted"}
    assert stands == {*left}


# --- a watch that an older version began ----------------------------------------------------------


def test_an_approval_by_an_older_version_still_holds(tmp_path: Path) -> None:
    """Neither its records nor itself say where production was found; a newer one must."""
    for newer in (False, True):
        records = [record(hour, watched={}) for hour in WATCH.hours]
        ledger = small.watch_of(tmp_path / str(newer), *records, watched={})
        output = readiness.summary(ledger, AFTER)
        if not newer:
            output = {what: one for what, one in output.items() if what not in ("watched", "moved")}
        ledger.append("signoff", {"at": AFTER, "by": "Mara Lind", "role": "CTO", **output})
        assert [line.split(", got: ")[1][:9] for line in wrong(ledger)] == ["addresses"] * newer


def test_an_older_version_may_have_begun_what_this_one_goes_on_with(tmp_path: Path) -> None:
    """Before the first record with addresses and endpoints they may be absent; after it not."""
    old = [endpoints(hour, *TWO, watched={}, subjects={}) for hour in (0, 4)]
    ledger = small.watch_of(tmp_path, *old, endpoints(8, *TWO), watched={})
    assert wrong(ledger) == []
    ledger.write(endpoints(12, *TWO, watched={}, subjects={}))
    assert wrong(ledger) == [
        "hour12.a1.json: subjects: expected the subjects of each criterion, got none",
        "hour12.a1.json: expected the addresses of production, got none",
    ]


# --- clocks of several machines -------------------------------------------------------------------


@pytest.mark.parametrize("minutes", [9, 11])
def test_clocks_may_differ_by_ten_minutes(tmp_path: Path, minutes: int) -> None:
    """What is older is not written, as no ledger holds that has it."""
    ledger = small.watch_of(tmp_path, record(0))
    fields = {"at": ended(0) - timedelta(minutes=minutes), "by": "hour24", "because": "FAIL"}
    fields |= {"addresses": 1, "problems": []}
    if minutes == 11:
        with pytest.raises(LedgerError, match=r"alert.1.json: at: expected after hour00.a1.json"):
            ledger.append("alert", fields)
        assert len(ledger.entries()) == 2
        small.by_hand(ledger, "alert", fields)
    else:
        ledger.append("alert", fields)
    assert bool(wrong(Ledger(ledger.folder))) is (minutes == 11)


def test_a_waiver_by_a_clock_that_is_behind_says_so(tmp_path: Path) -> None:
    """Nothing was recorded yet, as that machine sees it."""
    ledger = small.watch_of(tmp_path, failed(4))
    with pytest.raises(ConfigurationError) as refusal:
        waivers.waive(ledger, "DB-SLOW", now=ended(4) - timedelta(minutes=3), hour=4, **WORDS)
    assert str(refusal.value) == (
        "DB-SLOW: it was recorded at 2025-12-21T15:17:09Z, this machine's clock says "
        "2025-12-21T15:14:09Z"
    )


def test_a_rollback_does_not_wait_for_a_clock(tmp_path: Path) -> None:
    """It is written down, however far behind the machine is that does it."""
    ledger = small.watch_of(tmp_path, record(8))
    start = ended(0).timestamp()
    said = {"at": ended(0), "by": "Mara Lind", "because": "FAIL", "start": start, "end": None}
    said |= {"way": "platform", "from_deploy": "dep-2", "to_deploy": "dep-1", "result": "begun"}
    assert ledger.append("rollback", said).exists()
