"""Builds the site of the documentation into docs/_build/html: strictly, without dead links, and readable from a file.

    pip install -e '.[docs]'
    python scripts/make_site.py          # then open docs/_build/html/index.html; no server and no network is needed

Ends with 1 if Sphinx warns, if a link within the site leads nowhere, or if a page loads something from elsewhere.
"""

import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "docs" / "_build" / "html"
LOADS = {"img": "src", "script": "src", "link": "href", "source": "src", "iframe": "src", "use": "href"}


class Page(HTMLParser):
    """The links of a page, what it loads, and its anchors."""

    def __init__(self, path: Path):
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Notes one tag."""
        of = {name: value or "" for name, value in attrs}
        self.anchors |= {of[name] for name in ("id", "name") if name in of}
        if tag == "a" and "href" in of:
            self.links.append(of["href"])
        elif tag in LOADS and LOADS[tag] in of and of.get("rel") != "canonical":
            self.loaded.append(of[LOADS[tag]])


def faults(folder: Path) -> list[str]:
    """Returns the dead links of a site, and what its pages and style sheets load from elsewhere."""
    folder = folder.resolve()
    pages = {path: Page(path) for path in sorted(folder.rglob("*.html"))}
    found = []
    for path, page in pages.items():
        here = path.relative_to(folder)
        found += [f"{here} loads {url}" for url in page.loaded if _is_elsewhere(url)]
        for url in [*page.links, *page.loaded]:
            parts = urlsplit(url)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchors = pages[target].anchors if target in pages else None
            if not target.is_file():
                found.append(f"{here} links to {url}, which is not there")
            elif parts.fragment and anchors is not None and unquote(parts.fragment) not in anchors:
                found.append(f"{here} links to {url}, but that page has no such place")
    for path in folder.rglob("*.css"):
        if any(f"url({mark}http" in path.read_text("utf-8") for mark in ("", "'", '"')):
            found.append(f"{path.relative_to(folder)} loads from elsewhere")
    return found


def _is_elsewhere(url: str) -> bool:
    return bool(urlsplit(url).netloc)


def main() -> int:
    """Builds and checks, and returns the exit code."""
    build = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", "docs", str(TARGET)]
    if subprocess.run(build, cwd=ROOT).returncode:
        return 1
    found = faults(TARGET)
    pages = len(list(TARGET.rglob("*.html")))
    print("\n".join([*found, f"docs/_build/html/index.html: {pages} pages, {len(found)} faults"]))
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
