"""Forgeries of a finished, healthy watch: what a liar does to its folder, and what gives it away.

Each forger takes the folder. Where it says so, it is a careful one, who seals everything after
the change again: the chain then holds, and something else must tell.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hour24.ledger import record as record_form
from hour24.ledger.book import Ledger
from tests.small_watch import by_hand, resealed

Forger = Callable[[Path], object]
Change = Callable[[dict[str, Any]], object]
H8, H12 = "hour08.a1.json", "hour12.a1.json"


# --- tools ----------------------------------------------------------------------------------------


def written(path: Path, text: str) -> None:
    path.chmod(0o600)
    path.write_text(text, "utf-8")


def read(folder: Path, file: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / file).read_text("utf-8"))
    return json.loads(json.dumps(record_form.with_evidence(found, file)))  # type: ignore[no-any-return]


def sealed(change: Change, *files: str) -> Forger:
    """Change these entries (every record, where none is named), and seal the chain again."""

    def forge(folder: Path) -> None:
        names = files or [path.name for path in folder.glob("hour*.a*.json")]
        resealed(folder, dict.fromkeys(names, change))

    return forge


def judged(content: dict[str, Any], name: str, subject: str = "") -> Iterator[dict[str, Any]]:
    for one in content.get("criteria", []):
        if one["id"] == name and subject in ("", one["subject"]):
            yield one


def on(name: str, change: Change, subject: str = "") -> Change:
    """Change every verdict on a criterion."""
    return lambda content: [change(one) for one in judged(content, name, subject)]


def put(**fields: Any) -> Change:
    return lambda content: content.update(fields)


def within(part: str, **fields: Any) -> Change:
    return lambda content: content[part].update(fields)


def without(name: str, subject: str = "") -> Change:
    def change(content: dict[str, Any]) -> None:
        gone = list(judged(content, name, subject))
        content["criteria"] = [one for one in content["criteria"] if one not in gone]

    return change


def all_of(*changes: Change) -> Change:
    return lambda content: [change(content) for change in changes]


def forgetful(forge: Forger) -> Forger:
    """The same, by one who throws the journals away."""

    def both(folder: Path) -> None:
        shutil.rmtree(folder / "journal")
        forge(folder)

    return both


# --- careless liars -------------------------------------------------------------------------------


def spaced(folder: Path) -> None:
    text = (folder / H8).read_text("utf-8")
    written(folder / H8, text.replace('"attempt":1', '"attempt": 1', 1))


def truncated(folder: Path) -> None:
    text = (folder / H8).read_text("utf-8")
    written(folder / H8, text[: len(text) // 2])


def removed(file: str) -> Forger:
    return lambda folder: (folder / file).unlink()


def copied(to: str) -> Forger:
    return lambda folder: shutil.copy(folder / H8, folder / to)


def unjournalled(folder: Path) -> None:
    (folder / "hour24.a1.json").unlink()
    path = folder / "journal" / "hour24.a1.jsonl"
    lines = path.read_text("utf-8").splitlines(keepends=True)
    written(path, "".join(line for line in lines if '"kind":"written"' not in line))


def reordered(folder: Path) -> None:
    content = read(folder, H12)
    content["previous"] = read(folder, H8)["previous"]
    written(folder / H12, json.dumps(content, sort_keys=True, separators=(",", ":")) + "\n")


# --- careful ones ---------------------------------------------------------------------------------


def earlier_evidence(folder: Path) -> None:
    """Hour 8 rests on what hour 4 saw."""
    before = read(folder, "hour04.a1.json")

    def change(content: dict[str, Any]) -> None:
        for one in judged(content, "ERRORS-RATE"):
            old = next(judged(before, "ERRORS-RATE"))
            one.update({key: old[key] for key in ("evidence", "figures", "reason")})

    forgetful(sealed(change, H8))(folder)


def renumbered(folder: Path) -> None:
    """The first attempt of hour 24 is gone, and the second one takes its place, journal and all."""
    first, second = folder / "hour24.a1.json", folder / "hour24.a2.json"
    content = read(folder, first.name)
    content["attempt"] = 2
    written(first, json.dumps(content))
    first.rename(second)
    old = folder / "journal" / "hour24.a1.jsonl"
    written(old, old.read_text("utf-8").replace('"attempt":1', '"attempt":2'))
    content["attempt"] = 1
    written(second, json.dumps(content))
    second.rename(first)
    resealed(folder, {})


def alerted(folder: Path) -> None:
    """People were notified of a second attempt, which is gone without a journal."""
    fields = {"at": Ledger(folder).records()[-1].ended, "by": "hour24", "because": "FAIL"}
    output = {"hour": 8, "attempt": 2, "addresses": 1, "problems": []}
    Ledger(folder).append("alert", {**fields, **output})


def waived(folder: Path, **fields: Any) -> None:
    """A waiver that is written now and says it was made at hour 8."""
    record = Ledger(folder).records(8)[0]
    said = {"by": "Mara Lind", "because": "known", "criterion": "DB-SLOW", "hour": 8}
    until = Ledger(folder).watch.whole.end
    by_hand(Ledger(folder), "waive", {"at": record.ended, "until": until, **said, **fields})


def another_t0(folder: Path) -> None:
    """All of it a day later, the evidence as it was."""
    days = {"2026-03-03": "2026-03-04", "2026-03-02": "2026-03-03", "2026-03-01": "2026-03-02"}
    moments = ("t0", "due", "started", "ended", "opened")

    def later(text: str) -> str:
        return f"{days[text[:10]]}{text[10:]}"

    def change(content: dict[str, Any]) -> None:
        content.update({key: later(content[key]) for key in moments if key in content})
        for each in [content, *content.get("criteria", [])]:
            if each.get("window"):
                each["window"] = {key: later(at) for key, at in each["window"].items()}

    forgetful(sealed(change, "watch.json", *(p.name for p in folder.glob("hour*.a*.json"))))(folder)


def no_rehearsal_any_more(folder: Path) -> None:
    """A record of a rehearsal among those of a production."""
    sealed(put(rehearsal={"seed": 1, "faults": []}), H12)(folder)


ALWAYS = {"name": "ValueBelow", "limit": 1e9}
"""Passes whatever it is given."""
SOLD = {
    "kind": "total", "value": 0.0, "unit": "x",
    "question": {"source": "render", "asked": "GET /", "at": "2026-03-02T14:00:00Z"},
}  # fmt: skip
SOLD_TO = {"objective": ALWAYS, "evidence": {"value": SOLD}, "figures": {"value": 0.0}}
FORGERIES: dict[str, tuple[Forger, str]] = {
    # the chain tells
    "a byte": (spaced, "hour08.a1.json: expected the bytes that files."),
    "half a record": (truncated, "hour08.a1.json: expected a JSON object"),
    "a record removed": (removed(H8), "expected hour08.a1.json, got no such file: it was removed"),
    "the beginning removed": (removed("watch.json"), "expected a watch, got no watch.json"),
    "a record twice": (copied("hour08.a2.json"), "hour08.a2.json: expected the attempt that"),
    "a record of another hour": (copied(H12), "hour12.a1.json: expected the attempt that its name"),
    "reordered": (reordered, "a fork"),
    # the file next to it says so
    "the end removed": (removed("hour24.a1.json"), "since its journal has it as written"),
    "the end removed, its journal cut": (unjournalled, "expected a record of 45 verdicts"),
    "attempts renumbered": (renumbered, "attempt: expected that of its journal (2), got 1"),
    "an attempt people were notified of": (alerted, "hour08.a2.json: expected it, since an alert"),
    "a reason": (
        sealed(on("DB-POOL", put(reason="all is well")), H8),
        "DB-POOL: expected the verdict of its journal, got another",
    ),
    "a start": (
        sealed(put(started="2026-03-02T14:00:40Z"), H8),
        "started: expected that of its journal",
    ),
    "the outcome of a record": (
        sealed(put(outcome="INCONCLUSIVE"), H8),
        "outcome: expected PASS, got INCONCLUSIVE",
    ),
    "a limit of production.toml": (
        forgetful(sealed(on("DB-POOL", within("objective", share=0.99)), H8)),
        "DB-POOL: share: expected that of hour00.a1.json (0.8), got 0.99",
    ),
    # completeness tells
    "a criterion": (forgetful(sealed(without("DB-POOL"), H8)), "DB-POOL: expected a verdict"),
    "a criterion and its plan": (
        forgetful(sealed(all_of(without("DB-POOL"), lambda r: r["plan"].pop("DB-POOL")))),
        "plan: expected DB-POOL at this hour, got none",
    ),
    "a criterion, its plan, another version": (
        forgetful(
            sealed(
                all_of(
                    without("DB-POOL"),
                    lambda r: r["plan"].pop("DB-POOL"),
                    within("vantage", version="0.0.9"),
                )
            )
        ),
        "plan: expected DB-POOL at this hour, got none",
    ),
    "an endpoint": (
        forgetful(sealed(without("LATENCY-TARGET", "calls"), H8)),
        "hour08.a1.json: LATENCY-TARGET calls: expected a verdict, got none",
    ),
    "an endpoint and its plan": (
        forgetful(
            sealed(
                all_of(
                    without("LATENCY-TARGET", "calls"),
                    lambda r: r["subjects"]["LATENCY-TARGET"].remove("calls"),
                )
            )
        ),
        "subjects: LATENCY-TARGET: expected assistants, calls, health, webhooks, got",
    ),
    "the plan of endpoints": (
        forgetful(sealed(put(subjects={}), H8)),
        "subjects: expected the subjects of each criterion, got none",
    ),
    "the look at all 24 hours": (
        forgetful(sealed(without("SIGNOFF-JOBS", "24 hours"), "hour24.a1.json")),
        "SIGNOFF-JOBS 24 hours: expected a verdict, got none",
    ),
    "left out": (
        forgetful(
            sealed(
                on(
                    "DB-POOL",
                    put(
                        outcome="NOT_APPLICABLE",
                        code="not_applicable",
                        reason="no pool",
                        objective=None,
                        evidence={},
                        figures={},
                    ),
                ),
                H8,
            )
        ),
        "DB-POOL: expected a verdict as in hour00.a1.json, got it disabled",
    ),
    # the plan clock tells
    "a window": (
        sealed(within("window", start="2026-03-02T13:00:00Z"), H8),
        "hour08.a1.json: window: expected",
    ),
    "the window of a verdict": (
        forgetful(sealed(on("JOBS-RUNNING", within("window", start="2026-03-02T13:00:00Z")), H8)),
        "JOBS-RUNNING: window: expected that of window here, got another",
    ),
    "evidence of another hour": (earlier_evidence, "ERRORS-RATE: evidence: expected it from"),
    "another T0": (another_t0, "evidence: expected it from 2026-03-03"),
    "an early run that counts not": (
        sealed(put(early=True), H8),
        "hour08.a1.json: early: expected False, got True",
    ),
    "an hour": (sealed(put(hours=[0, 24]), "watch.json"), "hour: expected one of (0, 24), got 4"),
    "a waiver of the past": (waived, "waive.1.json: expected it after hour24.a1.json"),
    "an end before the start": (
        sealed(put(ended="2026-03-02T13:00:00Z"), H8),
        "hour08.a1.json: ended: expected after 2026-03-02T14:00:00Z",
    ),
    # what was watched tells
    "an address": (
        sealed(within("watched", **{"health.url": "http://127.0.0.1:1/health"}), H8),
        "hour08.a1.json: health.url: expected http",
    ),
    "where it ran": (
        sealed(put(watched={}), H8),
        "hour08.a1.json: expected the addresses of production, got none",
    ),
    "another limit": (sealed(put(limits="5e" * 32), H8), "limits: expected those of hour 0"),
    "another file": (sealed(put(target="other.toml"), H8), "hour08.a1.json: target: expected"),
    "a rehearsal": (no_rehearsal_any_more, "hour12.a1.json: rehearsal: expected None"),
}

OF_A_VERDICT: dict[str, tuple[Forger, str]] = {
    # deriving again tells
    "an outcome": (
        forgetful(sealed(on("DB-POOL", put(outcome="FAIL", code="pool")), H8)),
        "DB-POOL: outcome: expected PASS by its evidence, got FAIL",
    ),
    "a figure": (
        forgetful(sealed(on("ERRORS-RATE", within("figures", failed=0.0, requests=1.0)), H8)),
        "ERRORS-RATE: figures: ",
    ),
    "evidence": (
        forgetful(sealed(on("HEALTH-ALWAYS", lambda j: j["evidence"]["probes"].update(kept=9)))),
        "HEALTH-ALWAYS: ",
    ),
    # the table of objectives tells
    "an objective that always holds": (
        forgetful(sealed(on("LATENCY-TARGET", lambda j: j.update(SOLD_TO)))),
        "LATENCY-TARGET calls: objective: expected QuantileBelow, got ValueBelow",
    ),
    "a limit, everywhere": (
        forgetful(sealed(on("ERRORS-RATE", within("objective", limit=0.5)))),
        "ERRORS-RATE: objective: RateBelow: limit: expected 0.01, got 0.5",
    ),
    "what a sign-off rests on": (
        forgetful(sealed(on("SIGNOFF-LATENCY", within("objective", criteria=["LATENCY-MOST"])))),
        "SIGNOFF-LATENCY: objective: HeldThroughout: criteria: expected",
    ),
}

OF_AN_APPROVAL: dict[str, tuple[Forger, str]] = {
    what: (sealed(put(**{what: to}), "signoff.json"), f"signoff.json: {what}: expected")
    for what, to in {
        "watch": "another",
        "release": "7c1e2fb",
        "entries": 9,
        "records": 8,
        "criteria": {"SIGNOFF-HEALTH": "PASS"},
        "waived": ["DB-POOL at hour 8, FAIL: waived by Mara Lind"],
        "settled": ["DB-POOL at hour 8, INCONCLUSIVE: settled by hour 12"],
        "left_out": ["DB-POOL: no pool"],
        "coverage": 1.5,
        "watched": {"health.url": "https://voice.example.org/health"},
        "moved": ["hour08.a1.json: health.url: expected a, got b"],
    }.items()
} | {
    "an early launch": (
        sealed(put(launch_at="2026-03-02T16:00:00Z"), "signoff.json"),
        "launch: expected at 2026-03-03 06:00Z or later, got 2026-03-02 16:00Z",
    ),
    "an early approval": (
        sealed(put(at="2026-03-02T16:00:00Z"), "signoff.json"),
        "signoff.json: expected it after hour24.a1.json",
    ),
    "an hour less": (removed("hour20.a1.json"), "it was removed"),
}
