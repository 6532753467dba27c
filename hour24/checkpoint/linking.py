"""The addresses that the pages of a checkpoint link to.

Rules of this module:

- They come from production.toml alone; nothing that a source answered is in them.
- Only https is kept, and only as the redactor leaves it.
"""

from __future__ import annotations

from collections.abc import Callable

from hour24 import links
from hour24.config import Production
from hour24.links import Links
from hour24.witnesses.port import page_of


def links_of(production: Production, redacted: Callable[[str], str] = str) -> Links:
    """Return the addresses that pages may link to."""
    stated = production.links
    issues, status = {}, {}
    for section, (witness, at) in production.described.items():
        if witness.issue_page and not witness.many:
            template = stated.issues or page_of(witness.issue_page, at)
            if links.issue(template := redacted(template), "1"):
                issues[section] = template
        if witness.status_page:
            for each in at if witness.many else (at,):
                address = redacted(page_of(witness.status_page, each))
                if links.is_link(address):
                    status[str(getattr(each, "name", "") or witness.title)] = address
    return Links(
        issues=issues, logs=redacted(stated.logs), runbook=redacted(stated.runbook), status=status
    )
