"""Execute every notebook and write it to docs/tutorials/ as Markdown; a failing cell fails.

Notebooks are `.ipynb` or percent-format `.py` files in `notebooks/`. The site tool sees Markdown
only, and nothing is cached, so that a page never shows what the library no longer prints.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import jupytext
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbconvert import MarkdownExporter

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"
TUTORIALS = ROOT / "docs" / "tutorials"
CELL_SECONDS = 300


def build(notebook: Path) -> None:
    """Execute one notebook in its own folder; write the page and its pictures."""
    content = jupytext.read(notebook)
    NotebookClient(
        content,
        timeout=CELL_SECONDS,
        kernel_name="python3",
        resources={"metadata": {"path": str(notebook.parent)}},
    ).execute()
    pictures = f"{notebook.stem}_files"
    page, resources = MarkdownExporter().from_notebook_node(
        content, resources={"output_files_dir": pictures, "unique_key": notebook.stem}
    )
    (TUTORIALS / f"{notebook.stem}.md").write_text(page, encoding="utf-8")
    for name, data in resources["outputs"].items():
        picture = TUTORIALS / name
        picture.parent.mkdir(exist_ok=True)
        picture.write_bytes(data)


def main() -> int:
    """Build every tutorial; return 1 if a cell failed."""
    notebooks = sorted(path for path in NOTEBOOKS.glob("*") if path.suffix in {".ipynb", ".py"})
    failed = 0
    for notebook in notebooks:
        start = time.perf_counter()
        try:
            build(notebook)
        except CellExecutionError as error:
            failed += 1
            print(f"{notebook.name} failed:\n{error}", file=sys.stderr)
        else:
            print(f"{notebook.name}: {time.perf_counter() - start:.1f} s")
    print(f"{len(notebooks) - failed} of {len(notebooks)} notebooks executed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
