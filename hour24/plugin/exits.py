"""The exit codes of a checkpoint; 2 to 6 are pytest's own."""

from hour24.verdict import Outcome

EXIT = {Outcome.PASS: 0, Outcome.FAIL: 1, Outcome.INCONCLUSIVE: 10, Outcome.NOT_APPLICABLE: 10}
EXIT_HARD_LIMIT = 11
EXIT_NOT_WRITTEN = 12
EXIT_LOCKED = 13
