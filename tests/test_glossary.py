"""One word for each thing: docs/glossary.md, held in the names of the code, in the OpenAPI document, and in what is said about people."""

import ast
import io
import json
import re
import tokenize
from collections.abc import Iterator
from fnmatch import fnmatch
from itertools import chain
from pathlib import Path
from textwrap import shorten
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
GLOSSARY = ROOT / "docs" / "glossary.md"
CODE = ("models", "api", "activities", "workflows", "deploy", "worker.py")
NAMED = (*CODE, "examples", "tests/support")
PAGES = ("README.md", "ARCHITECTURE.md", "CHANGELOG.md", "docs")

EXEMPT_NAMES = {
    ("models/db/*", "engine"): "SQLAlchemy's engine",
    ("models/db/*", "engine_of"): "SQLAlchemy's engine",
    ("models/sla/clock.py", "IMMINENT"): "a status value of the API",
    ("*", "imminent"): "a field of a queue in the API",
    ("*", "promised"): "a field of a preview in the API",
    ("*", "ticket_sample"): "a field of a preview in the API",
    ("*", "TicketSample"): "the schema of that field",
}
EXEMPT_ON_THE_WIRE = {
    "imminent": "a status value, and a field of a queue",
    "Imminent": "the title of that field",
    "promised": "a field of a preview",
    "Promised": "the title of that field",
    "ticketSample": "a field of a preview",
    "TicketSample": "the schema of that field",
}

DEAD_LETTER = re.compile("dead[ _-]?letter", re.IGNORECASE)
"""A term of the trade, as a whole."""
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
_CODE_ON_A_PAGE = re.compile(r"^```.*?^```|`[^`\n]*`", re.DOTALL | re.MULTILINE)


class Found(NamedTuple):
    where: str
    text: str
    word: str

    def __str__(self) -> str:
        return f"{self.where}: {self.word!r} in {shorten(self.text, 100)!r}"


class Glossary:
    """``forbidden`` is kept out of names, ``for_people`` also out of what is written about people."""

    def __init__(self, page: str) -> None:
        table = page.split("## On the wire", maxsplit=1)[0]
        rows = [line.split("|")[1:-1] for line in table.splitlines() if line.startswith("| ")][1:]
        words = [(say.strip(), re.findall("`([^`]+)`", instead)) for say, instead, _ in rows]
        self.forbidden = list(dict.fromkeys(chain.from_iterable(instead for _, instead in words)))
        self.for_people = next(instead for say, instead in words if say.startswith("they"))

    def in_name(self, name: str) -> Iterator[str]:
        """The forbidden words of a name, also several in a row (`meet deadlines`)."""
        said = split(DEAD_LETTER.sub("", name))
        return (word for word in self.forbidden if _stands_in(word.split(), said))

    def about_people(self, text: str) -> Iterator[str]:
        said = re.findall(r"[a-z]+", text.lower())
        return (word for word in self.for_people if _stands_in(word.split(), said))


def split(name: str) -> list[str]:
    """The words of a name in snake_case, CamelCase or both; and those of a sentence."""
    return [word.lower() for word in _WORD.findall(name)]


def _stands_in(words: list[str], said: list[str]) -> bool:
    *first, last = words
    ends = {last, f"{last}s"} if len(last) > 3 else {last}
    return any(said[at : at + len(first)] == first and said[at + len(first)] in ends for at in range(len(said) - len(first)))


def names(source: str) -> Iterator[tuple[int, str]]:
    """What a module names itself, with the line. What it only uses may be a library's."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield node.lineno, name
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield node.lineno, name
            case ast.Import(names=imported) | ast.ImportFrom(names=imported):
                yield from ((node.lineno, alias.asname) for alias in imported if alias.asname)
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield node.lineno, name


def prose(source: str) -> Iterator[tuple[int, str]]:
    """Comments, and strings that stand alone: docstrings of modules, classes, functions and attributes."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, node.value.value


def wire_texts(node: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every key of the document and every text in it, with the place."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield f"{path}/{key}", key
            yield from wire_texts(value, f"{path}/{key}")
    elif isinstance(node, list):
        for place, value in enumerate(node):
            yield from wire_texts(value, f"{path}/{place}")
    elif isinstance(node, str):
        yield path, node


def files(paths: tuple[str, ...], suffix: str) -> Iterator[Path]:
    for path in (ROOT / path for path in paths):
        yield from [path] if path.is_file() else sorted(path.rglob(f"*{suffix}"))


def misnamed(glossary: Glossary) -> Iterator[Found]:
    for file in files(NAMED, ".py"):
        own = file.relative_to(ROOT)
        for line, name in chain([(1, str(own.with_suffix("")))], names(file.read_text())):
            yield from (Found(f"{own}:{line}", name, word) for word in glossary.in_name(name))


def misnamed_on_the_wire(glossary: Glossary) -> Iterator[Found]:
    document = json.loads((ROOT / "api" / "openapi.json").read_text())
    for path, text in wire_texts(document):
        left = re.sub(rf"\b({'|'.join(EXEMPT_ON_THE_WIRE)})\b", "", text)
        yield from (Found(path, text, word) for word in glossary.in_name(left))


def said_of_people(glossary: Glossary) -> Iterator[Found]:
    for file in files(CODE, ".py"):
        for line, text in prose(file.read_text()):
            yield from (Found(f"{file.relative_to(ROOT)}:{line}", text, word) for word in glossary.about_people(text))
    for file in files(PAGES, ".md"):
        paragraphs = _CODE_ON_A_PAGE.sub("", file.read_text()).split("\n\n")
        for text in paragraphs:
            yield from (Found(str(file.relative_to(ROOT)), text, word) for word in glossary.about_people(text))


def exemption(found: Found) -> tuple[str, str] | None:
    return next((key for key in EXEMPT_NAMES if fnmatch(found.where.rpartition(":")[0], key[0]) and key[1] == found.text), None)


def listed(found: list[Found]) -> str:
    return "the glossary (docs/glossary.md) has another word:\n" + "\n".join(map(str, found))


@pytest.fixture(scope="module")
def glossary() -> Glossary:
    return Glossary(GLOSSARY.read_text())


def test_names_say_the_words_of_the_glossary(glossary: Glossary) -> None:
    found = [each for each in misnamed(glossary) if exemption(each) is None]
    assert not found, listed(found)


def test_the_openapi_document_says_the_words_of_the_glossary(glossary: Glossary) -> None:
    found = list(misnamed_on_the_wire(glossary))
    assert not found, listed(found)


def test_people_are_they(glossary: Glossary) -> None:
    found = list(said_of_people(glossary))
    assert not found, listed(found)


def test_every_exemption_is_needed(glossary: Glossary) -> None:
    assert {exemption(each) for each in misnamed(glossary)} - {None} == EXEMPT_NAMES.keys()


def test_a_name_is_split_into_its_words() -> None:
    assert split("send_dead_letter") == ["send", "dead", "letter"]
    assert split("_HTTPLetterBox2") == ["http", "letter", "box", "2"]
    assert split("ticketSample") == ["ticket", "sample"]
    assert split("lettering and remover") == ["lettering", "and", "remover"]


def test_a_forbidden_word_is_found_in_every_kind_of_name(glossary: Glossary) -> None:
    source = """
import temporal as engine
class LetterBox:
    promise: int
def meet_deadlines(parcel, *letters, **goals):
    self.shelf = [case for case in cases]
    try:
        engine.run_due(aim=1)
    except ValueError as moves:
        pass
"""
    found = {word for _, name in names(source) for word in glossary.in_name(name)}
    assert found == {"engine", "letter", "promise", "meet deadlines", "parcel", "goal", "shelf", "case", "move"}


def test_what_only_looks_like_a_forbidden_word_is_let_be(glossary: Glossary) -> None:
    for name in ("email_message", "remove", "post", "claim", "theme", "this", "has_met", "dead_letters", "DeadLetter", "rulebook"):
        assert [*glossary.in_name(name)] == []
    assert [*names("create_async_engine(url)")] == []


def test_a_pronoun_is_found_in_comments_and_docstrings_only(glossary: Glossary) -> None:
    source = '"""Whoever asks."""\nsaid = "he"  # three,\n# of which his\nTHE = 1\n"""The theme of\nwhich himself."""\n'
    found = {word for _, text in prose(source) for word in glossary.about_people(text)}
    assert found == {"whoever", "of which", "his", "himself"}
