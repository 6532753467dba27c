"""One attempt at a checkpoint, from the target to the record and its pages.

Rules of this package:

- ``stage``: where it plays; ``opening``: what must hold first; ``run``: the attempt; ``killed``:
  its record when it was killed.
- ``questions`` lists what may be asked, ``inquiry`` asks it side by side, ``asked`` is for
  questions of one's own; ``baseline``: what hour 0 keeps; ``daily``: the looks of the week after.
- ``terminal``: what is shown.
- Nothing here knows pytest.
"""
