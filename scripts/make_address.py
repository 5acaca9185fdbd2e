"""Copies the address of the repository from pyproject.toml to the notebooks, the READMEs and CITATION.cff.

    python scripts/make_address.py      # after a change of [project.urls]

The address has to end in /lit_cnn, as the package is called.
"""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
FILES = [*ROOT.glob("README*.md"), ROOT / "CITATION.cff", *(ROOT / "docs" / "notebooks").glob("*.ipynb")]
ADDRESS = re.compile(r"(?<=github)(/|\.com/)[\w.-]+/lit_cnn\b")  # in Colab's addresses, and in those of GitHub


def repository() -> str:
    """Returns OWNER/lit_cnn, as pyproject.toml has it.

    Raises:
        SystemExit: If its address is not one of GitHub that ends in /lit_cnn.
    """
    url = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["urls"]["Repository"]
    match = re.fullmatch(r"https://github\.com/([\w.-]+/lit_cnn)", url)
    if not match:
        raise SystemExit(f"pyproject.toml: {url} should be https://github.com/OWNER/lit_cnn")
    return match[1]


def with_address(text: str) -> str:
    """Returns a text with the address of pyproject.toml in place of all others of lit_cnn."""
    return ADDRESS.sub(rf"\g<1>{repository()}", text)


def main() -> None:
    """Writes the files whose address differs."""
    for path in FILES:
        text = path.read_text("utf-8")
        if (new := with_address(text)) != text:
            path.write_text(new, "utf-8")
            print(f"wrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
