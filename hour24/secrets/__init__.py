"""Secrets: their type, what they look like, how they are redacted, and the scan of finished files.

- ``secret``: :class:`Secret`, a value that does not print.
- ``shapes``: what looks like a secret.
- ``redactor``: replaces secrets in everything that is written.
- ``scan``: searches every finished file for every secret.
"""

from hour24.secrets.secret import Secret

__all__ = ["Secret"]
