"""A ledger on several machines: its entries in one order, in a store that writes a key once.

Rules of this module:

- The key of an entry is its position in the chain. Whoever creates that key has appended; every
  other machine reads it, links its own entry after it, and tries the next position. So the chain
  never forks, and no entry is there twice.
- A machine has the whole ledger in its folder, and reads nothing but that. Before it appends it
  takes over what others appended.
- ``store.json`` in the folder of a watch names its store. Probes, journals and pages stay local.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from hour24.errors import LedgerError
from hour24.ledger import chain
from hour24.ledger.chain import Entry
from hour24.ledger.stores import Store, check, open_store

FILE = "store.json"
LONGEST_NAME = 80
Entries = Callable[[], tuple[Entry, ...]]


class Shared:
    """The shared entries of one watch.

    Args:
        folder: of the watch.
    """

    def __init__(self, folder: Path, store: Store) -> None:
        self.folder = folder
        self.store = store
        self.name = folder.name

    @classmethod
    def of(cls, folder: Path) -> Shared | None:
        """Return the store that the folder names; None if it names none.

        Raises: LedgerError, when it cannot be used.
        """
        path = folder / FILE
        if not path.exists():
            return None
        try:
            address = json.loads(path.read_text("utf-8"))["store"]
        except (OSError, ValueError, KeyError, TypeError) as problem:
            raise LedgerError(f"{path}: expected the address of a store, got {problem}") from None
        return cls(folder, open_store(str(address), folder))

    def key(self, position: int) -> str:
        """Return the key of an entry."""
        return f"{self.name}/{position:06d}"

    def pull(self, entries: Entries) -> int:
        """Take over what other machines appended. Returns: the number of entries now.

        Raises: LedgerError, when the ledgers differ.
        """
        self.store.refresh()
        position = len(entries())
        while (data := self.store.read(self.key(position))) is not None:
            name, _, content = data.partition(b"\n")
            file = name.decode("utf-8", "replace")[:LONGEST_NAME]
            if not chain.kind_of(file):
                raise LedgerError(
                    f"{self.store.address}: {self.key(position)}: expected an entry, got {file!r}"
                )
            path = self.folder / file
            if path.exists():
                raise LedgerError(
                    f"{path}: expected no entry that the store does not have at its position, got "
                    "one: two ledgers of one name"
                )
            chain.put(path, content)
            position += 1
        return position

    def append(self, position: int, file: str, data: bytes) -> bool:
        """Append an entry. Returns: False when another machine appended first."""
        return self.store.create(self.key(position), file.encode() + b"\n" + data)

    def push(self, entries: tuple[Entry, ...]) -> None:
        """Bring the local entries into the store. Raises: LedgerError, when it has others."""
        for position, entry in enumerate(entries):
            data = entry.file.encode() + b"\n" + (self.folder / entry.file).read_bytes()
            key = self.key(position)
            if not self.store.create(key, data) and self.store.read(key) != data:
                raise LedgerError(
                    f"{self.store.address}: {key}: expected {entry.file} of {self.folder}, got "
                    "another entry: two ledgers of one name"
                )

    def redacted(self, entries: tuple[Entry, ...], file: str) -> None:
        """Replace an entry out of which a secret was taken. Raises: LedgerError."""
        for position, entry in enumerate(entries):
            if entry.file == file:
                data = (self.folder / file).read_bytes()
                self.store.replace(self.key(position), file.encode() + b"\n" + data)


def attach(folder: Path, address: str, entries: Entries) -> Shared:
    """Share a ledger, or take part in a shared one.

    Raises: LedgerError, when the store does not write a key once, or has another ledger of this
        name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    store = open_store(address, folder)
    check(store)
    shared = Shared(folder, store)
    shared.store.refresh()
    local = entries()
    if local:
        shared.push(local)
    count = shared.pull(entries)
    if not count:
        raise LedgerError(f"{address}: expected watch {folder.name}, got none of this name")
    (folder / FILE).write_text(json.dumps({"store": address}) + "\n", "utf-8")
    return shared
