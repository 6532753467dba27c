"""Who approves a watch for customer launch, and whether that may be.

Rules of this module:

- APPROVED FOR CUSTOMER LAUNCH is written only when nothing is missing: nothing stands against it
  in the records, and the ledger is genuine as far as it can be verified.
- Whoever is refused is told everything that is missing, at once.
- The approval speaks of one head of the chain: when the ledger moves on meanwhile, it is refused.
- With a key, the exact bytes are signed before they are there; without a signature there is then
  no approval either.
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
from hour24.ledger.waivers import unfilled

APPROVED = "APPROVED FOR CUSTOMER LAUNCH"


class Refused(Hour24Error):
    """A watch cannot be approved.

    Args:
        missing: what stands in the way, one sentence each.
    """

    def __init__(self, missing: Iterable[str]) -> None:
        self.missing = tuple(missing)
        super().__init__("\n".join(self.missing))


def missing(ledger: Ledger, now: datetime, launch_at: datetime | None = None) -> tuple[str, ...]:
    """What is missing for an approval, one sentence each; none when it may be approved.

    Args:
        launch_at: when customers are let in; none: as the newest record has it.
    Raises: LedgerError, when there is no watch.
    """
    from hour24.ledger.verify import verify

    entries = ledger.entries()
    signed = [f"{e.file}: it was signed off already" for e in entries if e.kind == "signoff"]
    found = verify(ledger.folder)
    return (
        *signed,
        *other_judges(ledger),
        *readiness.standing_against(ledger, now, launch_at),
        *readiness.nowhere(ledger),
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
    """Approve a watch: write ``signoff.json``, and its signature beside it.

    Args:
        by, role: who approves, and as what.
        because: why; may be empty.
        key: the signer's own SSH key; none: it is not signed.
        launch_at: when customers are let in; none: as the newest record has it.
    Returns: path of ``signoff.json``.
    Raises: Refused, with everything that is missing; SignatureError, when the key does not sign;
        LedgerError, when it cannot be written.
    """
    head = ledger.head()
    absent = (
        *unfilled("--by", by, 'the name of the person who approves, such as "Mara Example"'),
        *unfilled("--role", role, 'the role of that person, such as "tech lead"'),
    )
    stands = (*absent, *missing(ledger, now, launch_at))
    if stands:
        raise Refused(stands)
    fields: dict[str, Any] = {
        "at": now,
        "by": by.strip(),
        "role": role.strip(),
        "because": because.strip(),
        "decision": APPROVED,
        **readiness.told(ledger, now),
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
