"""The body of an answer, decompressed: what a browser takes although it was not asked for.

It imports only the standard library, and brotli where that is installed: the prober uses it too.
"""

from __future__ import annotations

import http.client
import zlib

LARGEST_BYTES = 1_000_000
"""A longer body is cut off: health documents and probed answers are far shorter."""


def decode(headers: dict[str, str], data: bytes) -> bytes:
    """Return the body decompressed; remove each coding undone from ``headers``.

    Raises: http.client.HTTPException, when the body does not match its coding.
    """
    codings = [each.strip().lower() for each in headers.get("content-encoding", "").split(",")]
    codings = [each for each in codings if each not in ("", "identity")]
    while codings and data and len(data) <= LARGEST_BYTES:
        try:
            if codings[-1] in ("gzip", "x-gzip"):
                data = _decompress(data, 16 + zlib.MAX_WBITS)
            elif codings[-1] == "deflate":
                raw = data[0] & 0x0F != 8 or int.from_bytes(data[:2], "big") % 31
                data = _decompress(data, -zlib.MAX_WBITS if raw else zlib.MAX_WBITS)
            elif codings[-1] == "br":
                data = _decompress_brotli(data)
            else:
                break
        except ImportError:
            break
        except zlib.error:
            raise http.client.HTTPException("wrong Content-Encoding") from None
        codings.pop()
    headers["content-encoding"] = ", ".join(codings)
    if not codings:
        del headers["content-encoding"]
    return data


def _decompress(data: bytes, bits: int) -> bytes:
    """Return the decompressed data, at most a byte more than :data:`LARGEST_BYTES`."""
    found = b""
    while data and len(found) <= LARGEST_BYTES:  # a gzip file may have several members
        machine = zlib.decompressobj(bits)
        found += machine.decompress(data, LARGEST_BYTES + 1 - len(found))
        if not machine.eof and len(found) <= LARGEST_BYTES:
            raise zlib.error("cut off")
        data = machine.unused_data
    return found


def _decompress_brotli(data: bytes) -> bytes:
    """Like :func:`_decompress`, for brotli. Raises: ImportError, when no library reads it."""
    import brotli  # type: ignore[import-not-found, unused-ignore]

    machine = brotli.Decompressor()
    try:
        found: bytes = machine.process(data, output_buffer_limit=LARGEST_BYTES + 1)
    except TypeError:
        raise ImportError("this brotli cannot limit its output") from None
    except brotli.error:
        raise zlib.error("not brotli") from None
    return found
