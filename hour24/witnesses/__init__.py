"""The outside systems that testify about the service, one folder each, named as its section.

Rules of this package:

- A witness imports what is shared, and no other witness.
- It answers and never judges.
- A folder's ``__init__`` is cheap, and imported only where production.toml has its section.
"""
