"""The picture of a FAIL page in README.md, made from a stored record.

    python -m tests.pages.picture                   after a change of the pages
    python -m tests.pages.picture hour12.a1.json    with another record of a rehearsal

It writes the page's HTML next to the record and both pictures into docs/images/.
"""

from __future__ import annotations

import lzma
import sys
from pathlib import Path

from hour24.ledger.record import parse
from hour24.report import checkpoint
from tests import needs

HERE = Path(__file__).parent
RECORD = HERE / "picture.json.xz"
HTML = HERE / "picture.html.xz"
IMAGES = HERE.parents[1] / "docs" / "images"
SCHEMES = ("light", "dark")
WIDTH, HEIGHT = 1400, 820


def html() -> bytes:
    """The page of the stored record, as today's code writes it."""
    record = parse(lzma.decompress(RECORD.read_bytes()), RECORD.name)
    return checkpoint.text(record, None, Path("reports/launch/hour12.a1.html")).encode()


def image(scheme: str) -> Path:
    """Where the picture in this colour scheme is."""
    return IMAGES / f"page-{scheme}.png"


def take(page_html: bytes) -> None:
    """Write the pictures: the first screen, in light and in dark."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=needs.browser(), args=["--no-sandbox"])
        for scheme in SCHEMES:
            page = browser.new_page(
                viewport={"width": WIDTH, "height": HEIGHT}, color_scheme=scheme
            )
            page.set_content(page_html.decode())
            page.screenshot(path=image(scheme))
        browser.close()


def main(arguments: list[str]) -> None:
    if arguments:
        RECORD.write_bytes(lzma.compress(Path(arguments[0]).read_bytes()))
    made = html()
    IMAGES.mkdir(parents=True, exist_ok=True)
    take(made)
    HTML.write_bytes(lzma.compress(made))


if __name__ == "__main__":
    main(sys.argv[1:])
