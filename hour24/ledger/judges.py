"""Whether this hour24 may add a verdict or an approval to a watch: only with the same judges.

Rules of this module:

- One watch is decided by one version of the judges, from its beginning to its sign-off: what two
  versions decided side by side could not be compared between hours.
- Reading, verifying and showing an older watch is always possible.
"""

from __future__ import annotations

from collections.abc import Iterator

from hour24 import versions
from hour24.ledger.book import Ledger


def other_judges(ledger: Ledger) -> Iterator[str]:
    """Why this version may not continue the watch, with the remedy; nothing when it may."""
    genesis = ledger.genesis
    if genesis.judges == versions.JUDGES:
        return
    first = next(iter(ledger.as_written()), None)
    theirs = versions.release(
        genesis.judges,
        first.vantage.version if first is not None else "",
        first.vantage.commit if first is not None else "",
    )
    target = "" if genesis.target == "production.toml" else f" --target {genesis.target}"
    yield (
        f"watch {genesis.name}: judges: expected version {versions.JUDGES}, that of this hour24, "
        f"got {genesis.judges}: finish the watch with {theirs}, or begin a new one: "
        f"pytest -m hour0{target} --follows {genesis.name}"
    )
