"""One attempt at a checkpoint, from the target to the record and its pages.

Rules of this package:

- ``opening``: what must hold first; ``attempt``: the state of a run; ``run``: what it does;
  ``recording``: its record; ``killed``: its record when it was killed.
- ``questions`` lists what may be asked, ``inquiry`` asks it side by side, ``asked`` is for
  questions of one's own; ``baseline``: what hour 0 keeps; ``addresses``: where production is found.
- ``terminal``: what is shown; ``notify``: who is notified.
- All that depends on the target is in the context (:mod:`hour24.targets`); nothing here asks which
  kind of target it is, and nothing here knows pytest.
"""
