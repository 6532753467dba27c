"""What ``python -m hour24 NAME`` does, one room a subject.

Rules of this package:

- A command returns its exit code; what it cannot use it refuses by an error of
  :mod:`hour24.errors`, which ``__main__`` shows, one line a problem.
- Text of the system under watch is shown on one line, without control characters.
"""
