"""One word for one thing: the glossary, held over public names, columns and printed strings.

The words and what they replace stand in `docs/explanation/glossary.md`.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

import cxjourney

SOURCE = Path(cxjourney.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))

# a word that is not used, and the one that is
DENIED = {
    r"open|pending|unresolved|unfinished|immature": "censored, or in progress",
    r"legitimate": "expected exits",
    r"mend(?:s|ed|ing)?": "fix",
    r"moves": "transition",
    r"texts?": "string",
    r"surcharges?|switch.?costs?": "cross-channel cost",
    r"stamps?": "timestamp",
}
# where a denied word has another meaning: (file, word) and why
ALLOWED = {
    ("_support/table.py", "text"): "a property of CSS",
    ("_time/business_hours.py", "open"): "a shop has opening hours",
    ("journeys/_patterns/_pattern.py", "text"): "a pattern is a line of text",
    ("domain/_blueprint_file.py", "text"): "what is in a file is text",
    ("graph/_journey_graph.py", "text"): "a parameter, as in json.loads",
    ("io/_column_facts.py", "text"): "what people write is text",
    ("io/_goal_candidates.py", "open"): "touchpoints of others are called so",
    ("io/_goal_candidates.py", "pending"): "the same",
    ("io/_inspection.py", "text"): "what people write is text",
    ("io/_no_table.py", "open"): "a program opens a file",
    ("io/_proposal.py", "text"): "a method of paths",
    ("io/_xes.py", "text"): "what is in a file is text",
    ("metrics/_engagement/pages_and_mails.py", "open"): "a mail is opened",
    ("sharded/_dialects.py", "text"): "a type of PostgreSQL",
    ("report/_journey_map.py", "text"): "a media type, and what stands in a cell",
    ("report/_map_views.py", "text"): "an element of SVG",
}
# public names of which the same holds
ALLOWED_NAMES = {
    "click_to_open": "a mail is opened",
    "machine_open": "a mail is opened",
    "open": "a mail is opened",
    "open_time": "a shop has opening hours",
    "text": "what is printed, or in a file",
    "to_text": "what is printed",
}

PUBLIC = [
    "cxjourney",
    *(
        f"cxjourney.{module.name}"
        for module in pkgutil.iter_modules(cxjourney.__path__)
        if not module.name.startswith("_") and module.name not in {"cli", "kernels"}
    ),
]
QUESTION = re.compile(r"(?:What|How|Whether|Which|Why|Where|Who|When)\b")


def found(text: str) -> dict[str, str]:
    """Return the denied words of a string or an identifier, and what stands for them."""
    return {
        match.lower(): instead
        for words, instead in DENIED.items()
        for match in re.findall(rf"(?<![a-z])(?:{words})(?![a-z])", text, re.IGNORECASE)
    }


def identifiers(package: str) -> set[str]:
    """Return the public names of a package, their members and what they take."""
    names = set()
    for name in importlib.import_module(package).__all__:
        value = getattr(importlib.import_module(package), name)
        names.add(name)
        things = [value]
        if inspect.isclass(value):
            own = [base for base in value.__mro__ if base.__module__.startswith("cxjourney")]
            members = {n for base in own for n in vars(base) if not n.startswith("_")}
            names |= members
            things += [getattr(value, member) for member in members]
        for thing in things:
            if inspect.isclass(thing) or inspect.isroutine(thing):
                try:
                    names |= set(inspect.signature(thing).parameters)
                except ValueError:  # written in C
                    continue
    return names


def printed(source: Path) -> list[ast.Constant]:
    """Return the strings of a file, without docstrings and lists of names."""
    tree = ast.parse(source.read_text(encoding="utf-8"))
    prose = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            prose.add(node.value)
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            prose |= {item for item in ast.walk(node.value) if isinstance(item, ast.Constant)}
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in prose
    ]


@pytest.mark.parametrize("package", PUBLIC)
def test_public_names_and_arguments_are_words_of_the_glossary(package):
    wrong = {
        name: words for name in identifiers(package) - set(ALLOWED_NAMES) if (words := found(name))
    }
    assert not wrong


def test_printed_strings_and_columns_are_words_of_the_glossary():
    wrong = []
    used = set()
    for source in FILES:
        path = source.relative_to(SOURCE).as_posix()
        for node in printed(source):
            for word, instead in found(node.value).items():
                if (path, word) in ALLOWED:
                    used.add((path, word))
                else:
                    wrong.append(f"{path}:{node.lineno}: {word!r} in {node.value!r}; say {instead}")
    assert not wrong, "\n".join(wrong)
    assert used == set(ALLOWED), "an exception that nothing needs any more"


def test_every_denied_word_stands_in_the_glossary(project_root):
    page = (
        (project_root / "docs" / "explanation" / "glossary.md").read_text(encoding="utf-8").lower()
    )
    for instead in DENIED.values():
        for word in instead.split(", or "):
            assert f"**{word}**" in page, word


def test_the_docstring_of_a_module_names_a_thing():
    for source in FILES:
        docstring = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or ""
        assert not QUESTION.match(docstring), f"{source}: {docstring.splitlines()[0]}"
