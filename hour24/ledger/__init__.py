"""All records of one watch on disk, and what they say together.

Rules of this package:

- ``record`` is one attempt at a checkpoint, ``canonical`` its one form as bytes, ``journal`` what
  is safe before it is written, ``book`` the ledger: written once, numbered, locked; ``chain``
  seals it.
- ``standings``: how every criterion stands over attempts, later evidence and waivers.
- ``waivers`` and ``declaring``: what named persons say; ``readiness`` and ``signoff``: what is
  missing, and who approves, with ``signature``.
- ``verify`` derives every verdict again. Nothing here asks production.
"""
