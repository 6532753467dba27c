"""What `hour24 init` writes into a user's own repository.

Rules of this package:

- The files are the clone's top level itself; the wheel holds them (:mod:`hour24.shipped`).
- Nothing is overwritten, and nothing is written while anything is wrong.
- What is pinned is what hour24 itself was installed from; nothing is taken from a package index by
  the name hour24.
- Answers of a service that is read are data: bounded, and quoted for the file they go into.
"""
