"""Whether this hour24 may continue a watch: only with the judges that began it.

Rules of this module:

- One version of the judges decides a watch from its beginning to its sign-off: hours that two
  versions decided could not be compared.
- Reading, verifying and showing an older watch is always possible.
"""

from __future__ import annotations

from collections.abc import Iterator

from hour24 import versions
from hour24.ledger.book import Ledger


def other_judges(ledger: Ledger) -> Iterator[str]:
    """Yield why this version may not continue the watch, with the remedy."""
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
        f"got {genesis.judges}: finish the watch with {theirs}, or start a new one: "
        f"pytest -m hour0{target} --follows {genesis.name}"
    )
