"""A clone of what is deployed: whether its last commit can be reverted, and doing that.

Rules of this module:

- Looking changes nothing, not even the clone's memory of its remote.
- The only thing that is ever taken back is the revert commit made here, while nothing stands
  on it and nothing was changed since.
- Git asks nobody anything, and is given a limit of time.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from msgspec import Struct

from hour24.config.production import Repository
from hour24.errors import Hour24Error
from hour24.text import one_line

LOOKS_S = 30.0
PUSHES_S = 180.0
LONGEST = 300
MOST_TOLD = 3
ELSEWHERE = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX")
"""Variables that would send git to another clone than the one named."""


class GitProblem(Hour24Error):
    """Git did not do what it was asked; says so in its own words, scrubbed."""


class Commit(Struct, frozen=True, kw_only=True):
    """A commit: whole id, first line, who wrote it and when, its parents' ids."""

    id: str
    subject: str
    author: str
    at: str
    parents: tuple[str, ...]


class Clone:
    """The clone that production.toml's ``[repository]`` names.

    Args:
        beside: folder that a relative path starts from.
        scrub: takes secrets out of a text.
    """

    def __init__(self, at: Repository, beside: Path, scrub: Callable[[str], str]) -> None:
        self.path = (beside / at.path).resolve()
        self.remote = at.remote
        self.branch = at.branch
        self._scrub = scrub

    # --- looking ------------------------------------------------------------------------------

    def problems(self, live: str) -> Iterator[str]:
        """What stands against reverting the last commit and pushing that, a line each.

        Args:
            live: the commit that is deployed now; empty: the platform does not tell.
        """
        where = f"repository {self.path}"
        try:
            self._git("rev-parse", "--is-inside-work-tree")
            head = self.head()
        except GitProblem as problem:
            yield f"{where}: expected a clone with a commit, got none ({problem})"
            return
        yield from self._elsewhere(where)
        changed = self._git("status", "--porcelain", "--untracked-files=no").splitlines()
        if changed:
            told = ", ".join(one_line(line[3:]) for line in changed[:MOST_TOLD])
            more = f" and {len(changed) - MOST_TOLD} more" if len(changed) > MOST_TOLD else ""
            yield (
                f"{where}: expected nothing uncommitted, got {told}{more}; commit or put it away "
                "first, so that a revert takes back what is deployed and nothing else"
            )
        yield from self._apart(where, head)
        if not head.parents:
            yield (
                f"{where}: expected a commit before {head.id[:12]} to go back to, got none; a "
                "shallow clone has none either (git fetch --unshallow)"
            )
        if len(head.parents) > 1:
            yield (
                f"{where}: expected a plain commit at HEAD, got the merge {head.id[:12]}: only a "
                "person knows which side to keep; by hand: git revert -m 1 HEAD, which keeps the "
                "branch as it was before the merge; or use the platform's rollback (--way "
                "platform)"
            )
        if live != head.id:
            got = f"commit {live[:12]}" if live else "no commit told by the platform"
            yield (
                f"{where}: expected HEAD {head.id[:12]} to be what is deployed, got {got}; "
                "reverting HEAD would not take back what is live"
            )

    def _elsewhere(self, where: str) -> Iterator[str]:
        try:
            branch = self._git("symbolic-ref", "-q", "--short", "HEAD")
        except GitProblem:
            yield (
                f"{where}: expected branch {self.branch}, got a detached HEAD; "
                f"git switch {self.branch} first"
            )
            return
        if branch != self.branch:
            yield (
                f"{where}: expected branch {self.branch}, got {one_line(branch)}; "
                f"git switch {self.branch} first, or see [repository] branch"
            )

    def _apart(self, where: str, head: Commit) -> Iterator[str]:
        """How the clone and its remote differ, if they do."""
        name = f"{self.remote}/{self.branch}"
        try:
            there = self.pushed()
        except GitProblem as problem:
            yield f"{where}: {self.remote}: expected it to answer, got: {problem}"
            return
        if not there:
            yield f"{where}: expected {name} to exist, got no such branch"
        elif there != head.id:
            if self._holds(there) and self._ancestor(there, head.id):
                many = self._git("rev-list", "--count", f"{there}..{head.id}")
                yield (
                    f"{where}: expected HEAD to be what {name} is, got {many} commits that are "
                    "not pushed; pushing the revert would deploy them as well"
                )
            else:
                yield (
                    f"{where}: expected HEAD to be what {name} is, got {name} at {there[:12]}, "
                    "which this clone is behind; git pull --ff-only first, and look at what came"
                )

    def head(self) -> Commit:
        """The last commit here. Raises: GitProblem."""
        told = self._git("show", "-s", "--format=%H%x00%P%x00%an%x00%aI%x00%s", "HEAD")
        commit, parents, author, at, subject = told.split("\0", 4)
        return Commit(
            id=commit,
            subject=one_line(self._scrub(subject)),
            author=one_line(self._scrub(author)),
            at=at,
            parents=tuple(parents.split()),
        )

    def pushed(self) -> str:
        """The commit that the remote's branch is at; empty when there is no such branch.

        Raises: GitProblem, when the remote does not answer.
        """
        told = self._git("ls-remote", "--heads", self.remote, f"refs/heads/{self.branch}")
        return told.split()[0] if told else ""

    def since(self, commit: str) -> int | None:
        """How many commits HEAD is ahead of this one; none when that is not known here."""
        if not commit or not self._holds(commit) or not self._ancestor(commit, "HEAD"):
            return None
        return int(self._git("rev-list", "--count", f"{commit}..HEAD"))

    def _holds(self, commit: str) -> bool:
        return self._succeeds("cat-file", "-e", f"{commit}^{{commit}}")

    def _ancestor(self, older: str, newer: str) -> bool:
        return self._succeeds("merge-base", "--is-ancestor", older, newer)

    # --- doing --------------------------------------------------------------------------------

    def revert(self) -> str:
        """Revert the last commit. Returns: the revert commit's id.

        Raises: GitProblem, when it cannot; the tree is then as it was, or it says otherwise.
        """
        before = self.head().id
        try:
            self._git("revert", "--no-edit", "HEAD", limit_s=PUSHES_S)
        except GitProblem as problem:
            # What is staged is ours: nothing was, a moment ago. `revert --abort` knows nothing of
            # a revert whose commit was refused.
            if self.head().id != before or not self._succeeds("reset", "--merge", "HEAD"):
                raise GitProblem(f"{problem}; {self.path} is not as it was: git status") from None
            raise
        made = self.head()
        if made.parents != (before,):
            raise GitProblem(
                f"{self.path}: expected one commit on {before[:12]}, got {made.id[:12]}"
            )
        return made.id

    def push(self, commit: str) -> None:
        """Push it to the remote's branch, forced by nothing. Raises: GitProblem."""
        self._git("push", self.remote, f"{commit}:refs/heads/{self.branch}", limit_s=PUSHES_S)

    def take_back(self, made: str) -> None:
        """Undo the revert commit ``made``, if it is still the last one.

        Raises: GitProblem, when something else was done meanwhile.
        """
        head = self.head()
        if head.id != made or len(head.parents) != 1:
            raise GitProblem(
                f"{self.path}: expected our revert {made[:12]} at HEAD, got {head.id[:12]}"
            )
        self._git("reset", "--keep", head.parents[0])  # unlike --hard, it loses nobody's changes

    # --- asking git ---------------------------------------------------------------------------

    def commands(self) -> tuple[str, str]:
        """The two commands, as a person would type them."""
        git = ["git", "-C", str(self.path)]
        return (
            shlex.join([*git, "revert", "--no-edit", "HEAD"]),
            shlex.join([*git, "push", self.remote, f"HEAD:refs/heads/{self.branch}"]),
        )

    def _succeeds(self, *words: str) -> bool:
        try:
            self._git(*words)
        except GitProblem:
            return False
        return True

    def _git(self, *words: str, limit_s: float = LOOKS_S) -> str:
        """What git says. Raises: GitProblem, with what it says when it fails."""
        env = {name: value for name, value in os.environ.items() if name not in ELSEWHERE}
        try:
            done = subprocess.run(
                ["git", "-c", "log.showSignature=false", "-C", str(self.path), *words],
                env={**env, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=limit_s,
                check=False,
            )
        except OSError as problem:
            raise GitProblem(f"git: expected to run it, got {problem.strerror}") from None
        except subprocess.TimeoutExpired:
            raise GitProblem(f"git {words[0]}: no end within {limit_s:g} s") from None
        if done.returncode:
            said = done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}"
            raise GitProblem(f"git {words[0]}: {one_line(self._scrub(said), LONGEST)}")
        return done.stdout.rstrip("\n")
