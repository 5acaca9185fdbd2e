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
    return page.locator(f"[data-network='{network}'] .answer b")


def test_drawn_digit_is_read_and_cleared(page):
    expect = playwright.expect
    expect(answer(page, "cnn_mnist")).to_have_text("?")
    draw_a_one(page)
    for network in ("mlp_mnist", "cnn_mnist", "quickstart"):
        expect(answer(page, network)).to_have_text("1")
    seen = page.locator("[data-network=cnn_mnist] .tiles img").first
    assert seen.get_attribute("src").startswith("data:image/png")
    page.click("#undo")
    expect(answer(page, "cnn_mnist")).to_have_text("?")
    draw_a_one(page)
    expect(answer(page, "cnn_mnist")).to_have_text("1")
    page.click("#clear")
    expect(answer(page, "cnn_mnist")).to_have_text("?")


def test_dial_shuffles_the_picture_and_shows_the_accuracies(page):
    expect, tiles = playwright.expect, page.locator("[data-network=dial-CNN] .tiles figure")
    page.locator("#digits button").nth(3).click()
    expect(answer(page, "dial-CNN")).to_have_text("3")
    expect(tiles).to_have_count(2)
    page.locator("#block").fill("0")
    expect(tiles).to_have_count(3)
    expect(page.locator("#k")).to_have_text("1 pixel")
    expect(page.locator("#chart")).to_contain_text("CNN: 84.2 % at k = 1")
    page.click("[data-training=whole]")
    expect(page.locator("#chart")).not_to_contain_text("84.2 %")
    page.locator("#knob text").nth(3).click(force=True)
    expect(page.locator("#k")).to_have_text("7 pixels")


def test_sliders_change_what_the_networks_see(page):
    expect, seen = playwright.expect, page.locator("[data-network=cnn_mnist] .tiles img").first
    page.locator("#digits button").nth(6).click()
    expect(answer(page, "cnn_mnist")).to_have_text("6")
    before = seen.get_attribute("src")
    page.locator("#degrees").fill("180")
    expect(seen).not_to_have_attribute("src", before)
    page.click("#reset")
    expect(seen).to_have_attribute("src", before)


def test_opened_photo_goes_to_the_networks_of_photos(page, tmp_path):
    from PIL import Image

    expect = playwright.expect
    Image.new("RGB", (80, 60), (40, 90, 200)).save(tmp_path / "sky.png")
    page.set_input_files("#file", tmp_path / "sky.png")
    expect(answer(page, "airbench94_cifar")).not_to_have_text("?")
    expect(page.locator("[data-network=cnn_mnist]")).to_be_hidden()
    (tmp_path / "broken.png").write_bytes(b"no image")
    page.set_input_files("#file", tmp_path / "broken.png")
    expect(page.locator("#status")).to_contain_text("cannot read this file")
