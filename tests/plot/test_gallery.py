"""The gallery of the site: lines that a reader can run, and a question for every picture."""

from __future__ import annotations

import ast
import importlib.util

import pytest


@pytest.fixture(scope="module")
def gallery(project_root):
    pytest.importorskip("mkdocs", reason="the site is built with the docs extra")
    spec = importlib.util.spec_from_file_location("gallery", project_root / "docs" / "gallery.py")
    hook = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hook)
    return hook


def test_every_picture_answers_a_question_by_lines_that_a_reader_can_run(gallery):
    pictures = [picture for group in gallery.GROUPS.values() for picture in group]
    assert len(set(pictures)) == len(pictures) > 20
    start = gallery.INTRO.partition("```python\n")[2].partition("```")[0]
    known = {name for node in ast.walk(ast.parse(start)) for name in names_bound(node)}
    for picture in pictures:
        assert picture.__doc__.endswith("?")
        lines = ast.parse(gallery.lines_of(picture))
        bound = known | {name for node in ast.walk(lines) for name in names_bound(node)}
        used = {node.id for node in ast.walk(lines) if isinstance(node, ast.Name)}
        assert used - bound <= {"dict", "zip"}, picture.__name__
        assert isinstance(lines.body[-1], ast.Expr)


def names_bound(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [alias.asname or alias.name for alias in node.names]
    return [node.id] if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) else []


def test_the_page_shows_a_picture_with_its_words_and_its_lines(gallery, monkeypatch):
    monkeypatch.setattr(gallery, "GROUPS", {"Where customers leave": (gallery.exits,)})
    text, pictures = gallery.page()
    (image,) = pictures.values()
    assert image.startswith(b"\x89PNG")
    assert "### Where do customers leave?" in text
    assert 'alt="Where do customers leave? Where customers are lost. How likely a visit is' in text
    assert "```python\ncx.dropoff.exits(journeys).plot(max_rows=12)\n```" in text
