"""The rollback: a plan for people to read, carried out after a person has confirmed it.

Rules of this package:

- Only this package and the canary change production, and only this one changes what customers
  get. :func:`plan` only reads; :func:`carry_out` acts.
- All reasons against it are reported at once, one per line: :class:`Refused`.
- A change is sent once. If its answer is lost, its effect is looked up; it is never sent again.
- Who does it and why is written to the ledger before anything is done, and the result afterwards.
  That second entry declares the restart.
- The ledger of a rehearsal is only for its rehearsal, that of a production only for it.
"""

from __future__ import annotations

from hour24.rollback.execution import RollbackResult, carry_out
from hour24.rollback.planning import WAYS, Plan, Refused, plan

__all__ = ["WAYS", "Plan", "Refused", "RollbackResult", "carry_out", "plan"]
