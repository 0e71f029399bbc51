"""Texts on their way: the keys that change what stands in a cell, each a `TextStep` with its SQL.

In: the text of a cell. Out: the text that is given for a canonical column. Which cells a column is made of does not
belong here (`columns`), nor what numbers and dates are made of the text (`numbers`, `moments`).
"""

import hashlib
import hmac
import os
import re
from collections.abc import Callable
from typing import ClassVar, Literal, NamedTuple

import duckdb
from pydantic import ConfigDict, RootModel, model_validator

from assets.ingest.canonical import Column
from assets.ingest.mapping.language import Mistake, Text, Texts, did_you_mean
from assets.shared.quoting import literal
from assets.shared.secret_values import secret


class TextStep:
    """What one key does to the text of a column. `is_of_any_type`: it means something for numbers and dates too, so
    that a typed value is taken as text where the key is used."""

    is_of_any_type: ClassVar[bool] = False

    def is_used(self) -> bool:
        """Does the key say anything?"""
        raise NotImplementedError

    def sql(self, text: str, column: Column) -> str:
        """Expression: what becomes of `text`; NULL stays NULL."""
        raise NotImplementedError


class Translation(TextStep, RootModel[dict[Text, Text]]):
    """Other words for some values, found without regard to case; the others stay as they are."""

    model_config = ConfigDict(frozen=True)
    is_of_any_type: ClassVar[bool] = True

    def is_used(self) -> bool:
        return bool(self.root)

    def sql(self, text: str, column: Column) -> str:
        if not self.root:
            return text
        arms = " ".join(f"when lower({literal(key)}) then {literal(to)}" for key, to in self.root.items())
        return f"case lower({text}) {arms} else {text} end"


class Way(NamedTuple):
    """One way to make one spelling of many. `sql`: of the text; `is_of_plain_text`: it changes plain ASCII text too."""

    doc: str
    sql: Callable[[str], str]
    is_of_plain_text: bool = False


#: Letters of other scripts that look like Latin ones, and those: Cyrillic, then Greek.
_LOOK_ALIKES = (
    "АВЕЅІЈКМНОРСТУХаеорсухіѕј" + "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧο",
    "ABESIJKMHOPCTYXaeopcyxisj" + "ABEZHIKMNOPTYXo",
)
#: Digits, letters and signs in the width of a Chinese character (U+FF01 to U+FF5E), and the ordinary ones.
_WIDE = ("".join(map(chr, range(0xFF01, 0xFF5F))) + "\u3000", "".join(map(chr, range(0x21, 0x7F))) + " ")
#: Soft hyphen, zero-width characters, direction marks, byte order mark: nobody sees them.
_INVISIBLE = "[\\x{ad}\\x{200b}-\\x{200f}\\x{202a}-\\x{202e}\\x{2060}\\x{feff}]"


def _without_leading_zeros(text: str) -> str:
    bare = f"regexp_replace({text}, '^0+(.)', '\\1')"
    return f"case when regexp_full_match({text}, '0+[0-9]+') then {bare} else {text} end"


#: In the order in which they are applied: letters that look alike come after width, blanks after both.
NORMALISATIONS: dict[str, Way] = {
    "nfc": Way("`e` with an accent after it becomes `é`", lambda text: f"nfc_normalize({text})"),
    "width": Way(
        "letters and digits as wide as a Chinese character become ordinary ones: `Ａ１` is `A1`",
        lambda text: f"trim(translate({text}, {literal(_WIDE[0])}, {literal(_WIDE[1])}))",
    ),
    "invisible": Way(
        "zero-width characters, soft hyphens and direction marks go",
        lambda text: f"regexp_replace({text}, '{_INVISIBLE}', '', 'g')",
    ),
    "look_alikes": Way(
        "Cyrillic and Greek letters that look Latin become Latin: `А1` with a Cyrillic `А` is `A1`",
        lambda text: f"translate({text}, {literal(_LOOK_ALIKES[0])}, {literal(_LOOK_ALIKES[1])})",
    ),
    "inner_blanks": Way(
        "blanks inside go: `A 1` is `A1`",
        lambda text: f"regexp_replace({text}, '[ \\t\\x{{a0}}]+', '', 'g')",
        is_of_plain_text=True,
    ),
    "leading_zeros": Way("of an id of digits only: `0017` is `17`", _without_leading_zeros, is_of_plain_text=True),
}


class Normalisation(TextStep, RootModel[Texts]):
    """One spelling of the many that an id may have."""

    model_config = ConfigDict(frozen=True)

    @model_validator(mode="after")
    def _known_ways(self) -> "Normalisation":
        for way in self.root:
            if way not in NORMALISATIONS:
                raise Mistake(f"{way!r} is no way to normalise", did_you_mean(way, NORMALISATIONS))
        return self

    def is_used(self) -> bool:
        return bool(self.root)

    def sql(self, text: str, column: Column) -> str:
        if not self.root:
            return text
        used = [way for name, way in NORMALISATIONS.items() if name in self.root]
        other = text
        for way in used:
            other = other if way.is_of_plain_text else way.sql(other)
        if other != text:
            # Nearly every id is plain; only the others pay.
            text = f"case when regexp_full_match({text}, '[\\x00-\\x7f]*') then {text} else {other} end"
        for way in used:
            text = way.sql(text) if way.is_of_plain_text else text
        return f"nullif({text}, '')"


class Case(TextStep, RootModel[Literal["keep", "upper", "lower"]]):
    """Upper or lower case. Codes are compared in lower case, whatever is said."""

    model_config = ConfigDict(frozen=True)

    def is_used(self) -> bool:
        return self.root != "keep"

    def sql(self, text: str, column: Column) -> str:
        if column.kind == "code" or self.root == "lower":
            return f"lower({text})"
        return f"upper({text})" if self.root == "upper" else text


class Replacement(TextStep, RootModel[dict[Text, str]]):
    """Parts of the text that become others, wherever they stand, in the order in which they are written."""

    model_config = ConfigDict(frozen=True)

    @model_validator(mode="after")
    def _parts_of_something(self) -> "Replacement":
        if "" in self.root:
            raise Mistake("an empty text cannot be replaced", "name the part that is to become another one")
        return self

    def is_used(self) -> bool:
        return bool(self.root)

    def sql(self, text: str, column: Column) -> str:
        for part, other in self.root.items():
            text = f"replace({text}, {literal(part)}, {literal(other)})"
        return f"nullif(trim({text}), '')" if self.root else text


class HashKey(TextStep, RootModel[Text | None]):
    """A text that must not be seen becomes 32 hexadecimal digits of HMAC-SHA256 (RFC 2104) under a key that stands in
    the named environment variable. The key itself is in no statement: the connection holds it (`set_hash_keys`)."""

    model_config = ConfigDict(frozen=True)
    is_of_any_type: ClassVar[bool] = True

    @model_validator(mode="after")
    def _key_is_there(self) -> "HashKey":
        if self.root is None:
            return self
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", self.root):
            raise Mistake(
                f"{self.root!r} is no name of an environment variable", "name the variable that holds the key"
            )
        if len(self._key) < LEAST_KEY_LENGTH:
            raise Mistake(
                f"the environment variable {self.root} is not set to a key of at least {LEAST_KEY_LENGTH} characters",
                f'set it once and keep it: export {self.root}="$(openssl rand -hex 32)"; another key gives '
                "everybody another id",
            )
        return self

    def is_used(self) -> bool:
        return self.root is not None

    @property
    def _key(self) -> bytes:
        return (os.environ.get(self.root or "") or secret(self.root or "")).encode()

    @property
    def check_value(self) -> str | None:
        """Changes with the key and says nothing of it: 8 hexadecimal digits."""
        return hmac.new(self._key, b"holdfast key", hashlib.sha256).hexdigest()[:8] if self.root else None

    def sql(self, text: str, column: Column) -> str:
        if self.root is None:
            return text
        inner, outer = (f"getvariable({literal(name)})" for name in self._variables)
        digest = f"sha256({outer} || unhex(sha256({inner} || encode({text}))))"
        return f"case when {text} is not null then left({digest}, 32) end"

    @property
    def _variables(self) -> tuple[str, str]:
        return f"hash_key_inner_{self.root}", f"hash_key_outer_{self.root}"

    def set_on(self, con: duckdb.DuckDBPyConnection) -> None:
        """Give the connection what the SQL needs of the key."""
        if self.root is None:
            return
        key = self._key if len(self._key) <= 64 else hashlib.sha256(self._key).digest()
        for name, pad in zip(self._variables, (0x36, 0x5C), strict=True):
            con.execute(f'set variable "{name}" = ?', [bytes(byte ^ pad for byte in key.ljust(64, b"\0"))])


class Strip(RootModel[Texts]):
    """Marks that are taken off the beginning and the end of a cell, as often as they stand there. Before everything
    else: what is left may be one of the words that mean nothing."""

    model_config = ConfigDict(frozen=True)

    def sql(self, text: str) -> str:
        """Expression: the bare text."""
        if "spreadsheet" in self.root:
            text = f"regexp_replace(regexp_replace({text}, {literal(_FORMULA)}, '\\1'), {literal(_APOSTROPHE)}, '')"
        marks = "|".join(re.escape(mark) for mark in self.root if mark != "spreadsheet")
        if marks:
            text = f"regexp_replace({text}, {literal(f'^(?:{marks})+|(?:{marks})+$')}, '', 'g')"
        return f"trim({text})" if self.root else text


#: How spreadsheets keep a text from becoming a number: `="00214"`, and an apostrophe or backtick before it.
_FORMULA, _APOSTROPHE = '^="(.*)"$', "^['`’]"
#: A key that can be guessed hides nothing.
LEAST_KEY_LENGTH = 16
