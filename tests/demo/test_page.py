"""The demo's page in a real browser: strokes, predictions, the dial. Needs Playwright and a Chromium.

pip install -e '.[browser]' and a Chromium or Chrome of the system; CHROMIUM names another one.
"""

import os
import shutil
import threading

import pytest

from lit_cnn.demo.server import Server
from lit_cnn.demo.session import Session

playwright = pytest.importorskip("playwright.sync_api", reason="needs Playwright: pip install -e '.[browser]'")
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
CHROMIUM = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs a Chromium or Chrome")


@pytest.fixture(scope="module")
def address():
    with Server(Session(), 0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server.address
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser, address):
    page = browser.new_page(viewport={"width": 1360, "height": 860})
    page.asked, page.faults = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    page.on("console", lambda said: page.faults.append(said.text) if said.type == "error" else None)
    page.goto(address)
    page.wait_for_selector("#digits img")
    yield page
    assert page.faults == []
    assert all(url.startswith((address, "data:")) for url in page.asked)
    page.close()


def draw_a_one(page):
    box = page.locator("#pad").bounding_box()
    middle = box["x"] + box["width"] / 2
    page.mouse.move(middle, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(middle - 5, box["y"] + box["height"] - 40, steps=12)
    page.mouse.up()


def answer(page, network):
    return page.locator(f"[data-network='{network}'] .answer b").inner_text()


def wait_for(page, network, text):
    page.wait_for_function(
        "([network, text]) => document.querySelector(`[data-network='${network}'] .answer b`).textContent === text",
        arg=[network, text],
    )


def test_drawn_digit_is_read_and_cleared(page):
    assert answer(page, "cnn_mnist") == "?"
    draw_a_one(page)
    for network in ("mlp_mnist", "cnn_mnist", "quickstart"):
        wait_for(page, network, "1")
    assert page.locator("[data-network=cnn_mnist] .tiles img").first.get_attribute("src").startswith("data:image/png")
    page.click("#undo")
    wait_for(page, "cnn_mnist", "?")
    draw_a_one(page)
    wait_for(page, "cnn_mnist", "1")
    page.click("#clear")
    wait_for(page, "cnn_mnist", "?")


def test_dial_shuffles_the_picture_and_shows_the_accuracies(page):
    page.locator("#digits button").nth(3).click()
    wait_for(page, "dial-CNN", "3")
    assert page.locator("[data-network=dial-CNN] .tiles figure").count() == 2
    page.locator("#block").fill("0")
    page.wait_for_function("document.querySelectorAll('[data-network=dial-CNN] .tiles figure').length === 3")
    assert page.locator("#k").inner_text() == "1 pixel"
    assert "CNN: 84.2 % at k = 1" in page.locator("#chart").text_content()
    page.click("[data-training=whole]")
    page.wait_for_function("!document.querySelector('#chart').textContent.includes('84.2 %')")
    page.locator("#knob text").nth(3).click(force=True)
    page.wait_for_function("document.querySelector('#k').textContent === '7 pixels'")


def test_sliders_change_what_the_networks_see(page):
    page.locator("#digits button").nth(6).click()
    wait_for(page, "cnn_mnist", "6")
    tile = "document.querySelector('[data-network=cnn_mnist] .tiles img').src"
    before = page.evaluate(tile)
    page.locator("#degrees").fill("180")
    page.wait_for_function(f"{tile} !== arguments[0]".replace("arguments[0]", repr(before)))
    page.click("#reset")
    page.wait_for_function(f"{tile} === {before!r}")


def test_opened_photo_goes_to_the_networks_of_photos(page, tmp_path):
    from PIL import Image

    Image.new("RGB", (80, 60), (40, 90, 200)).save(tmp_path / "sky.png")
    page.set_input_files("#file", tmp_path / "sky.png")
    page.wait_for_function("document.querySelector('[data-network=airbench94_cifar] .answer b').textContent !== '?'")
    assert page.locator("[data-network=cnn_mnist]").is_hidden()
    (tmp_path / "broken.png").write_bytes(b"no image")
    page.set_input_files("#file", tmp_path / "broken.png")
    page.wait_for_function("document.querySelector('#status').textContent.includes('cannot read this file')")
