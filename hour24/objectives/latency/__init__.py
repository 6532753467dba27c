"""Latency: compared with a target, over all transactions, and compared with hour 0.

Rules of this package:

- "p99 below X" is "fewer than 1 % at or above X": exact bounds on the count; a request without an
  answer is above any X. The histogram bucket that contains X counts on the unfavourable side.
- A census is exact from 1 / (1 - q) requests on: below that, the quantile is its slowest one. For a
  sample whose source returned only quantiles, the possible counts are bounded.
- When more than 1 % of the requests were sent late, the prober was the bottleneck, and its figures
  show nothing.
- A refusal of our credential (401, 403) and a rate limit (429) are no samples: they say nothing
  about the endpoint.
"""

from hour24.objectives.latency.slower import NotSlower
from hour24.objectives.latency.target import QuantileBelow
from hour24.objectives.latency.transactions import MostBelow

__all__ = ["MostBelow", "NotSlower", "QuantileBelow"]
