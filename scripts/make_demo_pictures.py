"""Takes the pictures of docs/demo.md: draws a digit on the demo's page in a real browser, and turns the dial.

    python scripts/make_demo_pictures.py

Needs `pip install -e '.[browser]'` and a Chromium.
"""

import shutil
import sys
import threading
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from playwright.sync_api import sync_playwright

from lit_cnn.demo.server import Server
from lit_cnn.demo.session import Session

DOCS = Path(__file__).parents[1] / "docs"
THREE = [(0.3, 0.2), (0.42, 0.14), (0.58, 0.15), (0.68, 0.25), (0.64, 0.38), (0.5, 0.46), (0.66, 0.54), (0.72, 0.68)]
THREE += [(0.62, 0.82), (0.44, 0.86), (0.3, 0.79)]  # shares of the pad's width and height


def draw(page: Any, points: list[tuple[float, float]]) -> None:
    """Draws one stroke."""
    box = page.locator("#pad").bounding_box()
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=4)
    page.mouse.up()


def main() -> None:
    """Writes docs/demo.png and docs/demo_dial.png."""
    with Server(Session(), 0) as server, sync_playwright() as playwright:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1366, "height": 800})
        page.goto(server.address)
        page.wait_for_selector("#digits img")
        draw(page, THREE)
        page.wait_for_timeout(2000)
        page.screenshot(path=DOCS / "demo.png", clip={"x": 30, "y": 0, "width": 1306, "height": 800})
        page.locator("#block").fill("0")
        page.evaluate("document.activeElement.blur()")
        page.wait_for_timeout(2500)
        page.locator("#dial").screenshot(path=DOCS / "demo_dial.png")
        browser.close()
        server.shutdown()


if __name__ == "__main__":
    main()
