"""The rollback: a plan that people read, and its doing once a person has confirmed it.

Rules of this package:

- This is one of the two places where production is changed (the canary is the other one), and
  the only one that changes what customers meet. :func:`plan` only reads; :func:`carry_out` acts.
- Whatever stands against it is told at once, each reason a line: :class:`Refused`.
- What changes something is sent once. When its answer is lost, it is looked up whether it
  happened; it is never sent again.
- Who did it and why is in the ledger before anything is done, and what came of it afterwards.
  That second entry declares the restart.
- A rehearsal's ledger is for a rehearsal's production, and a production's for that production.
"""

from __future__ import annotations

from hour24.rollback.doing import Carried, carry_out
from hour24.rollback.planning import WAYS, Plan, Refused, plan

__all__ = ["WAYS", "Carried", "Plan", "Refused", "carry_out", "plan"]
