"""How Sphinx builds the documentation site: `make site`, into build/site.

Pages are Markdown as they are read in the repository too; nothing here may be needed to read them.
The site loads nothing from elsewhere.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from docutils import nodes
from pygments.lexers.special import TextLexer
from sphinx.addnodes import download_reference, pending_xref
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import prewire  # noqa: E402 - found only by the path above

project = "prewire"
author = "the prewire authors"
release = version = prewire.__version__

extensions = ["myst_parser"]
myst_heading_anchors = 4
nitpicky = True

html_theme = "furo"
html_title = f"prewire {release}"
html_copy_source = False
html_show_sphinx = False


class LinksOutside(SphinxTransform):
    """Links of pages to other places of the repository: a folder becomes text, a page that is not
    of the site a file to download, as MyST makes of all other files.
    """

    default_priority = 5  # before links are resolved

    def apply(self) -> None:
        here = Path(self.document["source"]).parent
        for link in list(self.document.findall(pending_xref)):
            target = here / link.get("reftarget", "")
            page = target.with_name(f"{target.name}.md")
            if target.is_dir():
                link.replace_self(nodes.literal("", link.astext()))
            elif page.is_file() and not page.resolve().is_relative_to(ROOT / "docs"):
                file = os.path.relpath(page, here)
                link.replace_self(download_reference("", "", *link.children, reftarget=file))


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.add_transform(LinksOutside)
    app.add_lexer("mermaid", TextLexer)  # drawn where the repository is browsed; text here
