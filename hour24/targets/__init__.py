"""What a checkpoint runs against: a production, a production's daily checks, or a rehearsal.

Rules of this package:

- ``request`` holds the command line; ``choosing`` selects the target by name.
- Each target (``production``, ``daily``, ``rehearsal``) makes one frozen ``context.Context`` with
  everything that depends on the kind of target. No other code asks which kind it is.
- ``rehearsal`` is imported only when selected; no other module here imports
  :mod:`hour24.rehearsal`.
- ``watches`` finds the watch to continue, or opens a new one.
"""
