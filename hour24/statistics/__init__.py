"""Intervals, trends, shifts, groupings: one room a question, plain numbers in and out.

Rules of this package:

- It knows nothing of ours: no evidence, no verdicts; times are seconds or hours, as named.
- Each function names its paper or its formula, and what it cannot do.
- Constants are policy, named at the top of their room, with the reason beside them.
- numpy and scipy are imported inside the functions: naming an objective must cost nothing.
"""
