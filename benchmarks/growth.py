"""A checkpoint of a production with very much to read: 10,000 issues, 10,000 error lines.

    python benchmarks/growth.py [issues] [lines]

A proxy stands before the rehearsal's Sentry or Render. It answers their lists of issues and of
error lines itself, a hundred a page, in the form of the rehearsal's own rows; the rest it passes
on. Of the checkpoint: the wall time, the largest process, the record on disk, and how many
requests were sent.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.checkpoint import T0, Proxy, behind_proxies  # noqa: E402  not installed
from benchmarks.figures import Figure, load, tell  # noqa: E402  in the same folder

MANY = 10_000
PAGE = 100
HOUR = 4
PEAK_MIB = 150.0
RECORD_MB = 3.0
LINES_S = 15.0
PAGE_S = 0.15


def issues(proxy: Proxy, path: str, data: bytes) -> tuple[bytes, dict[str, str]] | None:
    """A page of 10,000 issues: copies of the first that the rehearsal has, each new and its own."""
    parts = urlsplit(path)
    if not parts.path.endswith("/issues/"):
        return None
    rows = json.loads(data)
    proxy.kept.setdefault("row", rows[0] if rows else None)
    first = int(parse_qs(parts.query).get("cursor", ["0"])[0].split(":")[0])
    page = [
        {
            **proxy.kept["row"],
            "id": str(70_000 + n),
            "shortId": f"API-{n}",
            "title": f"ValueError: order {n} has no total",
            "metadata": {"type": "ValueError", "value": f"order {n} has no total"},
        }
        for n in range(first, first + PAGE)
    ]
    more = first + PAGE < MANY
    link = (
        '<http://s/?cursor=0:0:1>; rel="previous"; results="false"; cursor="0:0:1", '
        f'<http://s/?cursor={first + PAGE}:0:0>; rel="next"; '
        f'results="{"true" if more else "false"}"; cursor="{first + PAGE}:0:0"'
    )
    return json.dumps(page).encode(), {"Link": link}


def lines(proxy: Proxy, path: str, data: bytes) -> tuple[bytes, dict[str, str]] | None:
    """A page of 10,000 ERROR lines spread over four hours; the newest lines stay."""
    parts = urlsplit(path)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    sought = query.get("level", "") + query.get("text", "")
    if parts.path != "/v1/logs" or "error" not in sought.lower():
        return None
    start, end = (datetime.fromisoformat(query[name]) for name in ("startTime", "endTime"))
    until = T0 + timedelta(hours=HOUR, minutes=-10)
    step = timedelta(hours=HOUR) / MANY
    begin = until - step * MANY
    first = max(0, -(-(start - begin) // step))
    last = min(MANY, max(0, (min(end, until) - begin) // step))
    labels = {"resource": query["resource"], "type": "app", "level": "error", "instance": "i-1"}
    page = [
        {
            "id": f"many-{n}",
            "message": f"ERROR order {n} has no total",
            "timestamp": (begin + step * n).isoformat().replace("+00:00", "Z"),
            "labels": [{"name": name, "value": value} for name, value in labels.items()],
        }
        for n in range(first, min(last, first + PAGE))
    ]
    following = (begin + step * (first + PAGE)).isoformat().replace("+00:00", "Z")
    body: dict[str, Any] = {
        "hasMore": first + PAGE < last,
        "nextStartTime": following,
        "nextEndTime": query["endTime"],
        "logs": page,
    }
    return json.dumps(body).encode(), {}


def measured(source: str, change: Any, delay_s: float) -> dict[str, float]:
    """Run hour 4 after hour 0 with one source's answers replaced."""
    from hour24.rehearsal.client import Rehearsal
    from hour24.rehearsal.run import PROCESS_EXITS, RunPlan, run_checkpoints

    with (
        tempfile.TemporaryDirectory(prefix="hour24-bench-") as name,
        Rehearsal.start(seed=1, faults=(), t0=T0) as started,
    ):
        folder = Path(name)
        served, proxies = behind_proxies(started, folder)
        reports = folder / "reports"

        def run(hour: int) -> float:
            begun = time.perf_counter()
            plan = RunPlan(t0=T0, hours=(hour,), reports=reports, watch="bench")
            for each in run_checkpoints(plan, served=served):
                if each.exit_code not in PROCESS_EXITS:
                    raise RuntimeError(f"hour {each.hour}: exit {each.exit_code}\n{each.output}")
            return time.perf_counter() - begun

        run(0)
        proxies[source].change = change
        proxies[source].delay_s = delay_s
        proxies[source].span_s()
        wall_s = run(HOUR)
        asked = len(proxies[source].asked)
        span_s = proxies[source].span_s()
        record = max(each.stat().st_size for each in reports.rglob(f"hour{HOUR:02d}*.json"))
    return {"wall": wall_s, "span": span_s, "asked": asked, "record": record / 1e6}


def peak_mib(source: str) -> tuple[dict[str, float], float]:
    """Measure in a process of its own, so that its children are the checkpoint's alone."""
    change, delay_s = (issues, 0.0) if source == "sentry" else (lines, PAGE_S)
    found = measured(source, change, delay_s)
    return found, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", nargs="*", metavar="issues | lines")
    options = parser.parse_args()
    chosen = options.what or ["issues", "lines"]
    os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")
    figures = [load()]
    if "issues" in chosen:
        found, most = peak_mib("sentry")
        figures += [
            Figure("10,000 issues: the largest process", most, "MiB", most=PEAK_MIB),
            Figure("10,000 issues: the record", found["record"], "MB", most=RECORD_MB),
            Figure("10,000 issues: the checkpoint", found["wall"], "s"),
            Figure("10,000 issues: requests to Sentry", found["asked"], ""),
        ]
    if "lines" in chosen:
        found, most = peak_mib("render")
        figures += [
            Figure("10,000 error lines, 0.15 s a page", found["span"], "s", most=LINES_S),
            Figure("10,000 error lines: the checkpoint", found["wall"], "s"),
            Figure("10,000 error lines: requests to Render", found["asked"], ""),
            Figure("10,000 error lines: the record", found["record"], "MB"),
        ]
    return tell(figures)


if __name__ == "__main__":
    sys.exit(main())
