"""The condition language of `where`: what it means, what it refuses, and that nothing of it is SQL."""

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.ingest.mapping.conditions import Condition
from assets.ingest.mapping.language import Mistake
from assets.ingest.mapping.moments import Clock, moment_sql
from assets.ingest.mapping.numbers import NumberKeys, number_sql
from assets.shared.quoting import identifier

ROW = {
    "Type": "Refund",
    "Order Total": "-1.50",
    "Note": None,
    "Created (UTC)": "2024-05-02",
    "and": "x",
    "Day": "21.01.2024",
}


class Cells:
    """The cells of one row, given as parameters named c0, c1, …"""

    def text(self, ref) -> str:
        return identifier(str(ref))

    def number(self, ref) -> str:
        return number_sql(self.text(ref), NumberKeys(), "double")

    def day(self, ref) -> str:
        return moment_sql(self.text(ref), "VARCHAR", ("iso", "%d.%m.%Y"), Clock(wanted="date"))


def is_met(text: str, row: dict[str, str | None] = ROW) -> bool:
    names = ", ".join(f"cast(? as varchar) as {identifier(name)}" for name in row)
    sql = f"select {Condition(text).sql(Cells())} from (select {names})"
    return duckdb.connect().execute(sql, list(row.values())).fetchone()[0]


@pytest.mark.parametrize(
    ("text", "met"),
    [
        ("Type = refund", True),
        ("Type = 'Refund'", True),
        ("Type != refund", False),
        ("Type <> charge", True),
        ("Type in (charge, refund)", True),
        ("Type not in (charge, refund)", False),
        ("Type not in (charge)", True),
        ("Order Total = -1.5", True),
        ("Order Total < 0", True),
        ("Order Total < -1.5", False),
        ("Order Total <= -1.5", True),
        ("Order Total > -1.5", False),
        ("Order Total >= -1.5", True),
        ("Note is empty", True),
        ("Note is not empty", False),
        ("Note = x", False),
        ("Note != x", True),
        ("Note in (x)", False),
        ("Note not in (x)", True),
        ("Note > 1", False),
        ("Type > 1", True),
        ("Day >= 2024-01-01", True),
        ("Day <= 2023-12-31", False),
        ("Day = 21.01.2024", True),
        ("not Note is empty", False),
        ("Type = refund and Note = x or Order Total < 0", True),
        ("Type = refund and (Note = x or Order Total > 0)", False),
        ("NOT (Type = charge) AND Note IS EMPTY", True),
        ('"Created (UTC)" >= 2024-05-02', True),
        ("[Created (UTC)] < 2024-05-02", False),
        ('"and" = x', True),
    ],
)
def test_what_a_condition_means(text, met):
    assert is_met(text) is met


def test_columns_are_named_once_and_positions_are_numbers():
    assert Condition("2 = a or 2 = b or 'City' is empty").columns == (2, "City")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "a column is expected"),
        ("Type", "one of =, !="),
        ("Type =", "a word or number is expected before 'the end'"),
        ("Type = a b = c", "'=' is not expected here"),
        ("Type == a", "a word or number is expected before '='"),
        ("Type in a", "'\\(' is expected before 'a'"),
        ("Type in (a", "'\\)' is expected before 'the end'"),
        ("Type in ()", "a word is expected"),
        ("Type is a", "only 'empty' and 'not empty'"),
        ("Type not = a", "'in' is expected"),
        ("Type = 'a", "a quote is not closed"),
        ("Type = a and", "a column is expected before 'the end'"),
        ("Type > abc", "it is no number and no day"),
        ("Type > 2024-05-31x", "it is no number and no day"),
        ("(Type = a", "'\\)' is expected"),
        ("0 = a", "positions count from 1"),
        ("Type ! a", "means nothing here"),
    ],
)
def test_what_is_no_condition_says_where_and_shows_one(text, why):
    with pytest.raises(ValueError, match=why) as error:
        Condition(text)
    mistake = error.value.errors()[0]["ctx"]["error"]
    assert isinstance(mistake, Mistake) and mistake.remedy.startswith("write it like")


@settings(max_examples=40)
@given(st.text(min_size=1).filter(lambda text: "'" not in text and "\0" not in text))
def test_a_quoted_word_is_a_value_whatever_it_holds(word):
    assert is_met(f"Type = '{word}'", {"Type": word}) is True
    assert is_met(f"Type in ('{word}')", {"Type": f"{word}'); drop table x; --"}) is False
