"""What ``python -m hour24 NAME`` does, one module for each subject.

Rules of this package:

- A command returns its exit code; what it cannot use it refuses with an error of
  :mod:`hour24.errors`, which ``__main__`` prints, one line for each problem.
- Text of the system under watch is shown on one line, without control characters.
"""
