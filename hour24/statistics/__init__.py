"""Intervals, trends, shifts and groupings: one module per question, plain numbers in and out.

Rules of this package:

- This package knows neither evidence nor verdicts. Times are seconds or hours, as named.
- Each function cites its paper or formula, and states its limits.
- Constants are policy: named at the top of their module, each with its reason under it.
- numpy and scipy are imported inside the functions: importing an objective must be cheap.
"""
