"""A hook of the site: what the theme leaves unsaid to those who listen, or use no mouse."""

from __future__ import annotations

import re
from typing import Any

# a corner without a text heads nothing: it is an ordinary cell
EMPTY_HEAD = re.compile(r"<th(?P<attributes>(?: [^>]*)?)></th>")
# a section with a page of its own is labelled by an arrow; its title stands within
NAVIGATION = re.compile(
    r'(?P<start><nav class="md-nav"[^>]*) aria-labelledby="__nav_\w+"'
    r'(?P<between>[^>]*>\s*<label class="md-nav__title"[^>]*>\s*<span[^>]*></span>\s*)'
    r"(?P<title>[^<]*?)(?P<end>\s*</label>)"
)


def on_post_page(output: str, **_: Any) -> str:
    """Name the search and the parts of the navigation, and leave no heading of a column empty."""
    output = output.replace('<div class="md-search"', '<div class="md-search" aria-label="Search"')
    output = EMPTY_HEAD.sub(r"<td\g<attributes>></td>", output)
    return NAVIGATION.sub(r'\g<start> aria-label="\g<title>"\g<between>\g<title>\g<end>', output)


def on_post_template(output_content: str, **_: Any) -> str:
    """Do the same for the page of errors."""
    return on_post_page(output_content)
