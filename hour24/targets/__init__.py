"""What a checkpoint runs against: a production, a production's daily look, or a rehearsal.

Rules of this package:

- ``request`` is the command line, read once; ``choosing`` picks the target by name.
- Each target (``production``, ``daily``, ``rehearsal``) makes one frozen ``context.Context``: all
  that depends on the kind of target. Nothing below asks which kind it is.
- ``rehearsal`` is imported only when it was chosen; no other module here imports
  :mod:`hour24.rehearsal`.
- ``watches`` finds the watch that is meant, or opens it.
"""
