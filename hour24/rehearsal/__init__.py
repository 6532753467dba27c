"""An embedded production to practise on: a backend, its vendors, its database, and a scenario.


Rules of this package:

- The scenario (:mod:`hour24.rehearsal.scenario`) is a pure function of seed, faults, T0 and time;
  it depends on hours since T0 and never on the date. Two rehearsals with the same seed give the
  same verdicts.
- Witnesses reach it in the vendors' own wire formats, over loopback, and never in its code.
- Its clock steps; only latency is real.
- Whatever it starts it also stops, even when it is killed.
"""
