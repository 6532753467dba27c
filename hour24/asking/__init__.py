"""How an outside system is asked over HTTP, and how its answers are read.

Rules of this package:

- ``client``: an HTTP client with retries, budgets and rate limits; ``fetching`` sends one request
  of it, ``answers`` reads what came back, strictly.
- ``exchange``: probes and samples of the accused, timed from when they were due; ``workers``
  sends them on schedule.
- Nothing here knows whom it asks, nor judges.
"""
