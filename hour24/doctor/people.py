"""Trials of contacts, of alert addresses, and of a rollback from this machine.

Rules of this module:

- No alert is sent and nothing is changed.
"""

from __future__ import annotations

import subprocess
import warnings
from collections.abc import Sequence
from pathlib import Path

from hour24.config import Production
from hour24.doctor.trial import listed
from hour24.errors import SourceEmpty, SourceLacks, SourceMisread, SourceRefused
from hour24.rollback.git import Clone, GitProblem
from hour24.secrets import Secret
from hour24.secrets.redactor import Redactor
from hour24.witnesses.port import Trial


def people(production: Production) -> list[Trial]:
    return [
        Trial(
            name="contacts",
            asked=lambda: _contacts(production),
            empty=f"add [[contacts]] to {production.path}: tech lead, devops, on call",
        ),
        Trial(
            name="alerts",
            asked=lambda: _alerts(production.alert_urls),
            empty="set HOUR24_ALERT_URLS, such as slack://... or mailto://...; separate "
            "several with spaces",
            misread="see the wiki of apprise (caronc/apprise) for the form of each address",
        ),
        Trial(
            name="rollback",
            asked=lambda: _repository(production),
            right="set [repository] path, remote and branch to a clone of what is deployed",
        ),
    ]


def _contacts(production: Production) -> str:
    if not production.contacts:
        raise SourceEmpty("contacts: expected a person to call, got no one")
    return listed([contact.role for contact in production.contacts])


def _alerts(urls: Sequence[Secret]) -> str:
    if not urls:
        raise SourceEmpty("alerts: expected an address to alert, got none")
    with warnings.catch_warnings():
        # apprise imports imghdr, which warns that it is deprecated.
        warnings.simplefilter("ignore", DeprecationWarning)
        import apprise

        bad = [secret.name for secret in urls if not apprise.Apprise().add(secret.reveal())]
    if bad:
        raise SourceMisread(
            f"alerts: expected addresses that apprise knows, got an unknown form: {listed(bad)}"
        )
    return f"{len(urls)} addresses, valid; none was alerted"


def _repository(production: Production) -> str:
    at = production.repository
    path = (Path(production.path).parent / at.path).resolve()
    try:
        found = subprocess.run(
            ["git", "-C", str(path), "remote", "get-url", at.remote],
            capture_output=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        raise SourceLacks("rollback: expected git to answer, got nothing") from None
    if found.returncode:
        raise SourceRefused(f"rollback: expected a clone with remote {at.remote}, got none")
    secrets = Redactor((each.name, each.reveal()) for each in production.secrets)
    clone = Clone(at, Path(production.path).resolve().parent, secrets.text)
    try:
        here = clone.head().id
    except GitProblem as problem:
        raise SourceRefused(f"rollback: expected a clone with a commit, got: {problem}") from None
    if refusal := next(clone.problems(here), ""):  # the rollback itself checks what is live
        raise SourceRefused(f"rollback: git would refuse it: {refusal}")
    return f"{at.remote}/{at.branch} can be reverted from here"
