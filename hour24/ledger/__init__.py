"""The ledger: all records and entries of one watch on disk, and what follows from them.

Rules of this package:

- ``record`` is one attempt at a checkpoint, ``canonical`` its bytes, ``journal`` keeps each verdict
  until the record is written, ``book`` is the ledger: written once, numbered, locked; ``chain``
  links its entries.
- ``standings``: the state of every criterion over attempts, later evidence and waivers.
- ``waivers`` and ``declaring``: entries that people add; ``readiness`` and ``signoff``: what is
  missing, and who approves, with ``signature``.
- ``verify`` recomputes every verdict. Nothing here queries production.
"""
