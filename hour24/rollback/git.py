"""The clone of what is deployed: checks if its last commit can be reverted, and reverts it.

Rules of this module:

- Checks change nothing, not even the remote-tracking branches.
- Only the revert commit made here is ever undone, and only if there is no commit on it and nothing
  was changed since.
- Git never prompts and has a timeout.
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

CHECK_WITHIN_S = 30.0
"""The timeout of a git command that reads; ls-remote waits for the network."""
PUSH_WITHIN_S = 180.0
"""The timeout of revert and push; hooks of the repository may run."""
LONGEST = 300
MOST_FILES = 3
GIT_VARIABLES = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX")
"""Variables that would make git use another clone."""


class GitProblem(Hour24Error):
    """A git command failed; the message is its output, redacted."""


class Commit(Struct, frozen=True, kw_only=True):
    """A commit: full id, subject, author, time, ids of its parents."""

    id: str
    subject: str
    author: str
    at: str
    parents: tuple[str, ...]


class Clone:
    """The clone that ``[repository]`` in production.toml names.

    Args:
        base: folder that a relative path starts from.
        scrub: redacts secrets in a text.
    """

    def __init__(self, at: Repository, base: Path, scrub: Callable[[str], str]) -> None:
        self.path = (base / at.path).resolve()
        self.remote = at.remote
        self.branch = at.branch
        self._scrub = scrub

    # --- checking -----------------------------------------------------------------------------

    def problems(self, live: str) -> Iterator[str]:
        """Yield the reasons against reverting the last commit and pushing that, one line each.

        Args:
            live: the commit that is deployed now; empty: the platform does not report it.
        """
        where = f"repository {self.path}"
        try:
            self._git("rev-parse", "--is-inside-work-tree")
            head = self.head()
        except GitProblem as problem:
            yield f"{where}: expected a clone with a commit, got none ({problem})"
            return
        yield from self._wrong_branch(where)
        changed = self._git("status", "--porcelain", "--untracked-files=no").splitlines()
        if changed:
            files = ", ".join(one_line(line[3:]) for line in changed[:MOST_FILES])
            more = f" and {len(changed) - MOST_FILES} more" if len(changed) > MOST_FILES else ""
            yield (
                f"{where}: expected nothing uncommitted, got {files}{more}; commit or stash it "
                "first, so that the revert undoes what is deployed and nothing else"
            )
        yield from self._differs_from_remote(where, head)
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
            got = f"commit {live[:12]}" if live else "no commit from the platform"
            yield (
                f"{where}: expected HEAD {head.id[:12]} to be what is deployed, got {got}; "
                "reverting HEAD would not undo what is live"
            )

    def _wrong_branch(self, where: str) -> Iterator[str]:
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

    def _differs_from_remote(self, where: str, head: Commit) -> Iterator[str]:
        """Yield how the clone and its remote differ, if they do."""
        name = f"{self.remote}/{self.branch}"
        try:
            there = self.pushed()
        except GitProblem as problem:
            yield f"{where}: {self.remote}: expected it to answer, got: {problem}"
            return
        if not there:
            yield f"{where}: expected {name} to exist, got no such branch"
        elif there != head.id:
            if self._has(there) and self._ancestor(there, head.id):
                many = self._git("rev-list", "--count", f"{there}..{head.id}")
                yield (
                    f"{where}: expected HEAD to be what {name} is, got {many} commits that are "
                    "not pushed; pushing the revert would deploy them as well"
                )
            else:
                yield (
                    f"{where}: expected HEAD to be what {name} is, got {name} at {there[:12]}, "
                    "which this clone is behind; git pull --ff-only first, and check what changed"
                )

    def head(self) -> Commit:
        """Return the last commit. Raises: GitProblem."""
        shown = self._git("show", "-s", "--format=%H%x00%P%x00%an%x00%aI%x00%s", "HEAD")
        commit, parents, author, at, subject = shown.split("\0", 4)
        return Commit(
            id=commit,
            subject=one_line(self._scrub(subject)),
            author=one_line(self._scrub(author)),
            at=at,
            parents=tuple(parents.split()),
        )

    def pushed(self) -> str:
        """Return the commit of the remote branch; empty if there is no such branch.

        Raises: GitProblem, if the remote does not answer.
        """
        listed = self._git("ls-remote", "--heads", self.remote, f"refs/heads/{self.branch}")
        return listed.split()[0] if listed else ""

    def since(self, commit: str) -> int | None:
        """Return the number of commits HEAD is ahead of this one; None if it is not known here."""
        if not commit or not self._has(commit) or not self._ancestor(commit, "HEAD"):
            return None
        return int(self._git("rev-list", "--count", f"{commit}..HEAD"))

    def _has(self, commit: str) -> bool:
        return self._succeeds("cat-file", "-e", f"{commit}^{{commit}}")

    def _ancestor(self, older: str, newer: str) -> bool:
        return self._succeeds("merge-base", "--is-ancestor", older, newer)

    # --- reverting ----------------------------------------------------------------------------

    def revert(self) -> str:
        """Revert the last commit. Returns: the id of the revert commit.

        Raises: GitProblem, if it fails; the tree is unchanged unless the message says otherwise.
        """
        before = self.head().id
        try:
            self._git("revert", "--no-edit", "HEAD", limit_s=PUSH_WITHIN_S)
        except GitProblem as problem:
            # Nothing was staged before, so what is staged is ours. `revert --abort` does not undo
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
        """Push a commit to the remote branch, without force. Raises: GitProblem."""
        self._git("push", self.remote, f"{commit}:refs/heads/{self.branch}", limit_s=PUSH_WITHIN_S)

    def take_back(self, made: str) -> None:
        """Undo the revert commit ``made``, if it is still the last one.

        Raises: GitProblem, if something else was done in the meantime.
        """
        head = self.head()
        if head.id != made or len(head.parents) != 1:
            raise GitProblem(
                f"{self.path}: expected our revert {made[:12]} at HEAD, got {head.id[:12]}"
            )
        self._git("reset", "--keep", head.parents[0])  # unlike --hard, it keeps uncommitted changes

    # --- running git --------------------------------------------------------------------------

    def commands(self) -> tuple[str, str]:
        """Return the two commands as a person would type them."""
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

    def _git(self, *words: str, limit_s: float = CHECK_WITHIN_S) -> str:
        """Return the output of git. Raises: GitProblem, with the output if it fails."""
        env = {name: value for name, value in os.environ.items() if name not in GIT_VARIABLES}
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
            output = done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}"
            raise GitProblem(f"git {words[0]}: {one_line(self._scrub(output), LONGEST)}")
        return done.stdout.rstrip("\n")
