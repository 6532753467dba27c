"""Runs one attempt at a checkpoint, from the command line to the record and its pages.

Rules of this package:

- ``opening`` checks the preconditions; ``attempt`` is the state of a run and ``run`` its methods;
  ``recording`` builds the record; ``killed`` rebuilds the record of a killed run.
- ``questions`` lists all questions, ``inquiry`` asks them in parallel, ``custom`` asks those
  of your own checks; ``baseline`` is what hour 0 records; ``addresses`` are production's addresses.
- ``keeping`` only asks, when a checkpoint is due, what exists only now; ``kept`` keeps the answers
  for a run that comes later.
- ``terminal`` writes the output; ``notify`` sends alerts and heartbeats.
- Everything that depends on the target is in the context (:mod:`hour24.targets`). Nothing here asks
  which kind of target it is, and nothing here imports pytest.
"""
