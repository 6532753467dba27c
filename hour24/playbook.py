"""What to do about each code of a FAIL: the entries of the runbook.

Rules of this module:

- An entry serves one code, or several with the same first steps; a test checks that each code
  of a FAIL has exactly one.
- The first three commands exist, and have only placeholders in capitals to fill in.
"""

from __future__ import annotations

from msgspec import Struct

from hour24.shipped import COMMAND

PLAN = f"{COMMAND} rollback WATCH"
WAIVE = f"{COMMAND} waive CRITERION WATCH --by NAME --because REASON --until DATE"
DECLARE = f"{COMMAND} declare WATCH --start TIME --by NAME --because REASON"
CLASSIFY = f"{COMMAND} classify ISSUE WATCH --as normal --by NAME --because REASON"
SUMMARY = f"{COMMAND} summary WATCH"
DOCTOR = f"{COMMAND} doctor"
HEALTH = "curl -sS -i --max-time 10 HEALTH_URL"
AGAIN = "pytest -m hourN --watch WATCH"
ON_CALL = "on call, then the tech lead, then devops"
LEAD = "the tech lead"
DATABASE = "on call, then whoever runs the database"


class Entry(Struct, frozen=True, kw_only=True):
    """What to do about some codes.

    Args:
        title: what happened, in a few words.
        customers: what it means for customers.
        commands: the first three commands.
        causes: the usual causes.
        rollback: when to roll back.
        call: whom to call.
    """

    title: str
    codes: tuple[str, ...]
    customers: str
    commands: tuple[str, str, str]
    causes: str
    rollback: str
    call: str


ENTRIES = (
    Entry(
        title="The service does not answer, or answers with errors",
        codes=("no_answer", "bad_status", "health_failed", "no_document"),
        customers="Requests fail: customers cannot use what depends on this address.",
        commands=(HEALTH, PLAN, AGAIN),
        causes="a deploy, a crash, no memory, the database down, the platform",
        rollback="if it began with a deploy, or health fails for longer than 2 minutes",
        call=ON_CALL,
    ),
    Entry(
        title="The health document is not as expected",
        codes=("schema", "stale"),
        customers="One part of the service reports that it does not work; requests may still pass.",
        commands=(HEALTH, DOCTOR, AGAIN),
        causes="a part behind the service is down, a cache in front of it, a clock that is wrong",
        rollback="if a deploy changed the document",
        call=ON_CALL,
    ),
    Entry(
        title="A certificate is refused, or ends too soon",
        codes=("certificate_invalid", "certificate_expires"),
        customers="Browsers and apps refuse to connect, now or when it ends.",
        commands=(DOCTOR, SUMMARY, AGAIN),
        causes="a renewal that failed, an incomplete chain, the certificate of another host",
        rollback="no: renew the certificate; a deploy does not change it",
        call=ON_CALL,
    ),
    Entry(
        title="Too many requests fail",
        codes=("beyond_limit", "spike", "rise", "too_many_events"),
        customers="A share of all requests fails; the page names the share and the minutes.",
        commands=(SUMMARY, PLAN, AGAIN),
        causes="a deploy, one new error, a vendor, the database",
        rollback="above 5 % with a cause in the code, or if it began with a deploy",
        call=ON_CALL,
    ),
    Entry(
        title="A new or a critical error",
        codes=("new_issue", "critical_issue"),
        customers="Some requests end in an error that was not there before.",
        commands=(SUMMARY, PLAN, CLASSIFY),
        causes="a deploy, an input not seen before, a vendor that changed its answers",
        rollback="if it blocks customers and its cause is in the code",
        call=ON_CALL,
    ),
    Entry(
        title="Errors in the logs",
        codes=("error_lines", "pattern_repeats", "level_risen"),
        customers="Not known: an error was logged that the error tracker may not have.",
        commands=(SUMMARY, PLAN, WAIVE),
        causes="an error that is caught and logged, a retry, a vendor's timeouts",
        rollback="only if requests fail as well",
        call=LEAD,
    ),
    Entry(
        title="The error tracker loses errors",
        codes=("dropped", "not_accepted", "not_stored"),
        customers="None yet: but errors of customers may not be visible.",
        commands=(DOCTOR, SUMMARY, AGAIN),
        causes="a quota, a rate limit, an inbound filter, a wrong DSN",
        rollback="never: the service is not the cause",
        call=LEAD,
    ),
    Entry(
        title="A restart without a declared deploy",
        codes=("restarted",),
        customers="Requests in progress were cut off; calls may have dropped.",
        commands=(SUMMARY, DECLARE, PLAN),
        causes="a deploy, a crash, no memory, maintenance of the platform",
        rollback="if it restarts again and again since a deploy",
        call=ON_CALL,
    ),
    Entry(
        title="Background jobs paused",
        codes=("no_beat", "gap"),
        customers="What runs in the background is late: messages, planned calls, invoices.",
        commands=(SUMMARY, PLAN, AGAIN),
        causes="a worker that hangs, a lock, an instance that was replaced",
        rollback="if it began with a deploy",
        call=ON_CALL,
    ),
    Entry(
        title="Memory rises or is high",
        codes=("leak", "memory_high", "memory_higher"),
        customers="None yet: at its limit an instance is killed and its requests are cut off.",
        commands=(SUMMARY, PLAN, AGAIN),
        causes="a leak since the last deploy, a cache without a limit, more traffic",
        rollback="before the time that the page names for the limit, if it began with a deploy",
        call=ON_CALL,
    ),
    Entry(
        title="Responses are slow",
        codes=("slow", "slower", "slower_tail"),
        customers="Customers wait; the page names the endpoint and the quantile.",
        commands=(SUMMARY, PLAN, AGAIN),
        causes="a statement without an index, a vendor, too few instances, a deploy",
        rollback="if it began with a deploy and customers notice it",
        call=LEAD,
    ),
    Entry(
        title="The database is down or refuses the login",
        codes=(
            "database_down",
            "services_unhealthy",
            "login_refused",
            "too_many_connections",
            "not_accepting",
            "upstream_down",
            "read_only",
        ),
        customers="Everything that reads or writes data fails.",
        commands=(HEALTH, DOCTOR, AGAIN),
        causes="the provider, a full disk, a password that was changed, too many connections",
        rollback="only if a deploy used up the connections",
        call=DATABASE,
    ),
    Entry(
        title="The database is slow or blocked",
        codes=("slow_statement", "pool_full", "idle_in_transaction", "lock_wait"),
        customers="Some requests wait; with no free connection they fail.",
        commands=(SUMMARY, DOCTOR, AGAIN),
        causes="a missing index, a transaction that was left open, a pool that is too small",
        rollback="if a deploy brought the statement",
        call=DATABASE,
    ),
    Entry(
        title="The disk fills",
        codes=("disk_full", "disk_growing"),
        customers="None yet: a full disk makes the database read-only.",
        commands=(SUMMARY, DOCTOR, AGAIN),
        causes="a table that grows, old rows that are not deleted, logs in the database",
        rollback="if a deploy made the table grow",
        call=DATABASE,
    ),
    Entry(
        title="WebSocket connections drop",
        codes=("drops", "wrong_answer"),
        customers="Calls and live updates end early.",
        commands=(SUMMARY, PLAN, AGAIN),
        causes="a restart, a proxy's timeout, an instance without memory",
        rollback="if it began with a deploy",
        call=ON_CALL,
    ),
    Entry(
        title="The baseline or a sign-off check failed",
        codes=("baseline_failed", "did_not_hold"),
        customers="As for the check that it depends on.",
        commands=(SUMMARY, f"{COMMAND} signoff WATCH", "pytest -m hour0 --follows WATCH"),
        causes="another check failed at some checkpoint",
        rollback="as for the check that it depends on",
        call=LEAD,
    ),
)


def entry_of(code: str) -> Entry | None:
    """Return the entry of the runbook for a code; None for a code that is no FAIL."""
    return next((each for each in ENTRIES if code in each.codes), None)
