"""Judges a folder of labelled cases through the code that the criteria use.

    python benchmarks/judgement.py CASES OUT.json

Reads from each family only the fields that its README calls inputs; ids and file names are
opaque. Builds evidence, lets the objectives judge it, writes the verdicts for ``score.py`` of the
cases, and prints for each family: cases, verdicts, seconds. Labels next to the inputs are
read once the verdicts are written, to print how many were right, false alarms and misses.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import median, quantiles
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from hour24 import histogram  # noqa: E402  in this repository, not installed
from hour24.criteria.errors import EVENTS_PER_HOUR  # noqa: E402
from hour24.criteria.logs import REPEATS_PER_DAY, REPEATS_PER_HOUR  # noqa: E402
from hour24.evidence import (  # noqa: E402
    Block,
    Counts,
    Distribution,
    Evidence,
    Line,
    Listing,
    Probes,
    Question,
    Samples,
    Series,
    Uptime,
)
from hour24.objectives.beats import BeatsKept  # noqa: E402
from hour24.objectives.errors import EventsBelow  # noqa: E402
from hour24.objectives.latency import NotSlower, QuantileBelow  # noqa: E402
from hour24.objectives.logs import NoPattern  # noqa: E402
from hour24.objectives.memory import NoLeak  # noqa: E402
from hour24.objectives.rates import RateBelow  # noqa: E402
from hour24.objectives.restarts import NoRestart  # noqa: E402
from hour24.objectives.websocket import DropsBelow  # noqa: E402
from hour24.statistics import coverage, patterns, rates, restarts  # noqa: E402
from hour24.verdict import Outcome, Verdict  # noqa: E402
from hour24.watch import Window  # noqa: E402

Case = Mapping[str, Any]
Answer = dict[str, Any]

START = datetime(2026, 1, 1, tzinfo=UTC)
"""Where the cases' own clocks begin: a full hour, so that hours are calendar hours."""
DAY_S = 86400.0
HOUR_S = 3600.0
MINUTE_S = 60.0
BLOCK_S = 600.0
LATER_S = 3600.0
"""So long after a window it is asked about: all of its lines have arrived."""
HOURS = (4, 8, 12, 24)
OUTAGES_S = (5, 15, 30, 60, 120, 300)
SKETCHED = (0.5, 0.9, 0.95, 0.99, 0.999)
OMITTED = (0.5, 0.9, 0.99, 0.999)
LONGEST_S = 60.0
"""The budget for all families together."""


def at(seconds: float) -> float:
    """Return a case's time as epoch seconds."""
    return START.timestamp() + seconds


def asked(begin_s: float, end_s: float) -> Question:
    """The question that a case answers."""
    window = Window(START + timedelta(seconds=begin_s), START + timedelta(seconds=end_s))
    later = window.end + timedelta(seconds=LATER_S)
    return Question(source="case", asked="a case", at=later, window=window)


def rows(path: Path) -> Iterator[dict[str, str]]:
    """The rows of a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def number(text: str | None) -> float | None:
    """A cell; none when it is blank."""
    return float(text) if text else None


# --- the families -------------------------------------------------------------------------------


def error_rate(case: Case, _: Path) -> Answer:
    """Each window, each sum of windows since the first, and the watch as a whole."""
    name = "platform" if case.get("evidence") == "census" else "probe"
    below = RateBelow(limit=case["threshold"])

    def judged(windows: Sequence[Case]) -> Outcome:
        counted = Counts(
            question=asked(0, HOUR_S * windows[-1]["hour"]),
            basis="census" if name == "platform" else "sample",
            total=sum(each["n"] for each in windows),
            bad=sum(each["errors"] for each in windows),
            what="requests",
        )
        return below.judge({name: counted}).outcome

    windows = case["windows"]
    each = [judged([one]) for one in windows]
    sums = [judged(windows[: n + 1]) for n in range(len(windows))]
    failed = Outcome.FAIL in (*each, *sums)
    return {"windows": each, "cumulative": sums, "final": Outcome.FAIL if failed else sums[-1]}


def error_counts(case: Case, _: Path) -> Answer:
    """The fullest hours, and the minute at which a person is called."""
    moments = [at(MINUTE_S * minute) for minute, n in case["errors"] for _ in range(n)]
    events = Listing(
        question=asked(0, DAY_S),
        what="error events",
        items=tuple({"at": time_, "title": "an error"} for time_ in moments),
        seen=len(moments),
    )
    below = EventsBelow(per_hour=EVENTS_PER_HOUR)
    verdict = below.judge({"events": events})
    rolling = int(verdict.figures["rolling_hour"])
    minutes = round(DAY_S / MINUTE_S)
    errors = [0] * minutes
    for minute, n in case["errors"]:
        errors[minute] += n
    result = case["req_per_min"]
    requests = list(result) if isinstance(result, list) else [result] * minutes
    return {
        "calendar_hour_max": int(verdict.figures["worst_hour"]),
        "rolling60_max": rolling,
        "calendar": verdict.outcome,
        "rolling": Outcome.FAIL if rolling >= below.per_hour else Outcome.PASS,
        "escalate_min": rates.escalation(errors, requests),
    }


def memory(case: Case, folder: Path) -> Answer:
    """Hours 4 to 24, each with what was known by then."""
    measured = [
        (
            MINUTE_S * float(row["minute"]),
            number(row["mem_mb"]),
            number(row.get("load_rps")),
            number(row.get("uptime_s")),
            row.get("instance") or "",
        )
        for row in rows(folder / case["file"])
    ]
    return {str(hour): _memory(case, measured, hour).outcome for hour in HOURS}


def _memory(
    case: Case,
    measured: Sequence[tuple[float, float | None, float | None, float | None, str]],
    hour: int,
) -> Verdict:
    known = [row for row in measured if row[0] < HOUR_S * hour]
    readings = [(t, up, name) for t, _, _, up, name in known if up is not None]
    lives = restarts.incarnations(readings, MINUTE_S)
    named = any(name for *_, name in known)
    # one stream in which several processes take turns names none of them
    mixed = not named and restarts.most_alive(lives) > 1
    lines = []
    for name in sorted({row[4] for row in known}):
        own = [row for row in known if row[4] == name]
        labels = {} if mixed else {"instance": name or "the process"}
        lines.append(
            Line(
                times=tuple(at(row[0]) for row in own),
                values=tuple(row[1] for row in own),
                labels=labels,
            )
        )
    question = asked(0, HOUR_S * hour)
    first = {x.instance: x.start for x in reversed(lives)}
    begun = [x.start for x in lives if x.start > first[x.instance]]
    deploys = [HOUR_S * h for h in case.get("known_deploys_h") or () if h < hour]
    evidence: dict[str, Evidence] = {
        "memory": Series(question=question, unit="MB", lines=tuple(lines)),
        "deploys": _moments(question, begun, "finished"),
        "declared": _moments(question, deploys, "start"),
    }
    load = {at(row[0]): row[2] for row in known if row[2] is not None}
    if load:
        line = Line(times=tuple(load), values=tuple(load.values()))
        evidence["load"] = Series(question=question, unit="requests/s", lines=(line,))
    if case.get("limit_mb"):
        names = {line.labels.get("instance", "") for line in lines}
        evidence["limit"] = Series(
            question=question,
            unit="MB",
            lines=tuple(
                Line(times=(at(0),), values=(case["limit_mb"],), labels={"instance": name})
                for name in sorted(names)
            ),
        )
    return NoLeak(metric=case["metric"]).judge(evidence)


def _moments(question: Question, moments: Iterable[float], name: str) -> Listing:
    items = tuple({name: at(time_)} for time_ in sorted(moments))
    return Listing(question=question, what="deploys", items=items, seen=len(items))


def latency(case: Case, folder: Path) -> Answer:
    """The window against the baseline."""
    sides: dict[str, list[tuple[float, float]]] = {"window": [], "baseline": []}
    for row in rows(folder / case["file"]):
        sides[row["window"]].append((float(row["t_s"]), float(row["latency_ms"])))
    verdict = NotSlower().judge(
        {"now": _blocks(sides["window"], BLOCK_S), "baseline": _blocks(sides["baseline"], BLOCK_S)}
    )
    return {"": verdict.outcome}


def _blocks(samples: Iterable[tuple[float, float]], length_s: float) -> Distribution:
    parts: dict[int, list[float]] = {}
    for t, ms in samples:
        parts.setdefault(int(t // length_s), []).append(ms)
    blocks = tuple(
        Block(
            at(k * length_s), length_s, {str(i): n for i, n in histogram.count_values(ms).items()}
        )
        for k, ms in sorted(parts.items())
    )
    return Distribution(question=asked(0, DAY_S), basis="sample", unit="ms", blocks=blocks)


def quantile_limit(case: Case, _: Path) -> Answer:
    """A quantile against its limit."""
    limit = case["limit_ms"]
    values = case.get("samples") or [limit] * case["exceed"] + [0] * (case["n"] - case["exceed"])
    samples = Samples(
        question=asked(0, DAY_S),
        basis="sample",
        values=tuple(float(each) for each in values),
        unit="ms",
    )
    below = QuantileBelow(target_ms=limit, q=case["q"])
    return {"": below.judge({"samples": samples}).outcome}


def restart(case: Case, folder: Path) -> Answer:
    """Undeclared starts of a service that was probed."""
    read = [
        Uptime(at(float(row["t_s"])), float(row["uptime_s"]), row.get("instance") or "")
        for row in rows(folder / case["file"])
    ]
    times = [each.at for each in read]
    interval = median(b - a for a, b in pairwise(times))
    end = times[-1] - at(0)
    probes = Probes(
        question=asked(0, end),
        basis="sample",
        target="health",
        interval_s=interval,
        due=max(len(read), round(end / interval)),
        kept=len(read),
        gaps=tuple((a, b) for a, b in pairwise([at(0), *times]) if b - a > 1.5 * interval),
        uptimes=tuple(read),
    )
    declared = Listing(
        question=asked(0, end),
        what="deploys",
        items=tuple({"start": at(a), "end": at(b)} for a, b in case["deploy_windows_s"]),
    )
    objective = NoRestart(resolution_s=case["uptime_resolution_s"])
    evidence: dict[str, Evidence] = {"probes": probes, "declared": declared}
    starts = objective.starts(evidence).undeclared
    return {
        "verdict": objective.judge(evidence).outcome,
        "unexpected_starts": [round(each.start - at(0), 3) for each in starts],
    }


def heartbeat(case: Case, folder: Path) -> Answer:
    """Gaps between beats, by event time."""
    read = [
        (at(float(row["event_ts"])), number(row["ingest_ts"]))
        for row in rows(folder / case["file"])
    ]
    line = Line(
        times=tuple(t for t, _ in read),
        values=tuple(None if late is None else at(late) for _, late in read),
    )
    beats = Series(question=asked(*case["window_s"]), unit="s", lines=(line,))
    verdict = BeatsKept(every_s=case["period_s"]).judge({"beats": beats})
    return {"verdict": verdict.outcome, "gaps": int(verdict.figures.get("gaps", 1))}


def websocket(case: Case, _: Path) -> Answer:
    """The share of connections that ended abnormally."""
    held = Counts(
        question=asked(0, DAY_S),
        basis="sample",
        total=case["connections"],
        bad=case["abnormal_disconnects"],
        what="connections",
    )
    return {"": DropsBelow(limit=case["threshold"]).judge({"held": held}).outcome}


def covered(case: Case, _: Path) -> Answer:
    """The longest gap, and the chance that an outage was missed."""
    gaps = coverage.gaps(case["probe_times"], 0.0, case["T"])
    missed = {str(d): coverage.miss_probability(gaps, d, case["T"]) for d in OUTAGES_S}
    return {"max_gap_s": max(gaps), "p_miss": missed}


def sketch(case: Case, folder: Path) -> Answer:
    """Quantiles of a day from one histogram a minute, merged."""
    samples = (
        (MINUTE_S * float(row["minute"]), float(row["latency_ms"]))
        for row in rows(folder / case["file"])
    )
    whole = _blocks(samples, MINUTE_S).merged()
    return {str(q): histogram.quantile(whole, q) for q in SKETCHED}


def omission(case: Case, folder: Path) -> Answer:
    """Quantiles of latencies that count from when a request was due.

    Between ranks, since a few hundred raw values have far-off neighbours in their tail.
    """
    took = [float(row["done_s"]) - float(row["scheduled_s"]) for row in rows(folder / case["file"])]
    cuts = quantiles(took, n=1000, method="inclusive")
    return {str(q): cuts[round(1000 * q) - 1] for q in OMITTED}


def logs(case: Case, folder: Path) -> Answer:
    """Repeated ERROR patterns, and the group of every line."""
    result = []
    for text in (folder / case["file"]).read_text(encoding="utf-8").splitlines():
        stamp, _, message = text.partition(" ")
        result.append((datetime.fromisoformat(stamp).timestamp(), message))
    errors = tuple(
        {"at": time_, "message": message, "level": "error"}
        for time_, message in result
        if message.startswith("ERROR")
    )
    first, last = result[0][0], result[-1][0]
    window = Window(
        datetime.fromtimestamp(first, UTC), datetime.fromtimestamp(last, UTC) + timedelta(seconds=1)
    )
    question = Question(source="case", asked="a case", at=window.end, window=window)
    listing = Listing(question=question, what="ERROR lines", items=errors, seen=len(result))
    none_repeats = NoPattern(per_hour=REPEATS_PER_HOUR, per_day=REPEATS_PER_DAY)
    return {
        "verdict": none_repeats.judge({"lines": listing}).outcome,
        "groups": patterns.group_lines(message for _, message in result)[0],
    }


Family = tuple[Callable[[Case, Path], Answer], tuple[str, ...]]
FAMILIES: dict[str, Family] = {
    "error_rate": (error_rate, ("threshold", "windows", "evidence")),
    "error_counts": (error_counts, ("req_per_min", "errors")),
    "quantile_limit": (quantile_limit, ("samples", "n", "exceed", "q", "limit_ms")),
    "websocket": (websocket, ("connections", "abnormal_disconnects", "threshold")),
    "coverage": (covered, ("T", "probe_times", "timeout_s")),
    "memory": (memory, ("file", "metric", "limit_mb", "known_deploys_h")),
    "latency": (latency, ("file",)),
    "restart": (restart, ("file", "uptime_resolution_s", "deploy_windows_s")),
    "heartbeat": (heartbeat, ("file", "period_s", "window_s")),
    "sketch": (sketch, ("file",)),
    "omission": (omission, ("file",)),
    "logs": (logs, ("file",)),
}
"""Family -> who judges it, and the fields that are inputs."""


def inputs(folder: Path, name: str, fields: Sequence[str]) -> dict[str, Case]:
    """Id -> the input fields of each case of a family; nothing else is kept."""
    path = folder / name / f"{name}.json"
    if not path.exists():
        path = folder / "labels.json"
    result = json.loads(path.read_text(encoding="utf-8"))
    cases = result[name] if isinstance(result, dict) else result
    found = {
        case["id"]: {field: case[field] for field in fields if field in case} for case in cases
    }
    if name == "error_rate":
        kept = ("hour", "n", "errors")
        for case in found.values():
            case["windows"] = [{field: w[field] for field in kept} for w in case["windows"]]
    return found


# --- report -------------------------------------------------------------------------------------


def outcomes(answer: Any) -> Iterator[Outcome]:
    """Every verdict in an answer."""
    if isinstance(answer, Outcome):
        yield answer
    for each in answer.values() if isinstance(answer, dict) else ():
        yield from outcomes(each)
    for each in answer if isinstance(answer, list) else ():
        yield from outcomes(each)


def compared(folder: Path, verdicts: Mapping[str, Any]) -> dict[str, tuple[int, int, int, int]]:
    """Family -> verdicts with a label, right ones, false alarms, misses; empty without labels."""
    path = folder / "labels.json"
    if not path.exists():
        return {}
    labels = json.loads(path.read_text(encoding="utf-8"))
    found = {}
    for name, cases in labels.items():
        pairs = [
            pair
            for case in cases
            if case["id"] in verdicts.get(name, {})
            for pair in _pairs(name, case, verdicts[name][case["id"]])
        ]
        if pairs:
            wrong = [got for got, allowed in pairs if got not in allowed]
            alarms, missed = wrong.count("FAIL"), wrong.count("PASS")
            found[name] = (len(pairs), len(pairs) - len(wrong), alarms, missed)
    return found


def _pairs(name: str, label: Case, answer: Any) -> list[tuple[str, Sequence[str]]]:
    """Each verdict with those that its label allows; none where the label holds no answer."""
    match name:
        case _ if not {"allowed", "final_allowed", "count_verdict_calendar"} & set(label):
            return []
        case "error_rate":
            return [(answer["final"], label["final_allowed"])]
        case "error_counts":
            kinds = ("calendar", "rolling")
            return [(answer[kind], (label[f"count_verdict_{kind}"],)) for kind in kinds]
        case "memory":
            return [(answer[hour], allowed) for hour, allowed in label["allowed"].items()]
        case "latency" | "quantile_limit" | "websocket":
            return [(answer, label["allowed"])]
        case "restart" | "heartbeat" | "logs":
            return [(answer["verdict"], label["allowed"])]
    return []


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("cases", type=Path, help="a folder of cases")
    parser.add_argument("out", type=Path, help="where the verdicts go")
    options = parser.parse_args()
    verdicts: dict[str, dict[str, Any]] = {}
    lines: dict[str, str] = {}
    begun = time.perf_counter()
    for name, (judge, fields) in FAMILIES.items():
        start = time.perf_counter()
        cases = inputs(options.cases, name, fields)
        answers = {key: judge(case, options.cases) for key, case in cases.items()}
        verdicts[name] = {key: answer.get("", answer) for key, answer in answers.items()}
        counted = Counter(each.value for each in outcomes(list(answers.values())))
        result = " ".join(f"{counted[each.value]:4}" for each in list(Outcome)[:3])
        seconds = time.perf_counter() - start
        lines[name] = f"{name:15} {len(cases):6} {result} {seconds:7.2f}"
    took = time.perf_counter() - begun
    options.out.write_text(json.dumps(verdicts), encoding="utf-8")
    right = compared(options.cases, verdicts)
    print(f"{'family':15} {'cases':>6} PASS FAIL INC. {'s':>7}   right of labelled, alarms, misses")
    for name, line in lines.items():
        of, good, alarms, misses = right.get(name, (0, 0, 0, 0))
        rates = f"   {good} of {of}, {alarms} false alarms, {misses} misses" if of else ""
        print(line + rates)
    print(f"{took:.1f} s in all (at most {LONGEST_S:g})")
    return 1 if took > LONGEST_S else 0


if __name__ == "__main__":
    sys.exit(main())
