"""Every code of a verdict: what it means, what to do, and what resolves it.

Rules of this module:

- A verdict that is not PASS has a code, and every code that hour24 can write has one entry here;
  a test collects them from the source and names a code without an entry, or an entry without a
  code.
- Advice is one sentence, imperative. What it says to run is a command that exists.
- A FAIL stays: only a waiver covers it, or a new watch after the fix. ``settled_by`` defines what
  resolves an INCONCLUSIVE.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from hour24.shipped import COMMAND

Of = Literal["FAIL", "INCONCLUSIVE", "either", "NOT_APPLICABLE"]
How = Literal["evidence", "attempt", "waiver", "watch"]
SETTLED_BY: dict[How, str] = {
    "evidence": "a later PASS over a window that includes this one",
    "attempt": "another attempt at this hour, for the same window; or a waiver",
    "waiver": "only a waiver",
    "watch": "a watch that begins with hour 0",
}


class Code(Struct, frozen=True, kw_only=True):
    """One code of a verdict.

    Args:
        of: the outcome that it comes with.
        means: what it says about production or the measurement, one sentence.
        advice: what to do, one sentence.
        settled_by: what resolves an INCONCLUSIVE verdict with this code.
        settles: the same in words, where ``SETTLED_BY`` is not precise enough.
        again: True if a retry may succeed.
        unjudged: True if a due criterion may have it without an objective.
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


_LOGS = "Read the service's logs, starting one minute before the first failure."
_PROBER = "only a waiver for these hours; a prober from now on"

CODES: dict[str, Code] = {
    # more evidence resolves these
    "too_early": _open(
        "Not enough time has passed to judge it.",
        "Wait: a later checkpoint resolves it.",
        "evidence",
        "a later checkpoint with a window that includes this one",
    ),
    "too_few_samples": _open(
        "There are too few samples for the required confidence.",
        "Wait for more samples; if hour 24 still has too few, send more probes or waive it.",
        "evidence",
    ),
    "too_little_traffic": _open(
        "There was too little traffic for the required confidence.",
        "Wait for more traffic; if hour 24 still has too little, send some or waive it.",
        "evidence",
    ),
    # the baseline
    "baseline_absent": _open(
        "There is nothing from hour 0 to compare with.",
        "Run hour 0 first: a watch without hour 0 has no baseline.",
        "watch",
    ),
    "baseline_short": _open(
        "The log does not reach back far enough to say whether an error is new.",
        f"Check whether it is older, and classify it with `{COMMAND} classify ISSUE WATCH`; "
        "or waive it.",
    ),
    "baseline_failed": _fail(
        "The system itself failed while the baseline was taken.",
        "Fix what failed, then open a new watch with `pytest -m hour0 --follows WATCH`.",
    ),
    "baseline_incomplete": _open(
        "A source did not provide a measure that later checkpoints compare with.",
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
        f"Start one: `{COMMAND} probe --watch WATCH`.",
        "waiver",
        _PROBER,
    ),
    "sent_late": _open(
        "The prober sent its requests late: it was the bottleneck, not the service.",
        "Give the prober's machine more CPU, or a machine of its own.",
        "waiver",
        _PROBER,
    ),
    "no_network": _open(
        "Neither the service nor the control address answered: your own network may be down.",
        "Check your own network, then run the checkpoint again.",
        again=True,
    ),
    "no_control": _open(
        "The service did not answer, and no control address is configured.",
        "Set service.control_url, then run the checkpoint again.",
    ),
    # time of the run
    "late": _open(
        "It can only be measured when it is due; the run was late, and it was not asked then.",
        f"Keep a prober running (`{COMMAND} probe --watch WATCH`): it asks when a checkpoint is "
        "due; waive this.",
        "waiver",
        "only a waiver: it cannot be measured retroactively",
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
        "The source could not be reached.",
        f"Run `{COMMAND} doctor`, then run the checkpoint again.",
        again=True,
    ),
    "source_timeout": _open(
        "The source did not answer in time.",
        "Run the checkpoint again.",
        again=True,
    ),
    "source_refused": _open(
        "The source refused the credential, or the credential lacks a permission.",
        f"Run `{COMMAND} doctor`: it names the credential or the permission.",
    ),
    "source_limited": _open(
        "The source rate-limited the requests (429).",
        "Wait a minute, then run the checkpoint again.",
        again=True,
    ),
    "source_failed": _open(
        "The source answered with a server error (5xx).",
        "Read its status page, then run the checkpoint again.",
        again=True,
    ),
    "source_misread": _open(
        "The source's answer is implausible, or contradicts another one.",
        "Read the evidence on the page, then run the checkpoint again.",
        again=True,
    ),
    "source_clock": _open(
        "The clock of this machine and that of a source differ, so their windows differ too.",
        "Compare both with the time, correct the wrong one, then run the checkpoint again.",
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
        "The source returned no data.",
        "Check that the source receives any data, then run the checkpoint again.",
    ),
    "feed_silent": _open(
        "So few errors arrived that the error tracker may have stopped receiving them.",
        "Raise an error in the service, check that it arrives, then waive this.",
        "waiver",
        "only a waiver, once an error of the service has arrived",
    ),
    "not_described": _open(
        "production.toml does not describe what this criterion needs.",
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
        f"Open the issue and fix it, or classify it: `{COMMAND} classify ISSUE WATCH`.",
    ),
    "critical_issue": _fail(
        "An issue of a critical class had events.",
        "Follow the escalation for its severity: roll back what blocks calls.",
    ),
    "unclassified": _open(
        "A frequent error belongs to no known class.",
        f"Say what the error is: `{COMMAND} classify ISSUE WATCH`.",
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
        "Every request failed, so there is no trend.",
        "Read the result of the error rate check: it has failed.",
    ),
    "error_lines": _fail(
        "The logs contain ERROR messages that are not known-normal.",
        "Read the lines; fix their cause, or classify them as known-normal in the next watch.",
    ),
    "pattern_repeats": _fail(
        "An error pattern repeats in the logs.",
        "Read the lines of the pattern and fix their cause.",
    ),
    "level_risen": _fail(
        "Watched words are more frequent in the logs than at hour 0.",
        "Read the lines that contain the word.",
    ),
    "levels_unknown": _open(
        "The level of too many log lines was not recognised, so an error may be among them.",
        "Log each line with its level, or state in production.toml what lines without one are "
        '(`without_level = "info"`).',
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
    "certificate_invalid": _fail(
        "Clients that check certificates refuse the service's.",
        "Renew it, send its whole chain, or serve the certificate of this host; then check with "
        "`openssl s_client -connect HOST:443 -servername HOST`.",
    ),
    "certificate_expires": _fail(
        "A certificate ends too soon after the launch.",
        "Renew it now, or find out why its renewal failed.",
    ),
    "certificate_unseen": _open(
        "No TLS connection to an address of the service came about, so its certificate is unknown.",
        "Check the address and its port from the machine that runs hour24.",
    ),
    "no_answer": _fail(
        "The service did not answer, though the control address did.",
        _LOGS,
    ),
    "bad_status": _fail("The service answered with an error status.", _LOGS),
    "no_document": _fail(
        "The health endpoint did not return a JSON document.",
        "Request the health address yourself and read its answer.",
    ),
    "schema": _fail(
        "The health document differs from the expected one.",
        "Read which part of the document differs, then that part's own status.",
    ),
    "stale": Code(
        of="either",
        means="The health document is old: a cache returned it, or a clock is wrong.",
        advice="Make the health endpoint return Cache-Control: no-store; check its clock.",
        again=True,
    ),
    "not_taken": _open(
        "hour24 cannot read an answer that a browser may be able to read.",
        "Make the health endpoint return plain JSON of at most one megabyte.",
    ),
    "uptime_unit": _open(
        "The uptime does not grow by one second per second, so it cannot show a restart.",
        "Name seconds since the process started in health.uptime, or leave the criterion out.",
    ),
    "uptime_subject": _open(
        "The uptime is not that of the deployed process.",
        "Name seconds since the process started in health.uptime, or leave the criterion out.",
    ),
    "clock_skew": _open(
        "The clock of this machine is wrong, so the document's age is not known.",
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
        "Several workers seem to share one stream, which would hide that one of them stopped.",
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
        "Memory is higher than it was during the watch.",
        "Search for a slow leak: compare the instances since their last start.",
    ),
    "mixed_instances": _open(
        "One line contains the memory of several instances, which can hide a leak.",
        "Have the platform report memory for each instance, then run the checkpoint again.",
    ),
    "near_limit": _open(
        "Memory does not rise, but is above 90 % of its limit.",
        "Raise the limit, or find what uses the memory; then run the checkpoint again.",
    ),
    # latency
    "slow": _fail(
        "Responses are slower than their target.",
        "Open the slowest transactions; compare with the last deploy.",
    ),
    "no_bucket": _open(
        "The histogram has no bucket that ends at the limit, and the nearest two do not decide.",
        "Add the bucket that the reason names to the service's histogram.",
        settles="another attempt at this hour, once the histogram has the bucket; or a waiver",
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
        "The health document reports the database as down.",
        "Read the database provider's status page, then the database's logs.",
    ),
    "services_unhealthy": _fail(
        "The database's provider reports one of its services as unhealthy.",
        "Read the provider's status page and the project's dashboard.",
    ),
    "login_refused": _login(
        "The database refused the login: FAIL if the same login worked before.",
        f"Check the credential: `{COMMAND} doctor` names it.",
    ),
    "too_many_connections": _login(
        "The database has no free connection: FAIL if the same login worked before.",
        "Free a connection, then run the checkpoint again.",
        again=True,
    ),
    "not_accepting": _login(
        "The database is starting or stopping: FAIL if the same login worked before.",
        "Wait until it accepts connections, then run the checkpoint again.",
        again=True,
    ),
    "upstream_down": _login(
        "The pooler cannot reach its database: FAIL if the same login worked before.",
        "Read the database provider's status page, then run the checkpoint again.",
        again=True,
    ),
    "read_only": Code(
        of="either",
        means="The database accepts no writes: a read-only mode, or a standby.",
        advice="Free disk and end the read-only mode; name the primary in database.dsn_env.",
    ),
    "slow_statement": _fail(
        "A statement is slow.",
        "Run EXPLAIN on the statement, and add an index or a limit.",
    ),
    "statistics_reset": _open(
        "The statement statistics were reset, and earlier slow statements are not known.",
        "Do not reset pg_stat_statements during a watch; waive this.",
        "waiver",
    ),
    "statistics_evicted": _open(
        "The database evicted statistics of statements that may have been slow.",
        "Raise pg_stat_statements.max, and waive this.",
        "waiver",
    ),
    "pool_full": _fail(
        "Most connections are in use.",
        "Find who uses them in pg_stat_activity; raise the pool or its limit.",
    ),
    "idle_in_transaction": _fail(
        "A session is idle in an open transaction.",
        "Find the session in pg_stat_activity; end it and fix its code.",
    ),
    "lock_wait": _fail(
        "A session waits too long for a lock.",
        "Find who has the lock in pg_locks; end that session if need be.",
    ),
    "disk_full": _fail(
        "The disk is close to full.",
        "Enlarge the disk, or delete what is not needed.",
    ),
    "disk_growing": _fail(
        "At its present growth the disk will soon be full.",
        "Find the table that grows; enlarge the disk in time.",
    ),
    # the WebSocket
    "drops": _fail(
        "Too many WebSocket connections dropped.",
        "Read the service's logs at the times of the drops.",
    ),
    "wrong_answer": _fail(
        "WebSocket connections opened, but their first answer was not the expected one.",
        "Open one by hand, send websocket.first_message, and read the service's answer and logs.",
    ),
    "closed_early": _open(
        "The server closed most connections normally before they could be observed.",
        "Lower websocket.hold_s, then run the checkpoint again.",
    ),
    # the sign-off
    "did_not_hold": Code(
        of="FAIL",
        means="A criterion that it depends on failed at some checkpoint.",
        advice="Fix it and open a new watch, or waive what failed and run hour 24 again.",
        settled_by="attempt",
        settles="another attempt at hour 24, once a waiver covers what failed",
    ),
    "unsettled": _open(
        "A criterion that it depends on could not be judged at some checkpoint.",
        "Resolve or waive what is open, then run hour 24 again.",
        settles="another attempt at hour 24, once what it depends on is resolved or waived",
    ),
    "nothing_judged": _open(
        "Everything that it depends on was left out.",
        "Leave this criterion out as well, with the reason.",
        settles="a watch that leaves it out too",
    ),
    "nothing_measured": _open(
        "Everything that it depends on was waived, and no checkpoint measured it.",
        "Fix the reason why it could not be measured, or leave the criterion out.",
    ),
    # no verdict was reached
    "not_run": _open(
        "The criterion was due, but its test was not selected or not found.",
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
        "The record lacks a verdict that was due.",
        "Run the checkpoint again.",
    ),
    "unreadable": _open(
        "An attempt of this checkpoint cannot be read, and may contain a FAIL.",
        f"Restore the file from a copy; `{COMMAND} verify WATCH` names it.",
        settles="the file, restored from a copy; or a waiver",
    ),
    "not_applicable": Code(
        of="NOT_APPLICABLE",
        means="production.toml leaves the criterion out, with the reason.",
        advice="Read the reason, and remove the line once it no longer applies.",
        settles="nothing: it does not count",
    ),
}
"""Code -> its meaning and advice."""

SETTLED_BY_MORE_EVIDENCE = frozenset(
    name for name, one in CODES.items() if one.settled_by == "evidence"
)
"""Codes that a later PASS resolves, over a window that contains this one."""
AGAIN = frozenset(name for name, one in CODES.items() if one.again)
"""Codes after which a retry may succeed."""
ASKED_AGAIN = frozenset(
    name for name in CODES if name.startswith("source_") and name != "source_lacks"
)
"""Codes of a source that gave no usable answer, and is asked again for the same window."""
UNJUDGED = frozenset(name for name, one in CODES.items() if one.unjudged)
"""Codes that a due criterion may have without an objective."""


def settles(name: str) -> str:
    """What resolves a verdict with this code, in words; for a custom code, another attempt."""
    one = CODES.get(name)
    if one is None:
        return SETTLED_BY["attempt"]
    return one.settles or SETTLED_BY[one.settled_by]
