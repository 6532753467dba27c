"""Latency: against a target, over all transactions, and against hour 0.

Rules of this package:

- "p99 below X" is "fewer than 1 % at or above X": exact bounds on the count, and what had no
  answer lies beyond any X. A histogram's bucket that holds X counts against whoever it hurts.
- A census is a fact from 1 / (1 - q) requests on: below, the quantile is its slowest one. Of a
  sample whose source told quantiles only, the counts that they allow are bounded.
- When more than 1 % of the requests were sent late, the prober was the bottleneck, and its
  figures show nothing.
- A refusal of our credential (401, 403) and a limit (429) are no samples: they say nothing of the
  endpoint.
"""

from hour24.objectives.latency.slower import NotSlower
from hour24.objectives.latency.target import QuantileBelow
from hour24.objectives.latency.transactions import MostBelow

__all__ = ["MostBelow", "NotSlower", "QuantileBelow"]
