"""The approval of a watch for customer launch.

Rules of this module:

- APPROVED FOR CUSTOMER LAUNCH is written only when nothing is missing: no finding of the records
  blocks it, and the ledger passes verification.
- A refusal lists everything that is missing at once.
- An approval is for one head of the chain: it is refused when an entry is added meanwhile.
- With a key, the exact bytes are signed before they are written; when signing fails there is no
  approval.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from hour24.errors import Hour24Error, LedgerError
from hour24.ledger import readiness, signature
from hour24.ledger.book import Ledger
from hour24.ledger.judges import other_judges
from hour24.ledger.waivers import text_problem

APPROVED = "APPROVED FOR CUSTOMER LAUNCH"


class Refused(Hour24Error):
    """A watch cannot be approved.

    Args:
        missing: what blocks the approval, one sentence each.
    """

    def __init__(self, missing: Iterable[str]) -> None:
        self.missing = tuple(missing)
        super().__init__("\n".join(self.missing))


def missing(ledger: Ledger, now: datetime, launch_at: datetime | None = None) -> tuple[str, ...]:
    """Return what is missing for an approval, one sentence each.

    Args:
        launch_at: the launch time; none: that of the newest record.
    Raises: LedgerError, when there is no watch.
    """
    from hour24.ledger.verify import verify

    entries = ledger.entries()
    signed = [f"{e.file}: already signed off" for e in entries if e.kind == "signoff"]
    found = verify(ledger.folder)
    return (
        *signed,
        *other_judges(ledger),
        *readiness.blocking(ledger, now, launch_at),
        *readiness.missing_addresses(ledger),
        *(f"{one.what}: {one.says}" for one in found if not one.ok and one.what != "signoff"),
    )


def sign(
    ledger: Ledger,
    by: str,
    role: str,
    because: str,
    now: datetime,
    key: Path | None = None,
    launch_at: datetime | None = None,
) -> Path:
    """Approve a watch: write ``signoff.json`` and its signature next to it.

    Args:
        by, role: who approves, and in which role.
        because: why; may be empty.
        key: the signer's SSH key; none: no signature.
        launch_at: the launch time; none: that of the newest record.
    Returns: path of ``signoff.json``.
    Raises: Refused, with everything that is missing; SignatureError, when the key does not sign;
        LedgerError, when it cannot be written.
    """
    head = ledger.head()
    absent = (
        *text_problem("--by", by, 'the name of the person who approves, such as "Mara Example"'),
        *text_problem("--role", role, 'the role of that person, such as "tech lead"'),
    )
    blocking = (*absent, *missing(ledger, now, launch_at))
    if blocking:
        raise Refused(blocking)
    fields: dict[str, Any] = {
        "at": now,
        "by": by.strip(),
        "role": role.strip(),
        "because": because.strip(),
        "decision": APPROVED,
        **readiness.summary(ledger, now),
    }
    launch = launch_at or readiness.launch_of(ledger)
    if launch is not None:
        fields["launch_at"] = launch
    if key is None:
        return ledger.append("signoff", fields, after=head)
    private = key
    fields["key"] = signature.fingerprint(private)

    def seal(data: bytes) -> None:
        made = signature.sign(data, private)
        signature.verify(data, made)
        path = ledger.folder / "signoff.json.sig"
        try:
            path.write_bytes(made)
        except OSError as problem:
            raise LedgerError(f"{path}: expected to write it, got {problem.strerror}") from None

    return ledger.append("signoff", fields, after=head, seal=seal)
