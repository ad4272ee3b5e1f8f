"""What the five articles name: every item stands in docs/articles.md and is handled, or the table says why not."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import NamedTuple

import pytest

from rules.knowledge import Knowledge

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "articles.md").read_text(encoding="utf-8")
ARTICLES = ("000", "001", "002", "003", "004")
KINDS = ("cause", "risk", "symptom", "sign", "warning")
REASONS = ("too vague to ask", "too weak to weigh", "advice and not a finding", "not valid there")


class Row(NamedTuple):
    """One row of the table."""

    named: str
    kind: str
    articles: tuple[str, ...]
    handled_by: str

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids in backticks."""
        return tuple(re.findall(r"`([^`]*)`", self.handled_by))

    @property
    def words(self) -> str:
        """What the last column says besides its ids."""
        return re.sub(r"`[^`]*`|[,;]", " ", self.handled_by).strip()

    @property
    def reason(self) -> str | None:
        """The listed reason with which the row says that the item, or a part of it, is not handled."""
        return next((reason for reason in REASONS if self.words.endswith(f": {reason}.")), None)


class Item(NamedTuple):
    """One line of the list: an article names something."""

    article: str
    kind: str
    item: str


def _rows() -> list[Row]:
    lines = [line for line in PAGE.splitlines() if line.startswith("|")]
    assert lines[:2] == ["| Named | Kind | Articles | Handled by |", "|---|---|---|---|"]
    found = []
    for line in lines[2:]:
        named, kind, articles, handled_by = (cell.strip() for cell in line.strip("|").split("|"))
        found.append(Row(named, kind, tuple(articles.split(", ")), handled_by))
    return found


def _items() -> list[Item]:
    with (ROOT / "tests" / "data" / "articles.csv").open(encoding="utf-8", newline="") as file:
        return [Item(line["article"], line["kind"], line["item"]) for line in csv.DictReader(file)]


ROWS = _rows()
ITEMS = _items()


def test_the_list_is_whole() -> None:
    assert len(ITEMS) > 200
    assert {item.article for item in ITEMS} == {*ARTICLES}
    assert {item.kind for item in ITEMS} == {*KINDS}
    assert len({(item.article, item.item) for item in ITEMS}) == len(ITEMS)


def test_the_page_says_what_it_is() -> None:
    assert PAGE.startswith("# What the articles name, and what handles it\n")
    for reason in REASONS:
        assert reason in " ".join(PAGE.partition("| Named |")[0].split())


def test_every_line_of_the_list_stands_in_the_table_with_its_article() -> None:
    standing = {(article, row.kind, row.named) for row in ROWS for article in row.articles}
    assert [item for item in ITEMS if item not in standing] == []


def test_every_row_of_the_table_comes_from_the_list() -> None:
    assert len({row.named for row in ROWS}) == len(ROWS)
    listed = {*ITEMS}
    assert [row for row in ROWS for article in row.articles if Item(article, row.kind, row.named) not in listed] == []


def test_every_id_in_the_table_exists(knowledge: Knowledge) -> None:
    known = {
        *knowledge.conditions,
        *knowledge.findings,
        *knowledge.derived,
        *knowledge.observations,
        *knowledge.medications,
        *knowledge.red_flags,
        *knowledge.must_ask,
        *knowledge.scores,
    }
    assert [(row.named, name) for row in ROWS for name in row.ids if name not in known] == []


def test_no_row_is_without_a_handler_or_a_reason() -> None:
    assert [row for row in ROWS if not row.ids and row.reason is None] == []


def test_words_beside_the_ids_give_a_listed_reason() -> None:
    assert [row for row in ROWS if row.words and row.reason is None] == []


def test_every_cause_names_a_condition_or_a_reason(knowledge: Knowledge) -> None:
    causes = [row for row in ROWS if row.kind == "cause"]
    assert len(causes) > 30
    assert [row for row in causes if knowledge.conditions.keys().isdisjoint(row.ids) and row.reason is None] == []


def test_every_warning_is_met_by_a_red_flag_a_must_ask_or_a_word(knowledge: Knowledge) -> None:
    handlers = knowledge.red_flags.keys() | knowledge.must_ask.keys() | knowledge.findings.keys()
    assert [row for row in ROWS if row.kind == "warning" and handlers.isdisjoint(row.ids)] == []


@pytest.mark.parametrize(
    ("handled_by", "ids", "reason"),
    [
        ("`F-01`, `fever`", ("F-01", "fever"), None),
        ("Not a word: too vague to ask.", (), "too vague to ask"),
        ("`fever`; the rest is not asked: too weak to weigh.", ("fever",), "too weak to weigh"),
        ("nothing", (), None),
    ],
)
def test_a_row_is_read_as_it_is_meant(handled_by: str, ids: tuple[str, ...], reason: str | None) -> None:
    row = Row("x", "sign", ("000",), handled_by)
    assert (row.ids, row.reason) == (ids, reason)
