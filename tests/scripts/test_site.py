"""The check of the site: dead links, and pages that load from elsewhere."""

from pathlib import Path

from scripts.make_site import faults


def test_dead_links_and_foreign_scripts_are_found():
    Path("site").mkdir()
    Path("site/a.html").write_text(
        '<a href="b.html#there">b</a> <a href="b.html#gone">b</a> <a href="c.html">c</a> <a href="https://x.org/y">x</a>'
        '<script src="https://x.org/y.js"></script> <img src="d.png">'
    )
    Path("site/b.html").write_text('<p id="there"><a href="a.html#">a</a></p>')
    Path("site/s.css").write_text("@font-face { src: url(https://x.org/f.woff) }")
    assert faults(Path("site")) == [
        "a.html loads https://x.org/y.js",
        "a.html links to b.html#gone, but that page has no such place",
        "a.html links to c.html, which is not there",
        "a.html links to d.png, which is not there",
        "s.css loads from elsewhere",
    ]
