"""Conditions: a small language over the columns of a file, for rows that are wanted.

In: a text such as `Type in (charge, refund) and Status is not empty`. Out: the columns that it names, and SQL that is
true or false for each row. Names and words may hold blanks; those with other signs stand in quotes. There are no
functions and no arithmetic, and nothing of the text reaches the engine but as a quoted value.

    condition = part {or part}        part = test {and test}        test = not test | ( condition )
    test = column is [not] empty | column [not] in (word, ...) | column = word    (also !=, <, <=, >, >=)
"""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from functools import cached_property
from typing import NamedTuple, Protocol

from pydantic import ConfigDict, RootModel, model_validator

from assets.ingest.mapping.language import ColumnRef, Mistake, Text
from assets.shared.quoting import literal, lowered

_TOKEN = re.compile(r"""\s*(?:"([^"]*)"|'([^']*)'|\[([^\]]*)\]|(<=|>=|!=|<>|[=<>(),])|([^\s"'\[\]()=<>!,]+))""")
KEYWORDS = ("and", "or", "not", "in", "is", "empty")
_COMPARISONS = ("=", "!=", "<>", "<", "<=", ">", ">=")
_EXAMPLE = "write it like: Type in (charge, refund) and Status is not empty"


class Cell(Protocol):
    """How a row's cell is said in SQL: as trimmed text (NULL where it means nothing), as a number, and as a
    day."""

    def text(self, ref: ColumnRef) -> str: ...

    def number(self, ref: ColumnRef) -> str: ...

    def day(self, ref: ColumnRef) -> str: ...


class Token(NamedTuple):
    """`kind`: word, quoted, sign or keyword."""

    kind: str
    text: str


class Condition(RootModel[Text]):
    """A condition as written, known to be sound."""

    model_config = ConfigDict(frozen=True)

    @model_validator(mode="after")
    def _sound(self) -> "Condition":
        _Parser(self.root).parsed()
        return self

    @cached_property
    def _test(self) -> "_Test":
        return _Parser(self.root).parsed()

    @property
    def columns(self) -> tuple[ColumnRef, ...]:
        """The columns that it names, each once."""
        return tuple(dict.fromkeys(self._test.columns))

    def sql(self, cell: Cell) -> str:
        """Expression: does the row meet it? Never NULL: an empty cell equals nothing and is in no list."""
        return self._test.sql(cell)


class _Test(NamedTuple):
    columns: tuple[ColumnRef, ...]
    sql: Callable[[Cell], str]


def _tokens(text: str) -> Iterator[Token]:
    at = 0
    while text[at:].strip():
        found = _TOKEN.match(text, at)
        if found is None:
            rest = text[at:].strip()
            why = "a quote is not closed" if rest[0] in "\"'[" else f"{rest[0]!r} means nothing here"
            raise Mistake(f"{text!r}: {why} (from {rest[:20]!r})", _EXAMPLE)
        double, single, bracketed, sign, word = found.groups()
        if sign is not None:
            yield Token("sign", "!=" if sign == "<>" else sign)
        elif word is not None:
            yield Token("keyword", word.lower()) if word.lower() in KEYWORDS else Token("word", word)
        else:
            yield Token("quoted", next(part for part in (double, single, bracketed) if part is not None))
        at = found.end()


class _Parser:
    """One reading of a text, from left to right."""

    def __init__(self, text: str):
        self._text, self._tokens, self._at = text, list(_tokens(text)), 0

    def parsed(self) -> _Test:
        found = self._any_of()
        if self._at < len(self._tokens):
            raise self._mistake(f"{self._tokens[self._at].text!r} is not expected here")
        return found

    def _mistake(self, what: str) -> Mistake:
        return Mistake(f"{self._text!r}: {what}", _EXAMPLE)

    def _next_is(self, kind: str, *texts: str) -> bool:
        return self._at < len(self._tokens) and (
            self._tokens[self._at].kind == kind and self._tokens[self._at].text in texts
        )

    def _take(self, kind: str, *texts: str) -> bool:
        taken = self._next_is(kind, *texts)
        self._at += taken
        return taken

    def _expect(self, sign: str) -> None:
        if not self._take("sign", sign):
            found = self._tokens[self._at].text if self._at < len(self._tokens) else "the end"
            raise self._mistake(f"{sign!r} is expected before {found!r}")

    def _any_of(self) -> _Test:
        parts = [self._all_of()]
        while self._take("keyword", "or"):
            parts.append(self._all_of())
        return _joined(parts, "or")

    def _all_of(self) -> _Test:
        parts = [self._one()]
        while self._take("keyword", "and"):
            parts.append(self._one())
        return _joined(parts, "and")

    def _one(self) -> _Test:
        if self._take("keyword", "not"):
            denied = self._one()
            return _Test(denied.columns, lambda cell: f"(not {denied.sql(cell)})")
        if self._take("sign", "("):
            inner = self._any_of()
            self._expect(")")
            return inner
        return self._about_a_column()

    def _about_a_column(self) -> _Test:
        token = self._name("a column")
        ref: ColumnRef = int(token.text) if token.kind == "word" and token.text.isdigit() else token.text
        if isinstance(ref, int) and ref < 1:
            raise self._mistake("column position 0 does not exist: positions count from 1")
        if self._take("keyword", "is"):
            is_denied = self._take("keyword", "not")
            if not self._take("keyword", "empty"):
                raise self._mistake(f"after {ref!r} is, only 'empty' and 'not empty' can stand")
            return _Test((ref,), lambda cell: f"({cell.text(ref)} is {'not ' if is_denied else ''}null)")
        is_denied = self._take("keyword", "not")
        if self._take("keyword", "in"):
            listed = self._list()
            return _denied(_equal(ref, listed), is_denied)
        if is_denied:
            raise self._mistake(f"after {ref!r} not, 'in' is expected")
        for sign in _COMPARISONS:
            if self._take("sign", sign):
                return self._comparison(ref, sign, self._name("a word or number"))
        raise self._mistake(f"after {ref!r} one of =, !=, <, <=, >, >=, in, not in, is empty is expected")

    def _name(self, what: str) -> Token:
        """Words up to the next sign or keyword, as one; or what stands in quotes."""
        if self._at < len(self._tokens) and self._tokens[self._at].kind == "quoted":
            self._at += 1
            return self._tokens[self._at - 1]
        start = self._at
        while self._at < len(self._tokens) and self._tokens[self._at].kind == "word":
            self._at += 1
        if start == self._at:
            found = self._tokens[start].text if start < len(self._tokens) else "the end"
            raise self._mistake(f"{what} is expected before {found!r}")
        return Token("word", " ".join(token.text for token in self._tokens[start : self._at]))

    def _list(self) -> list[Token]:
        self._expect("(")
        listed = [self._name("a word")]
        while self._take("sign", ","):
            listed.append(self._name("a word"))
        self._expect(")")
        return listed

    def _comparison(self, ref: ColumnRef, sign: str, value: Token) -> _Test:
        if sign in ("=", "!="):
            return _denied(_equal(ref, [value]), sign == "!=")
        # A cell that cannot be read is wanted: its own rules refuse it, and nothing is left out unseen.
        if _is_number(value):
            return _Test(
                (ref,), lambda cell: f"coalesce({cell.number(ref)} {sign} {value.text}, {cell.text(ref)} is not null)"
            )
        if not _is_day(value.text):
            raise self._mistake(f"{value.text!r} cannot be compared by {sign}: it is no number and no day 2024-12-31")
        day = f"date {literal(value.text)}"
        return _Test((ref,), lambda cell: f"coalesce({cell.day(ref)} {sign} {day}, {cell.text(ref)} is not null)")


def _joined(parts: Sequence[_Test], word: str) -> _Test:
    if len(parts) == 1:
        return parts[0]
    columns = tuple(ref for part in parts for ref in part.columns)
    return _Test(columns, lambda cell: "(" + f" {word} ".join(part.sql(cell) for part in parts) + ")")


def _denied(test: _Test, is_denied: bool) -> _Test:
    return _Test(test.columns, lambda cell: f"(not {test.sql(cell)})") if is_denied else test


def _equal(ref: ColumnRef, values: Sequence[Token]) -> _Test:
    """Words without regard to case; a number also where it is written otherwise (-1 and -1.0)."""
    words = lowered(value.text for value in values)
    numbers = [value.text for value in values if _is_number(value)]

    def sql(cell: Cell) -> str:
        as_word = f"lower({cell.text(ref)}) in {words}"
        if not numbers:
            return f"coalesce({as_word}, false)"
        return f"(coalesce({as_word}, false) or coalesce({cell.number(ref)} in ({', '.join(numbers)}), false))"

    return _Test((ref,), sql)


def _is_number(value: Token) -> bool:
    return value.kind == "word" and re.fullmatch(r"[-+]?\d{1,15}(\.\d{1,6})?", value.text) is not None


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return len(text) == len("2024-12-31")
