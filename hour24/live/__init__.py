"""One process that runs a whole watch: it probes, runs each checkpoint when due, shows a live page.

Rules of this package:

- ``checkpoints`` runs each checkpoint as its own ``pytest -m hourN``; ``taking_over`` lets one
  process at a time run a watch; ``status`` is what is shown; ``server`` serves it on loopback.
- Nothing is kept here that the ledger does not have: a process that is killed at any time is
  replaced by one that reads the ledger.
"""
