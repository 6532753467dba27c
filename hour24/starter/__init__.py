"""The files that `hour24 init` writes into a user's own repository.

Rules of this package:

- The files are those of the clone's top level; the wheel includes them (:mod:`hour24.shipped`).
- Nothing is overwritten, and nothing is written while there is any problem.
- The pin is what hour24 itself was installed from; nothing is installed from a package index by
  the name hour24.
- Answers of a service are data: bounded, and quoted for the file they are written to.
"""
