"""An embedded production to practise on: a backend, its vendors, its database, and one story.

Rules of this package:

- The story (:mod:`hour24.rehearsal.story`) is a pure function of seed, faults, T0 and moment;
  it knows hours since T0 and never the date. Two rehearsals with one seed give the same verdicts.
- Sources meet it in the vendors' own wire formats, on loopback, and never in its code.
- Its clock steps; only latency is real.
- Whatever it starts it also stops, even when it is killed.
"""
