"""A hook of the site: outputs on pages come of their code, and a failing cell fails the build.

Notebooks are `.ipynb` or percent-format `.py` files in `notebooks/`. They are executed whenever the
site is built, so that a page never shows what the library no longer prints; nothing is written
into the sources. On other pages `<!-- output -->` is replaced by what the block before it prints.
"""

from __future__ import annotations

import io
import os
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jupytext
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbconvert import MarkdownExporter

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
CELL_SECONDS = 300
SHOWN = re.compile(
    r"(?P<block>^```python\n(?P<code>.*?)^```\n)\n<!-- output -->\n", re.MULTILINE | re.DOTALL
)
# what a cell prints stands in a block of its own, whose long lines wrap
WRAPPED = """{% extends 'markdown/index.md.j2' %}
{% block stream %}
``` {.text .wrapped}
{{ output.text.rstrip() }}
```
{% endblock stream %}
{% block data_text scoped %}
``` {.text .wrapped}
{{ output.data['text/plain'].rstrip() }}
```
{% endblock data_text %}
"""


def executed(notebook: Path) -> dict[str, str | bytes]:
    """Return the page of a notebook and its pictures, by their places among the tutorials."""
    return _executed(notebook, notebook.stat().st_mtime_ns)


@cache  # for `mkdocs serve`, which builds again at every change of a page
def _executed(notebook: Path, _changed: int) -> dict[str, str | bytes]:
    content = jupytext.read(notebook)
    client = NotebookClient(
        content,
        timeout=CELL_SECONDS,
        kernel_name="python3",
        resources={"metadata": {"path": str(notebook.parent)}},
    )
    try:
        client.execute()
    except CellExecutionError as error:
        raise PluginError(f"{notebook.name} failed:\n{error}") from error
    page, resources = MarkdownExporter(raw_template=WRAPPED).from_notebook_node(
        content,
        resources={"output_files_dir": f"{notebook.stem}_files", "unique_key": notebook.stem},
    )
    return {f"{notebook.stem}.md": page, **resources["outputs"]}


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the tutorials and their pictures to the files of the site."""
    notebooks = sorted(path for path in NOTEBOOKS.glob("*") if path.suffix in {".ipynb", ".py"})
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        pages = list(pool.map(executed, notebooks))
    for name, content in (item for page in pages for item in page.items()):
        place = f"tutorials/{name}"
        stale = files.get_file_from_path(place)
        if stale is not None:
            files.remove(stale)
        files.append(File.generated(config, place, content=content))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Show what a block of Python prints where a page asks for it."""
    return SHOWN.sub(_with_output, markdown)


def _with_output(found: re.Match[str]) -> str:
    return f"{found['block']}\n``` {{.text .wrapped}}\n{_printed(found['code'])}```\n"


@cache
def _printed(code: str) -> str:
    printed = io.StringIO()
    with redirect_stdout(printed):
        exec(code, {"__name__": "__main__"})  # noqa: S102 - our own pages
    return printed.getvalue()
