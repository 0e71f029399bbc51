"""What says who somebody is, and how it is taken out of a value: in SQL, in a text, in bytes.

In: the ids of persons with their pseudonyms, and personal values (e-mail, phone, name). Out: `Identifiers`.

Which column holds what follows from its name, which is the same in every table:
- a customer column (`customer_id`, `old_customer_id`, `person_id` …) gets the pseudonym,
- in a row of a person, personal columns become null; numbers that lead back to the person in another system (order,
  line, account, contract, contact) become a keyed hash, the same one everywhere, whose key is gone afterwards,
- any other text is searched. An id that can hardly mean something else (with a letter and a digit, or 8 digits) is
  taken out wherever it stands as a word; a short one such as `1044` only where the text says that it is a customer,
  quotes it, or is the morning page: the amount 1044 of another person stays.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from assets.ingest.canonical import ENTITIES
from assets.ingest.erased_persons import FIELD_ENDS
from assets.shared.quoting import identifier, literal

#: Columns that say who somebody is.
PERSONAL = frozenset(column.name for entity in ENTITIES.values() for column in entity.columns if column.personal)

#: Columns whose values lead to the person in the system that delivered them.
KEYED = frozenset({"order_id", "line_id", "account_id", "contract_id", "contact_id", "candidate_id"})

#: What stands in the place of something taken out of a text.
GONE = "erased"

_CUSTOMER = re.compile(r"(?:.*_)?(?:customer|person)_id")

#: Values shorter than this are no names or addresses that a text could be searched for.
_SHORTEST = 5


#: What stands before and after a short id that is one: the word customer, a quote, or the mark of the morning page.
_SAID, _AFTER = r"(?i)(customer(?:_id)?[\"'\s:=\\]{1,6}|[\"']|<b>)", r"[\"'\s,;\]\\<]"


def is_customer_column(name: str) -> bool:
    return _CUSTOMER.fullmatch(name) is not None


def is_distinctive(customer_id: str) -> bool:
    """Whether an id that stands in a text can hardly be anything else."""
    if len(customer_id) >= 4 and re.search(r"[^\W\d_]", customer_id) and re.search(r"\d", customer_id):
        return True
    return len(customer_id) >= 8


@dataclass(frozen=True)
class Identifiers:
    """pseudonyms: id to what stands in its place. values: personal values. secret: key of the hashes."""

    pseudonyms: Mapping[str, str]
    values: Sequence[str] = ()
    secret: str = field(default="", repr=False)

    @cached_property
    def distinctive(self) -> list[str]:
        ids = [one for one in self.pseudonyms if is_distinctive(one)]
        return sorted({*ids, *(value for value in self.values if len(value) >= _SHORTEST)}, key=lambda s: (-len(s), s))

    @cached_property
    def short(self) -> list[str]:
        return sorted((one for one in self.pseudonyms if not is_distinctive(one)), key=lambda s: (-len(s), s))

    # -- in SQL -------------------------------------------------------------------------------------------------------

    def patterns(self) -> list[tuple[str, str]]:
        """(pattern, replacement) for `regexp_replace`."""
        found = []
        if self.distinctive:
            words = "|".join(map(_escaped, self.distinctive))
            found.append((rf"(?i)(^|[^\p{{L}}\p{{N}}_])(?:{words})($|[^\p{{L}}\p{{N}}_])", rf"\1{GONE}\2"))
        if self.short:
            words = "|".join(map(_escaped, self.short))
            found.append((rf"{_SAID}(?:{words})($|{_AFTER})", rf"\1{GONE}\2"))
        return found

    def is_of_person_sql(self, columns: Sequence[str]) -> str:
        """Condition: one of the customer columns is of an erased person."""
        ids = "(" + ", ".join(map(literal, self.pseudonyms)) + ")"
        tests = [f"{identifier(name)} in {ids}" for name in columns if is_customer_column(name)]
        return f"coalesce({' or '.join(tests)}, false)" if tests else "false"

    def has_words_sql(self, column: str) -> str:
        """Condition: a text column holds something that is to be taken out."""
        tests = [f"regexp_matches({identifier(column)}, {literal(pattern)})" for pattern, _ in self.patterns()]
        return f"coalesce({' or '.join(tests)}, false)" if tests else "false"

    def has_field_sql(self, column: str) -> str:
        """Condition: one whole field of a raw line is an id, or it holds something that is to be taken out."""
        ids = "[" + ", ".join(map(literal, self.pseudonyms)) + "]"
        fields = rf"regexp_split_to_array({identifier(column)}, {literal(FIELD_ENDS)})"
        return f"(coalesce(list_has_any({fields}, {ids}), false) or {self.has_words_sql(column)})"

    def value_sql(self, name: str, kind: str, columns: Sequence[str], searched: bool) -> str:
        """Expression: what column `name` of type `kind` becomes. `searched`: whether its texts are."""
        column = identifier(name)
        if is_customer_column(name):
            cases = " ".join(f"when {literal(old)} then {literal(new)}" for old, new in self.pseudonyms.items())
            return f"case {column} {cases} else {column} end"
        kept = column
        if searched and kind == "VARCHAR":
            for pattern, replacement in self.patterns():
                # Twice: two words may share the separator between them.
                for _ in range(2):
                    kept = f"regexp_replace({kept}, {literal(pattern)}, {literal(replacement)}, 'g')"
        of_person = self._of_person(name, kind, columns)
        if of_person is None:
            return kept
        return f"case when {self.is_of_person_sql(columns)} then {of_person} else {kept} end"

    def _of_person(self, name: str, kind: str, columns: Sequence[str]) -> str | None:
        """What a column becomes in a row of the person; None: the same as in all others."""
        if not any(map(is_customer_column, columns)):
            return None
        column = identifier(name)
        if name in PERSONAL or (name == "address" and "customer_id" in columns):
            return f"cast(null as {kind})"
        if name in KEYED and kind == "VARCHAR":
            return f"substr(md5(concat({literal(self.secret)}, {column})), 1, 16) || left({column}, 0)"
        if name == "hash_value" and "share" in columns:
            # The place in the control group follows from the id; the row says that the person was in it.
            return "share / 2"
        if name == "is_withdrawn":
            return "true"
        return None

    # -- in texts -----------------------------------------------------------------------------------------------------

    @cached_property
    def _in_text(self) -> list[tuple[re.Pattern[str], str]]:
        found = []
        if self.distinctive:
            words = "|".join(re.escape(form) for one in self.distinctive for form in _forms(one))
            found.append((re.compile(rf"(?i)(?<!\w)(?:{words})(?!\w)"), GONE))
        if self.short:
            words = "|".join(re.escape(form) for one in self.short for form in _forms(one))
            found.append((re.compile(rf"{_SAID}(?:{words})(?=$|{_AFTER})"), rf"\1{GONE}"))
        return found

    def clean(self, text: str) -> str:
        """The text without what says who somebody is."""
        for pattern, replacement in self._in_text:
            text = pattern.sub(replacement, text)
        return text

    def clean_bytes(self, content: bytes) -> bytes:
        """The same of the bytes of a text; what is no UTF-8 stays as it is."""
        return self.clean(content.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")

    def is_in(self, content: bytes) -> bool:
        """Whether bytes of any kind hold something distinctive."""
        return any(form.encode() in content for one in self.distinctive for form in _forms(one))


def _forms(text: str) -> list[str]:
    """How a text stands in a file: as it is, in JSON with escapes, in HTML."""
    escaped = json.dumps(text)[1:-1]
    html = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("'", "&#39;")
    return list(dict.fromkeys((text, escaped, html)))


def _escaped(text: str) -> str:
    """`text` in a pattern of the engine (RE2)."""
    return re.sub(r"([^\w\s])", r"\\\1", text, flags=re.UNICODE)
