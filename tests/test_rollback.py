"""The rollback: its plan, its refusals, its execution, and its ledger entries."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hour24 import config
from hour24.checkpoint.inquiry import Inquiry
from hour24.checkpoint.questions import declared
from hour24.config import Production
from hour24.errors import LedgerError
from hour24.ledger import chain
from hour24.ledger.book import Ledger
from hour24.ledger.declaring import declare_deploy
from hour24.rehearsal.client import Rehearsal
from hour24.rehearsal.clock import RehearsalClock
from hour24.rollback import Plan, Refused, RollbackResult, carry_out, plan
from hour24.verdict import Outcome
from hour24.witnesses.platform import Deploy, last_good
from hour24.witnesses.render.platform import STATES
from tests.hosting import START, TOKEN, Hosting, clone_of, deploy, git
from tests.small_watch import watch_of

BECAUSE = "calls fail since the deploy"


@pytest.fixture
def hosting(tmp_path: Path) -> Iterator[Hosting]:
    made = Hosting(tmp_path)
    yield made
    made.server.close()


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return watch_of(tmp_path / "reports", target=str(tmp_path / "production.toml"))


@pytest.fixture
def clone(hosting: Hosting) -> Path:
    """A clone; its last commit is live, the previous one is the previous deploy."""
    path = clone_of(hosting.folder)
    hosting.remote = hosting.folder / "remote.git"
    hosting.deploys = [
        deploy(3, status="live", commit=git(path, "rev-parse", "HEAD")),
        deploy(2, commit=git(path, "rev-parse", "HEAD~1")),
    ]
    return path


def done(
    hosting: Hosting, ledger: Ledger, way: str = "platform", **more
) -> tuple[RollbackResult, str]:
    """What came of it, and what was said meanwhile."""
    production = hosting.production(path="clone") if way == "git" else hosting.production()
    said: list[str] = []
    planned = plan(production, ledger, hosting.clock, way)
    came = carry_out(planned, ledger, hosting.clock, "Mara Lind", BECAUSE, said.append, **more)
    return came, "\n".join(said)


def refused(hosting: Hosting, ledger: Ledger, way: str = "platform") -> str:
    """Why there is no plan."""
    production = hosting.production(path="clone") if way == "git" else hosting.production()
    with pytest.raises(Refused) as refusal:
        plan(production, ledger, hosting.clock, way)
    assert not hosting.sent("POST")
    assert not hosting.sent("PATCH")
    return "\n".join(refusal.value.reasons)


def entries(ledger: Ledger) -> list[dict]:
    assert list(chain.breaks(ledger.entries())) == []
    return [entry.content for entry in ledger.entries() if entry.kind == "rollback"]


def restarts_declared(production: Production, ledger: Ledger, clock) -> list[dict]:
    """The deploys that RESTARTS excuses restarts in."""
    watch = ledger.watch
    inquiry = Inquiry(production, watch, watch.checkpoint(8), clock, ledger)
    return [dict(each) for each in declared(inquiry).items]


# --- the plan ---------------------------------------------------------------------------------


def test_the_plan_says_everything_and_does_nothing(hosting: Hosting, ledger: Ledger):
    """What is live, the last good one, who put it there and when, the steps, what stays undone."""
    planned = plan(hosting.production(), ledger, hosting.clock)
    text = "\n".join(planned.lines())
    assert "rollback of voice (production) on the platform, watch launch: the plan" in text
    assert "live now       dep-3, commit 000000000000 " in text
    assert '"Write version 3", deployed by a push at 2025-12-21 03:15 CET' in text
    assert "last good one  dep-2" in text
    assert f'PATCH {hosting.server.url}/v1/services/srv-1 {{"autoDeploy":"no"}}' in text
    assert f'POST {hosting.server.url}/v1/services/srv-1/rollback {{"deployId":"dep-2"}}' in text
    assert "wait 5 minutes" in text
    assert f"verify health: {hosting.server.url}/health" in text
    assert "database migrations" in text
    assert '"autoDeploy":"yes"' in text
    assert "Bearer $RENDER_TOKEN" in text
    assert TOKEN not in text
    assert {asked.method for asked in hosting.server.asked} == {"GET"}
    assert entries(ledger) == []


def test_text_of_the_platform_cannot_act_on_the_terminal(hosting: Hosting, ledger: Ledger):
    """A commit's message with control characters and our token is shown without either."""
    hosting.deploys[0]["commit"]["message"] = f"\x1b[2Jgone {TOKEN}"
    text = "\n".join(plan(hosting.production(), ledger, hosting.clock).lines())
    assert "gone [RENDER_TOKEN]" in text
    assert "\x1b" not in text


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"deploys": [deploy(3, status="live")]}, "expected an earlier good deploy"),
        (
            {"deploys": [deploy(3, status="live"), deploy(2, status="build_failed")]},
            "expected an earlier good deploy",
        ),
        (
            {"deploys": [deploy(3, status="live", commit="a"), deploy(2, commit="a")]},
            "is of another commit, got none among 2",
        ),
        ({"deploys": [deploy(2)]}, "expected one that is live, got none of 1"),
        (
            {
                "deploys": [
                    deploy(4, status="build_in_progress"),
                    deploy(3, status="live"),
                    deploy(2),
                ]
            },
            "expected none under way, got dep-4 (build_in_progress)",
        ),
        ({"refuses": {"GET": 404}}, "the token sees no service srv-1"),
        ({"refuses": {"GET": 503}}, "roll back by hand: the platform's dashboard, or git -C"),
    ],
)
def test_what_the_platform_does_not_allow(hosting: Hosting, ledger: Ledger, change, expected):
    """No earlier good deploy, none live, one under way, no answer: each says what and why."""
    for name, value in change.items():
        setattr(hosting, name, value)
    assert expected in refused(hosting, ledger)


def test_only_the_watchs_service(hosting: Hosting, tmp_path: Path):
    """Another name, environment or file than the watch's is refused, unasked, all at once."""
    service = {"name": "other", "environment": "staging", "release": ""}
    text = refused(hosting, watch_of(tmp_path / "b", service=service))
    assert "service name: expected 'other', got 'voice'" in text
    assert "service environment: expected 'staging', got 'production'" in text
    assert "target: expected production.toml, got " in text
    assert not hosting.server.asked


def test_a_rehearsals_ledger_is_not_for_a_production(hosting: Hosting, tmp_path: Path):
    """A production's address with a rehearsal's ledger is refused without a request."""
    ledger = watch_of(tmp_path / "b", target="rehearsal", rehearsal={"seed": 1, "faults": []})
    production = hosting.production()
    health = msgspec.structs.replace(production.health, url="https://voice.example/health")
    with pytest.raises(Refused, match="expected the rehearsal that it watches"):
        plan(msgspec.structs.replace(production, health=health), ledger, hosting.clock)
    assert not hosting.server.asked


def test_a_signed_ledger_is_closed(hosting: Hosting, ledger: Ledger):
    """Nothing follows a sign-off: the week after has a ledger of its own."""
    ledger.append("signoff", {"by": "Ada", "role": "CTO", "at": START})
    assert "expected an open ledger, got one that is signed off" in refused(hosting, ledger)
    assert not hosting.server.asked


def test_without_a_platform_it_is_unknown_what_is_live(hosting: Hosting, ledger: Ledger):
    """A file without [render] and an unknown way are refused by name."""
    production = msgspec.structs.replace(hosting.production(), described={})
    with pytest.raises(Refused) as refusal:
        plan(production, ledger, hosting.clock, "svn")
    assert refusal.value.reasons[0] == "--way: expected platform or git, got 'svn'"
    assert "expected a section of a platform that can roll back" in refusal.value.reasons[1]


def deploys_of(*rows: str) -> list[Deploy]:
    """Deploys from ``id commit trigger status``, newest first."""
    return [
        Deploy(id=i, commit=c, trigger=t, status=s, state=STATES[s])
        for i, c, t, s in (row.split() for row in rows)
    ]


@pytest.mark.parametrize(
    ("rows", "went_back", "good"),
    [
        (("3 c push live", "2 c push deactivated", "1 a push deactivated"), {}, "1"),
        (
            (
                "4 a rollback live",
                "3 b push deactivated",
                "2 a push deactivated",
                "1 z push deactivated",
            ),
            {},
            "1",
        ),
        (("5 c push live", "4 a rollback deactivated", "3 b push deactivated"), {}, "4"),
        (("4 x rollback live", "3 b push deactivated", "2 a push deactivated"), {}, None),
        (
            (
                "4 x rollback live",
                "3 b push deactivated",
                "2 a push deactivated",
                "1 z push deactivated",
            ),
            {"4": "2"},
            "1",
        ),
        (("2 b push live", "1 a push canceled"), {}, None),
    ],
)
def test_the_last_good_one(rows, went_back, good):
    """Of another commit, live once; from a rollback it never goes forward to the bad one."""
    deploys = deploys_of(*rows)
    found = last_good(deploys, deploys[0], went_back)
    assert (found.id if found else None) == good


# --- on the platform --------------------------------------------------------------------------


def test_the_platforms_rollback(hosting: Hosting, ledger: Ledger):
    """Auto-deploy off, one POST, five minutes, health, and an entry that declares the restart."""
    came, said = done(hosting, ledger)
    assert (came.outcome, came.result, came.deploy) == (Outcome.PASS, "done", "dep-4")
    assert came.ok
    assert "next: run the checkpoint again; the restart is declared" in said
    assert hosting.sent("PATCH") == [("/v1/services/srv-1", {"autoDeploy": "no"})]
    assert hosting.sent("POST") == [("/v1/services/srv-1/rollback", {"deployId": "dep-2"})]
    assert hosting.clock.now() == START + timedelta(minutes=5)
    assert "deploy update_in_progress after 0 s; 300 s of the wait are left" in said
    assert "deploy live after 120 s" in said
    assert "health: PASS" in said
    begun, ended = entries(ledger)
    assert (begun["result"], begun["end"]) == ("begun", None)
    assert ended["began"] == "rollback.1.json"
    assert (ended["by"], ended["because"], ended["way"]) == ("Mara Lind", BECAUSE, "platform")
    assert (ended["from_deploy"], ended["to_deploy"]) == ("dep-3", "dep-2")
    assert ended["deploy"] == "dep-4"
    assert ended["health"]["outcome"] == "PASS"
    assert came.entry.name == "rollback.2.json"
    assert restarts_declared(hosting.production(), ledger, hosting.clock) == [
        {
            "start": START.timestamp(),
            "end": (START + timedelta(minutes=5)).timestamp(),
            "because": BECAUSE,
        }
    ]
    assert "automatic deploys are off now" in came.steps[0]
    assert '{"autoDeploy":"yes"}' in came.steps[0]
    assert TOKEN not in said + str(came) + came.entry.read_text()


def test_a_second_rollback_goes_further_back(hosting: Hosting, ledger: Ledger):
    """After a rollback the last good one is before the deploy it went back to; off stays off."""
    done(hosting, ledger)
    hosting.server.asked.clear()
    came, _ = done(hosting, ledger)
    assert hosting.sent("POST") == [("/v1/services/srv-1/rollback", {"deployId": "dep-1"})]
    assert not hosting.sent("PATCH")
    assert came.result == "done"


@pytest.mark.parametrize(
    ("refuses", "expected", "auto_deploy", "sent"),
    [
        ({"PATCH": 403}, "expected a token with the right to change this service", "on", 0),
        ({"PATCH": 500}, "500, 3 attempts", "unknown", 0),
        ({"POST /rollback": 401}, "the token is not accepted", "off", 1),
        ({"POST /rollback": 404}, "knows no deploy dep-2 of this service any more", "off", 1),
        ({"POST /rollback": 429}, "still limited (429)", "off", 1),
    ],
)
def test_a_platform_that_refuses(
    hosting: Hosting, ledger: Ledger, refuses, expected, auto_deploy, sent
):
    """Nothing was rolled back: recorded without an end, and no restart is declared."""
    hosting.refuses = refuses
    came, _ = done(hosting, ledger)
    assert (came.outcome, came.result, came.end) == (Outcome.FAIL, "not_done", None)
    assert expected in came.says
    assert TOKEN not in came.says
    assert len(hosting.sent("POST")) == sent
    assert entries(ledger)[-1]["auto_deploy"] == auto_deploy
    assert restarts_declared(hosting.production(), ledger, hosting.clock) == []
    assert any("automatic deploys" in step for step in came.steps) == (auto_deploy != "on")


@pytest.mark.parametrize(("loses", "result"), [("done", "done"), ("undone", "unknown")])
def test_a_lost_answer_is_queried_and_not_sent_again(
    hosting: Hosting, ledger: Ledger, loses, result
):
    """The deploys show whether it happened; one POST either way."""
    hosting.loses = loses
    came, said = done(hosting, ledger)
    assert came.result == result
    assert "not sent again" in said
    assert len(hosting.sent("POST")) == 1
    assert (came.end is None) == (loses == "undone")


def test_a_deploy_that_fails(hosting: Hosting, ledger: Ledger):
    """It is not waited for any longer, and nothing is declared."""
    hosting.ends = "update_failed"
    came, _ = done(hosting, ledger)
    assert (came.outcome, came.result) == (Outcome.FAIL, "deploy_failed")
    assert hosting.clock.now() == START + timedelta(minutes=2)
    assert entries(ledger)[-1]["end"] is None


def test_a_deploy_that_takes_longer(hosting: Hosting, ledger: Ledger):
    """Not live after the wait is INCONCLUSIVE whatever health says; it is declared later."""
    hosting.takes_s = 900
    came, _ = done(hosting, ledger)
    assert (came.outcome, came.result, came.end) == (Outcome.INCONCLUSIVE, "under_way", None)
    assert any("/launch --start TIME --by NAME" in step for step in came.steps)
    hosting.deploys = [deploy(3, status="live"), deploy(2)]
    came, _ = done(hosting, ledger, wait_s=1200)
    assert came.result == "done"


def test_live_and_not_healthy(hosting: Hosting, ledger: Ledger):
    """Health that fails through all its retries is FAIL; the restart is declared all the same."""
    hosting.healthy = lambda: False
    came, _ = done(hosting, ledger)
    assert (came.outcome, came.result) == (Outcome.FAIL, "unhealthy")
    assert came.health is not None
    assert came.health.code == "bad_status"
    assert came.end == START + timedelta(minutes=7)


def test_the_platform_may_fall_silent_while_it_is_waited_for(hosting: Hosting, ledger: Ledger):
    """A poll without an answer is reported and repeated."""
    answer = hosting.server.answer

    def sometimes(asked):
        minute = (hosting.clock.now() - START).total_seconds() / 60
        if 0.5 < minute < 1.5 and asked.path.startswith("/v1"):
            return type(answer(asked))(raw=b"")
        return answer(asked)

    hosting.server.answer = sometimes
    came, said = done(hosting, ledger)
    assert came.result == "done"
    assert "asking again" in said


def test_who_and_why_come_first(hosting: Hosting, ledger: Ledger):
    """Without a name and a reason nothing is asked or written."""
    planned = plan(hosting.production(), ledger, hosting.clock)
    with pytest.raises(Refused) as refusal:
        carry_out(planned, ledger, hosting.clock, "NAME", " ", print)
    assert refusal.value.reasons == (
        "--by: expected the name of a person, such as \"Mara Example\", got 'NAME'",
        "--because: expected a reason, got nothing",
    )
    assert entries(ledger) == []


def test_what_was_confirmed_is_what_is_done(hosting: Hosting, ledger: Ledger):
    """A deploy between the plan and its execution stops it."""
    planned = plan(hosting.production(), ledger, hosting.clock)
    hosting.deploys[0]["status"] = "deactivated"
    hosting.deploys.insert(0, deploy(4, status="live"))
    with pytest.raises(Refused, match="got dep-4 and dep-3: read the new plan"):
        carry_out(planned, ledger, hosting.clock, "Mara Lind", BECAUSE, print)
    assert not hosting.sent("POST")


def test_a_ledger_that_cannot_be_written_stops_it(
    hosting: Hosting, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
):
    """Recorded before done: on a full disk the first entry fails, and nothing is sent."""
    planned = plan(hosting.production(), ledger, hosting.clock)
    opened = os.open

    def full(path: Any, flags: int, *more: Any, **named: Any) -> int:
        if "rollback.1" in str(path) and flags & os.O_CREAT:
            raise OSError(errno.ENOSPC, "no space left on device")
        return opened(path, flags, *more, **named)

    monkeypatch.setattr(os, "open", full)
    with pytest.raises(LedgerError):
        carry_out(planned, ledger, hosting.clock, "Mara Lind", BECAUSE, print)
    assert not hosting.sent("PATCH")
    assert not hosting.sent("POST")


def test_one_at_a_time(hosting: Hosting, ledger: Ledger):
    """A rollback under way blocks another one for half an hour."""
    content = {"at": START, "by": "Ada", "because": "x", "start": START.timestamp(), "end": None}
    ledger.append("rollback", {**content, "result": "begun"})
    hosting.clock.sleep(60)
    assert "got one that Ada began 1 min ago" in refused(hosting, ledger)
    hosting.clock.sleep(1800)
    assert isinstance(plan(hosting.production(), ledger, hosting.clock), Plan)


def test_broken_off_is_written_down(hosting: Hosting, ledger: Ledger):
    """An interruption leaves an entry that says so, and declares nothing."""
    planned = plan(hosting.production(), ledger, hosting.clock)

    def interrupted(line: str) -> None:
        if "new deploy" in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        carry_out(planned, ledger, hosting.clock, "Mara Lind", BECAUSE, interrupted)
    assert [each["result"] for each in entries(ledger)] == ["begun", "broken_off"]
    assert restarts_declared(hosting.production(), ledger, hosting.clock) == []


# --- by git -----------------------------------------------------------------------------------


def test_git_revert_and_push(hosting: Hosting, ledger: Ledger, clone: Path):
    """One commit that takes HEAD back, on the real remote; its deploy is waited for."""
    before = git(clone, "rev-parse", "HEAD")
    lines = "\n".join(plan(hosting.production(path="clone"), ledger, hosting.clock, "git").lines())
    assert f"git -C {clone} revert --no-edit HEAD" in lines
    assert f"git -C {clone} push origin HEAD:refs/heads/main" in lines
    assert "written by Ada at" in lines
    assert "commits lie between" not in lines
    came, said = done(hosting, ledger, "git")
    assert (came.outcome, came.result) == (Outcome.PASS, "done")
    made = git(hosting.remote, "rev-parse", "main")
    assert git(clone, "rev-parse", "HEAD") == made
    assert git(clone, "rev-parse", "HEAD~1") == before
    assert (clone / "code.txt").read_text() == "version 1\n"
    assert git(clone, "status", "--porcelain") == ""
    assert entries(ledger)[-1]["commit"] == made
    assert not hosting.sent("POST")
    assert not hosting.sent("PATCH")
    assert "health: PASS" in said
    assert len(restarts_declared(hosting.production(), ledger, hosting.clock)) == 1


def test_without_a_platform_git_goes_back_to_what_was_declared(
    hosting: Hosting, ledger: Ledger, clone: Path
):
    """HEAD was declared as deployed; a person looks whether the pushed revert is live."""
    production = msgspec.structs.replace(hosting.production(path="clone"), described={})
    with pytest.raises(Refused) as refusal:
        plan(production, ledger, hosting.clock, "git")
    assert "expected one that is live, got none" in refusal.value.reasons[0]
    head = git(clone, "rev-parse", "HEAD")
    declared_at = hosting.clock.now()
    declare_deploy(ledger, declared_at, "", "Mara", "v3", now=declared_at, commit=head[:10])
    hosting.clock.sleep(60)
    planned = plan(production, ledger, hosting.clock, "git")
    assert (planned.live.commit, planned.good.commit) == (head, git(clone, "rev-parse", "HEAD~1"))
    said: list[str] = []
    came = carry_out(planned, ledger, hosting.clock, "Mara", BECAUSE, said.append, wait_s=20)
    assert (came.outcome, came.result) == (Outcome.INCONCLUSIVE, "under_way")
    assert "health PASS" in came.says
    assert (clone / "code.txt").read_text() == "version 1\n"
    assert git(hosting.remote, "rev-parse", "main") == git(clone, "rev-parse", "HEAD")
    assert any("once a deploy is live, declare its restart" in step for step in came.steps)


def test_a_declared_deploy_of_another_commit_is_no_plan(
    hosting: Hosting, ledger: Ledger, clone: Path
):
    """HEAD is not what was declared: a revert of it would not undo what is live."""
    production = msgspec.structs.replace(hosting.production(path="clone"), described={})
    at = hosting.clock.now()
    other = git(clone, "rev-parse", "HEAD~1")
    declare_deploy(ledger, at, "", "Mara", "v2", now=at, commit=other)
    with pytest.raises(Refused) as refusal:
        plan(production, ledger, hosting.clock, "git")
    assert "to be what is deployed" in "\n".join(refusal.value.reasons)


def test_a_revert_undoes_one_commit_of_several(hosting: Hosting, ledger: Ledger, clone: Path):
    """When a deploy brought several commits, the plan says that one revert is not enough."""
    hosting.deploys[1]["commit"]["id"] = git(clone, "rev-parse", "HEAD~2")
    planned = plan(hosting.production(path="clone"), ledger, hosting.clock, "git")
    assert any("2 commits are between" in line for line in planned.lines())


def dirty(clone: Path) -> None:
    (clone / "code.txt").write_text("half a fix\n")


def elsewhere(clone: Path) -> None:
    git(clone, "switch", "-q", "-c", "fix")


def detached(clone: Path) -> None:
    git(clone, "checkout", "-q", "--detach")


def unpushed(clone: Path) -> None:
    git(clone, "commit", "-q", "--allow-empty", "-m", "not pushed")


def behind(clone: Path) -> None:
    git(clone, "commit", "-q", "--allow-empty", "-m", "another")
    git(clone, "push", "-q", "origin", "HEAD:main")
    git(clone, "reset", "-q", "--hard", "HEAD~1")
    git(clone, "reflog", "expire", "--expire=now", "--all")
    git(clone, "update-ref", "-d", "refs/remotes/origin/main")
    git(clone, "gc", "-q", "--prune=now")


def merged(clone: Path) -> None:
    git(clone, "switch", "-q", "-c", "side", "HEAD~1")
    (clone / "side.txt").write_text("side\n")
    git(clone, "add", "side.txt")
    git(clone, "commit", "-q", "-m", "side")
    git(clone, "switch", "-q", "main")
    git(clone, "merge", "-q", "--no-ff", "--no-edit", "side")
    git(clone, "push", "-q", "origin", "HEAD:main")


def silent(clone: Path) -> None:
    os.rename(clone.parent / "remote.git", clone.parent / "away.git")


def no_clone(clone: Path) -> None:
    os.rename(clone / ".git", clone / "was.git")


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (dirty, "expected nothing uncommitted, got code.txt"),
        (elsewhere, "expected branch main, got fix; git switch main first"),
        (detached, "expected branch main, got a detached HEAD"),
        (unpushed, "got 1 commits that are not pushed"),
        (behind, "which this clone is behind; git pull --ff-only first"),
        (merged, "by hand: git revert -m 1 HEAD"),
        (unpushed, "to be what is deployed, got commit"),
        (silent, "origin: expected it to answer, got: git ls-remote"),
        (no_clone, "expected a clone with a commit, got none"),
    ],
)
def test_a_clone_that_cannot_be_reverted(
    hosting: Hosting, ledger: Ledger, clone: Path, spoil, expected
):
    """Each reason is reported; neither the clone nor the remote is changed."""
    spoil(clone)
    hosting.remote = None
    at = clone if (clone / ".git").exists() else clone.parent / "remote.git"
    before = git(at, "rev-parse", "HEAD")
    assert expected in refused(hosting, ledger, "git")
    assert git(at, "rev-parse", "HEAD") == before


def test_every_reason_at_once(hosting: Hosting, ledger: Ledger, clone: Path):
    """A dirty tree on another branch, ahead, with automatic deploys off: all is reported."""
    elsewhere(clone)
    unpushed(clone)
    dirty(clone)
    hosting.auto_deploy, hosting.branch = "no", "release"
    text = refused(hosting, ledger, "git")
    for expected in (
        "branch main, got fix",
        "nothing uncommitted",
        "not pushed",
        "to be what is deployed",
        "automatic deploys: expected on, got off",
        "[repository] branch: expected release, which the platform deploys, got main",
    ):
        assert expected in text


def test_the_first_commit_has_nothing_before_it(hosting: Hosting, ledger: Ledger, clone: Path):
    """A shallow clone, too, knows no commit to go back to."""
    git(clone.parent, "clone", "-q", "--depth", "1", f"file://{clone.parent}/remote.git", "shallow")
    with pytest.raises(Refused, match="a shallow clone has none either"):
        plan(hosting.production(path="shallow"), ledger, hosting.clock, "git")


def test_a_push_that_is_refused_leaves_the_clone_as_it_was(
    hosting: Hosting, ledger: Ledger, clone: Path
):
    """Our own revert commit is undone; uncommitted files stay."""
    hook = hosting.remote / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho the branch is protected >&2\nexit 1\n")
    hook.chmod(0o755)
    (clone / "notes.txt").write_text("mine\n")
    before = git(clone, "rev-parse", "HEAD")
    came, _ = done(hosting, ledger, "git")
    assert (came.outcome, came.result, came.end) == (Outcome.FAIL, "not_done", None)
    assert "the branch is protected" in came.says
    assert "nothing was pushed, and the clone is as it was" in came.says
    assert git(clone, "rev-parse", "HEAD") == before
    assert git(clone, "status", "--porcelain") == "?? notes.txt"
    assert (clone / "code.txt").read_text() == "version 2\n"
    assert git(hosting.remote, "rev-parse", "main") == before


def test_a_push_that_arrived_although_it_failed(hosting: Hosting, ledger: Ledger, clone: Path):
    """When git's answer is a failure and the remote has the revert, it is waited for."""
    config_ = clone / ".git" / "hooks" / "pre-push"
    config_.write_text(
        f"#!/bin/sh\nread local sha rest\nunset GIT_DIR\n"
        f"git -C {clone} push -q --no-verify origin $sha:refs/heads/main\nexit 1\n"
    )
    config_.chmod(0o755)
    came, said = done(hosting, ledger, "git")
    assert "but it arrived" in said
    assert came.result == "done"


def test_a_revert_that_cannot_be_committed(hosting: Hosting, ledger: Ledger, clone: Path):
    """A hook that refuses the commit leaves the clone as it was, and nothing is pushed."""
    hook = clone / ".git" / "hooks" / "prepare-commit-msg"
    hook.write_text("#!/bin/sh\necho no ticket in the message >&2\nexit 1\n")
    hook.chmod(0o755)
    came, _ = done(hosting, ledger, "git")
    assert came.result == "not_done"
    assert "no ticket in the message" in came.says
    assert git(clone, "status", "--porcelain") == ""
    assert (clone / "code.txt").read_text() == "version 2\n"


# --- against the rehearsal's production -------------------------------------------------------


def test_the_rehearsals_bad_deploy_is_rolled_back(tmp_path: Path):
    """30 % of requests fail; after the rollback health passes and the restart is declared."""
    t0 = datetime(2026, 11, 24, 6, tzinfo=UTC)
    expected = {"seed": 7, "faults": ["bad_deploy@3"]}
    with Rehearsal.start(7, ["bad_deploy@3"], t0, 4) as rehearsal:
        production = config.load(Path(rehearsal.toml), {**os.environ, **rehearsal.environ})
        clock = RehearsalClock(rehearsal.control, t0 + timedelta(hours=4))
        service = production.service
        ledger = watch_of(
            tmp_path,
            name="rehearsal-1",
            t0=t0,
            target="rehearsal",
            rehearsal=expected,
            service={
                "name": service.name,
                "environment": service.environment,
                "release": service.release,
            },
        )
        planned = plan(production, ledger, clock)
        assert planned.lines()[0].startswith("REHEARSAL: rollback of platform-api")
        assert planned.live.message == "Load sessions lazily"
        said: list[str] = []
        came = carry_out(planned, ledger, clock, "Mara Lind", BECAUSE, said.append)
        assert (came.outcome, came.result) == (Outcome.PASS, "done"), came
        state = rehearsal.state()
        assert state["rollbacks"] == [[4.0, planned.good.id]]
        assert state["auto_deploy"] is False
        (window,) = restarts_declared(production, ledger, clock)
        assert window["end"] - window["start"] == 300.0
        again = plan(production, ledger, clock)
        assert again.live.id == came.deploy
        assert again.good.created < planned.good.created
