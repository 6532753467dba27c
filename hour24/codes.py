"""Every code of a verdict: what it means, what to do, and what settles it.

Rules of this module:

- A verdict that is not PASS has a code, and every code that hour24 can write has one entry here;
  a test collects them from the source and names a code without an entry, or an entry without a
  code.
- Advice is one sentence, imperative. What it says to run is a command that exists.
- A FAIL sticks: only a waiver covers it, or a new watch after the fix. An INCONCLUSIVE is settled
  by what ``settled_by`` says.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from hour24.shipped import COMMAND

Of = Literal["FAIL", "INCONCLUSIVE", "either", "NOT_APPLICABLE"]
How = Literal["evidence", "attempt", "waiver", "watch"]
SETTLED_BY: dict[How, str] = {
    "evidence": "a later PASS over a window that holds this one",
    "attempt": "another attempt at this hour, which asks for the same window; or a waiver",
    "waiver": "only a waiver",
    "watch": "a watch that begins with hour 0",
}


class Code(Struct, frozen=True, kw_only=True):
    """One code of a verdict.

    Args:
        of: the outcome it stands with.
        means: what it says of production or of the measurement, one sentence.
        advice: what to do, one sentence.
        settled_by: what settles an INCONCLUSIVE verdict that has it.
        settles: the same in words, where ``SETTLED_BY`` is not exact enough.
        again: whether the same question, asked again, may well be answered.
        unjudged: whether a criterion that was due may have it without an objective.
    """

    of: Of
    means: str
    advice: str
    settled_by: How = "attempt"
    settles: str = ""
    again: bool = False
    unjudged: bool = False


def _fail(means: str, advice: str) -> Code:
    settles = "only a waiver, or a new watch after the fix"
    return Code(of="FAIL", means=means, advice=advice, settled_by="waiver", settles=settles)


def _open(
    means: str,
    advice: str,
    settled_by: How = "attempt",
    settles: str = "",
    *,
    again: bool = False,
    unjudged: bool = False,
) -> Code:
    return Code(
        of="INCONCLUSIVE",
        means=means,
        advice=advice,
        settled_by=settled_by,
        settles=settles,
        again=again,
        unjudged=unjudged,
    )


def _login(means: str, advice: str, *, again: bool = False) -> Code:
    return Code(of="either", means=means, advice=advice, again=again)


_LOGS = "Read the service's logs, from a minute before the first failure on."
_PROBER = "only a waiver for these hours; a prober from now on"

CODES: dict[str, Code] = {
    # more evidence settles these
    "too_early": _open(
        "Not enough time has passed to judge it.",
        "Wait: a later checkpoint settles it.",
        "evidence",
        "a later checkpoint whose window holds this one",
    ),
    "too_few_samples": _open(
        "There are too few samples for the confidence that the limit asks.",
        "Wait for more samples; where hour 24 still says so, send more probes or waive it.",
        "evidence",
    ),
    "too_little_traffic": _open(
        "There was too little traffic for the confidence that the limit asks.",
        "Wait for more traffic; where hour 24 still says so, send some or waive it.",
        "evidence",
    ),
    # the baseline
    "baseline_absent": _open(
        "There is nothing from hour 0 to compare with.",
        "Run hour 0 first: a watch without it has nothing to compare with.",
        "watch",
    ),
    "baseline_failed": _fail(
        "The system itself failed while the baseline was taken.",
        "Fix what failed, then open a new watch with `pytest -m hour0 --follows WATCH`.",
    ),
    "baseline_incomplete": _open(
        "A source did not give a measure that later checkpoints compare with.",
        f"Run `{COMMAND} doctor`, then run hour 0 again.",
    ),
    # the prober
    "coverage_too_low": _open(
        "Too little of the window was observed.",
        "Keep a prober running, on two machines if you can.",
        "waiver",
        _PROBER,
    ),
    "no_prober": _open(
        "No prober was running.",
        f"Start one: `{COMMAND} probe`.",
        "waiver",
        _PROBER,
    ),
    "sent_late": _open(
        "The prober sent its requests late: it was the bottleneck, not the service.",
        "Give the prober's machine more room.",
        "waiver",
        _PROBER,
    ),
    "no_network": _open(
        "Neither the service nor the control address answered: our own network may be down.",
        "Check our own network, then run the checkpoint again.",
        again=True,
    ),
    "no_control": _open(
        "The service did not answer, and no control address was asked.",
        "Set service.control_url, then run the checkpoint again.",
    ),
    # when it was asked
    "late": _open(
        "It exists only at the due time, and the run came too late.",
        "Run each checkpoint within its tolerance; waive this one.",
        "waiver",
        "only a waiver: what is true now cannot be asked for the past",
    ),
    "missed": _open(
        "The checkpoint was due and was not run.",
        "Run each checkpoint within its tolerance; waive this one.",
        "waiver",
        "only a waiver: the checkpoint was not run",
    ),
    # sources
    "source_error": _open(
        "The source gave no usable answer.",
        f"Run `{COMMAND} doctor`, then run the checkpoint again.",
    ),
    "source_unreachable": _open(
        "No connection to the source was possible.",
        f"Run `{COMMAND} doctor`, then run the checkpoint again.",
        again=True,
    ),
    "source_timeout": _open(
        "The source was too slow.",
        "Run the checkpoint again.",
        again=True,
    ),
    "source_refused": _open(
        "The source refused our credential, or it lacks a right.",
        f"Run `{COMMAND} doctor`: it names the credential or the right.",
    ),
    "source_limited": _open(
        "The source limited our requests (429).",
        "Wait a minute, then run the checkpoint again.",
        again=True,
    ),
    "source_failed": _open(
        "The source answered with a server error (5xx).",
        "Read its status page, then run the checkpoint again.",
        again=True,
    ),
    "source_misread": _open(
        "The source's answer makes no sense, or contradicts another one.",
        "Read the evidence on the page, then run the checkpoint again.",
        again=True,
    ),
    "source_incomplete": _open(
        "The source's answer is incomplete.",
        "Run the checkpoint again.",
        again=True,
    ),
    "source_lacks": _open(
        "The source does not offer this measure.",
        "Leave the criterion out in production.toml, with the reason.",
    ),
    "no_data": _open(
        "The source answered and has no data.",
        "Check that the source receives data, then run the checkpoint again.",
    ),
    "feed_silent": _open(
        "So few errors arrived that the error tracker may have stopped receiving them.",
        "Raise an error in the service, see it arrive there, then waive this.",
        "waiver",
        "only a waiver, once an error of the service was seen to arrive",
    ),
    "not_described": _open(
        "production.toml does not describe what this criterion asks.",
        "Describe it in production.toml, or leave the criterion out with the reason.",
        settles="another attempt at this hour, once it is described; or a waiver",
    ),
    # errors and logs
    "too_many_events": _fail(
        "Too many error events in one hour.",
        "Open the most frequent issues; roll back if they came with a deploy.",
    ),
    "new_issue": _fail(
        "An issue appeared that was not there before.",
        f"Open the issue and fix it, or classify it: `{COMMAND} classify`.",
    ),
    "critical_issue": _fail(
        "An issue of a critical class had events.",
        "Follow the escalation for its severity: roll back what blocks calls.",
    ),
    "unclassified": _open(
        "A frequent error belongs to no known class.",
        f"Say what the error is: `{COMMAND} classify`.",
        settles="another attempt at this hour, once it is classified; or a waiver",
    ),
    "beyond_limit": _fail(
        "The value is beyond its limit.",
        "Find the cause in the issues and the logs; roll back if it came with a deploy.",
    ),
    "rise": _fail(
        "The error rate rises.",
        "Find the issue that grows, before the rate reaches its limit.",
    ),
    "spike": _fail(
        "One hour had far more failed requests than the others.",
        "Read the logs and the issues of that hour.",
    ),
    "nothing_succeeded": _open(
        "Every request failed, so that no trend can be told.",
        "Read what the error rate says: it has failed.",
    ),
    "error_lines": _fail(
        "The logs hold ERROR messages of no normal class.",
        "Read the lines; fix their cause, or add a normal class in the next watch.",
    ),
    "pattern_repeats": _fail(
        "An error pattern repeats in the logs.",
        "Read the lines of the pattern and fix their cause.",
    ),
    "level_risen": _fail(
        "Watched words are more frequent in the logs than at hour 0.",
        "Read the lines that hold the word.",
    ),
    "too_many_lines": _open(
        "There are more log lines than a checkpoint reads.",
        "Reduce the log volume, or waive this.",
    ),
    "dropped": _fail(
        "The error tracker dropped events.",
        "Raise its quota or rate limit, or reduce what is sent.",
    ),
    "not_accepted": _fail(
        "The error tracker did not accept an event sent now.",
        "Check the DSN and the project's settings.",
    ),
    "not_stored": _fail(
        "The error tracker accepted an event and did not store it.",
        "Check the inbound filters and the quota of the project.",
    ),
    # health
    "no_answer": _fail(
        "The service did not answer, though the control address did.",
        _LOGS,
    ),
    "bad_status": _fail("The service answered with an error status.", _LOGS),
    "no_document": _fail(
        "The health endpoint's answer is no JSON document.",
        "Request the health address yourself and read its answer.",
    ),
    "schema": _fail(
        "The health document is not as agreed.",
        "Read which part of the document differs, then that part's own status.",
    ),
    "stale": Code(
        of="either",
        means="The health document is old: a cache gave it, or a clock is wrong.",
        advice="Let the health endpoint answer Cache-Control: no-store; check the service's clock.",
        again=True,
    ),
    "not_taken": _open(
        "Our own client cannot read an answer that a browser may.",
        "Let the health endpoint answer plain JSON of at most a megabyte.",
    ),
    "uptime_unit": _open(
        "The uptime does not grow by a second a second, so that it shows no restart.",
        "Name seconds since the process started in health.uptime, or leave the criterion out.",
    ),
    "uptime_subject": _open(
        "The uptime is not that of the deployed process.",
        "Name seconds since the process started in health.uptime, or leave the criterion out.",
    ),
    "clock_skew": _open(
        "Our own clock is off, so that the document's age is not known.",
        "Set the clock of this machine, then run the checkpoint again.",
    ),
    "health_failed": _fail("Health checks failed between the checkpoints.", _LOGS),
    # the process
    "restarted": _fail(
        "The service restarted, and no deploy was declared.",
        "Read the logs before the restart; if it was a deploy, declare it.",
    ),
    "no_beat": _fail(
        "No background job ran.",
        "Read the worker's logs; restart it if it hangs.",
    ),
    "gap": _fail(
        "Background jobs paused for too long.",
        "Read the worker's logs of that time.",
    ),
    "mixed_workers": _open(
        "Several workers seem to beat in one stream, so that one worker's stop would not show.",
        "Name the worker in jobs.pattern, as (?P<worker>...), then run the checkpoint again.",
    ),
    "leak": _fail(
        "Memory leaks.",
        "Compare with the last deploy, and roll back before the limit is reached.",
    ),
    "memory_high": _fail(
        "Memory is close to its limit.",
        "Raise the limit, or find what uses the memory.",
    ),
    "memory_higher": _fail(
        "Memory stays higher than it was during the watch.",
        "Look for a slow leak: compare the instances since their last start.",
    ),
    "mixed_instances": _open(
        "The memory is that of several instances in one line, which can hide a leak.",
        "Have the platform report memory for each instance, then run the checkpoint again.",
    ),
    "near_limit": _open(
        "Memory does not rise, and is above 90 % of its limit.",
        "Raise the limit, or find what uses the memory; then run the checkpoint again.",
    ),
    # latency
    "slow": _fail(
        "Responses are slower than their target.",
        "Open the slowest transactions; compare with the last deploy.",
    ),
    "slower": _fail(
        "The endpoint is slower than at hour 0.",
        "Compare the endpoint's transactions with those of hour 0.",
    ),
    "slower_tail": _fail(
        "The endpoint's slowest responses are slower than at hour 0.",
        "Open the slowest transactions of the endpoint.",
    ),
    # the database
    "database_down": _fail(
        "The health document says that the database is down.",
        "Read the database provider's status page, then the database's logs.",
    ),
    "services_unhealthy": _fail(
        "The database's provider calls one of its services unhealthy.",
        "Read the provider's status page and the project's dashboard.",
    ),
    "login_refused": _login(
        "The database refused our login: FAIL where the same login worked before.",
        f"Check the credential: `{COMMAND} doctor` names it.",
    ),
    "too_many_connections": _login(
        "The database has no free connection: FAIL where the same login worked before.",
        "Free a connection, then run the checkpoint again.",
        again=True,
    ),
    "not_accepting": _login(
        "The database is starting or stopping: FAIL where the same login worked before.",
        "Wait until it accepts connections, then run the checkpoint again.",
        again=True,
    ),
    "upstream_down": _login(
        "The pooler cannot reach its database: FAIL where the same login worked before.",
        "Read the database provider's status page, then run the checkpoint again.",
        again=True,
    ),
    "read_only": Code(
        of="either",
        means="The database takes no writes: a read-only mode, or a standby.",
        advice="Free disk and end the read-only mode; name the primary in database.dsn_env.",
    ),
    "slow_statement": _fail(
        "A statement is slow.",
        "Explain the statement, and add an index or a limit.",
    ),
    "statistics_reset": _open(
        "The statistics of statements were reset, and what was slow before is not known.",
        "Do not reset pg_stat_statements during a watch; waive this.",
        "waiver",
    ),
    "statistics_evicted": _open(
        "The database evicted statistics of statements, which may have been slow.",
        "Raise pg_stat_statements.max, and waive this.",
        "waiver",
    ),
    "pool_full": _fail(
        "Most connections are in use.",
        "Find who holds them in pg_stat_activity; raise the pool or its limit.",
    ),
    "idle_in_transaction": _fail(
        "A session holds a transaction open and does nothing.",
        "Find the session in pg_stat_activity; end it and fix its code.",
    ),
    "lock_wait": _fail(
        "A session waits for a lock for too long.",
        "Find who holds the lock in pg_locks; end that session if need be.",
    ),
    "disk_full": _fail(
        "The disk is close to full.",
        "Enlarge the disk, or delete what is not needed.",
    ),
    "disk_growing": _fail(
        "At its present growth the disk is soon full.",
        "Find the table that grows; enlarge the disk in time.",
    ),
    # the WebSocket
    "drops": _fail(
        "Too many WebSocket connections dropped.",
        "Read the service's logs at the times of the drops.",
    ),
    "closed_early": _open(
        "The server closed most connections normally before they could be observed.",
        "Hold them for a shorter time (websocket.hold_s), then run the checkpoint again.",
    ),
    # the sign-off
    "did_not_hold": Code(
        of="FAIL",
        means="A criterion that it rests on failed at some checkpoint.",
        advice="Fix it and open a new watch, or waive what failed and run hour 24 again.",
        settled_by="attempt",
        settles="another attempt at hour 24, once a waiver covers what failed",
    ),
    "unsettled": _open(
        "A criterion that it rests on could not be judged at some checkpoint.",
        "Settle or waive what is open, then run hour 24 again.",
        settles="another attempt at hour 24, once what it rests on is settled or waived",
    ),
    "nothing_judged": _open(
        "Everything that it rests on was left out.",
        "Leave this criterion out as well, with the reason.",
        settles="a watch in which it is left out by name",
    ),
    "nothing_measured": _open(
        "Everything that it rests on was waived, and no checkpoint measured it.",
        "Fix what kept it from being measured, or leave the criterion out.",
    ),
    # no verdict was reached
    "not_run": _open(
        "The criterion was due, and its test was not selected or not found.",
        "Run the whole checkpoint again.",
        again=True,
        unjudged=True,
    ),
    "interrupted": _open(
        "The run was interrupted.",
        "Run the checkpoint again.",
        again=True,
        unjudged=True,
    ),
    "timeout": _open(
        "The test did not end in time.",
        "Run the checkpoint again; if it hangs again, report it.",
        again=True,
        unjudged=True,
    ),
    "harness_error": _open(
        "hour24 or the test itself has a bug.",
        "Read the terminal's output, fix the test or report the bug, then run it again.",
        again=True,
        unjudged=True,
    ),
    "does_not_import": _open(
        "The test's file does not import.",
        "Fix the import error that the terminal shows, then run the checkpoint again.",
        unjudged=True,
    ),
    "skip_not_allowed": _open(
        "The test was skipped or marked as failing, which proves nothing.",
        "Remove the mark; leave a criterion out in production.toml, with the reason.",
        unjudged=True,
    ),
    "no_evidence": _open(
        "The test asserted without evidence.",
        "End the test with conclude(...), then run the checkpoint again.",
        unjudged=True,
    ),
    "not_recorded": _open(
        "The record does not hold a verdict that was due.",
        "Run the checkpoint again.",
    ),
    "unreadable": _open(
        "An attempt of this checkpoint cannot be read, and may hold a FAIL.",
        f"Restore the file from a copy; `{COMMAND} verify` names it.",
        settles="the file, restored from a copy; or a waiver",
    ),
    "not_applicable": Code(
        of="NOT_APPLICABLE",
        means="production.toml leaves the criterion out, with the reason.",
        advice="Read the reason, and remove the line once it no longer holds.",
        settles="nothing: it does not count",
    ),
}
"""Code -> what is said of it."""

SETTLED_BY_MORE_EVIDENCE = frozenset(
    name for name, one in CODES.items() if one.settled_by == "evidence"
)
"""Codes that a later PASS settles, over a window that contains this one."""
AGAIN = frozenset(name for name, one in CODES.items() if one.again)
"""Codes with which the same question, asked again, may well be answered."""
UNJUDGED = frozenset(name for name, one in CODES.items() if one.unjudged)
"""Codes under which a criterion that was due may stand without an objective."""


def settles(name: str) -> str:
    """What settles a verdict with this code, in words; of a code of your own, an attempt."""
    one = CODES.get(name)
    if one is None:
        return SETTLED_BY["attempt"]
    return one.settles or SETTLED_BY[one.settled_by]
