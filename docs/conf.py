"""Sphinx's settings for the site. `python scripts/make_site.py` builds it strictly, and looks for dead links."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from lit_cnn.version import __version__
from scripts.make_reference import write_reference

project = "lit_cnn"
version = release = __version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
html_theme = "furo"
html_title = f"lit_cnn {__version__}"
html_show_sphinx = False
html_show_copyright = False
html_css_files = ["site.css"]
html_static_path = ["static"]
exclude_patterns = ["_build", "generated/*.md"]

nb_execution_mode = "off"  # the tests run the notebooks; the site shows their outputs
myst_heading_anchors = 3
copybutton_exclude = ".linenos, .gp, .go"

default_role = "code"  # single backticks in docstrings
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_preserve_defaults = True
autodoc_inherit_docstrings = False
add_module_names = False


def setup(app):
    """Writes the pages that come from the code before the others are read."""
    app.connect("builder-inited", lambda app: write_reference(Path(app.srcdir) / "generated"))
