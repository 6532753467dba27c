"""The proxy that the environment names for an address; none for this machine's own."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit


@dataclass(frozen=True)
class Proxy:
    """Where it is, and what it is shown."""

    host: str
    port: int
    credentials: str = field(default="", repr=False)

    def headers(self) -> dict[str, str]:
        """Return the headers that it is sent."""
        if not self.credentials:
            return {}
        return {"Proxy-Authorization": f"Basic {b64encode(self.credentials.encode()).decode()}"}

    def header_lines(self) -> list[str]:
        """Return them as lines of a request."""
        return [f"{name}: {value}" for name, value in self.headers().items()]


def proxy_for(scheme: str, host: str) -> Proxy | None:
    """Return the proxy for a host, or None."""
    from urllib.request import getproxies, proxy_bypass

    if host == "localhost" or host.startswith("127.") or host == "::1" or proxy_bypass(host):
        return None
    parts = urlsplit(getproxies().get(scheme, ""))
    if not parts.hostname:
        return None
    credentials = (
        f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else ""
    )
    return Proxy(parts.hostname, parts.port or 8080, credentials)
