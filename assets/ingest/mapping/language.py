"""How the mapping language is made: each key is declared once, with its meaning, its limits and what it does.

In: nothing. Out: `Keys`, the base of everything that holds keys of the YAML, and `Key`, what is known of one key beyond
its type and its default. A key is a field of a class of `Keys`; next to it, in the same module, stands its SQL. From
the declaration follow its validation, the did-you-mean of a typing mistake, its row in docs/connecting-a-source.md
(`reference`), in which tables and with which columns it may stand (`source`), and whether a file is landed again when
it changes.
"""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, Any, ClassVar, Literal

import duckdb
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

GUIDE = "docs/connecting-a-source.md"


@dataclass(frozen=True)
class Key:
    """`doc`: its meaning, as the guide says it. `example`: a line of YAML that can be copied. `default`: words for a
    default that does not speak for itself. `table`: the one canonical table that has it. `needs`: value to the
    canonical column that has to be mapped with it. `in_defaults`: may it stand there, for all tables?

    `in_fingerprint`: `always`, or only `when_used` (other than by default), so that an upgrade that adds a key lands no
    file again; `never` for keys that decide nothing about what becomes of a file's rows.
    """

    doc: str
    example: str = ""
    default: str = ""
    table: str | None = None
    needs: Mapping[object, str] = field(default_factory=dict)
    in_defaults: bool = True
    in_fingerprint: Literal["always", "when_used", "never"] = "when_used"


class Mistake(ValueError):
    """A mistake in the YAML with its own remedy, found while validating; becomes a UserError."""

    def __init__(self, what: str, remedy: str):
        super().__init__(what)
        self.remedy = remedy


class UnknownKey(Mistake):
    """A key that the language does not have here. `name`: where it stands, from the place that refuses it."""

    def __init__(self, key: str, known: Iterable[str], where: str = ""):
        self.name = f"{where}.{key}" if where else key
        super().__init__(f"unknown key {self.name}", did_you_mean(key, known))


class Keys(BaseModel):
    """Something of the YAML that holds keys. `short_forms`: names that stand for a declared key."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    short_forms: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def declared(cls) -> dict[str, Key]:
        """Each key with what is known of it, in the order of declaration."""
        return {name: key for name, info in cls.model_fields.items() for key in info.metadata if isinstance(key, Key)}

    @model_validator(mode="before")
    @classmethod
    def _only_known_keys(cls, value: Any) -> Any:
        if isinstance(value, Mapping):
            refuse_unknown_keys(value, (*cls.model_fields, *cls.short_forms))
        return value

    def fingerprint_keys(self) -> dict[str, Any]:
        """The keys that decide what becomes of a file's rows, as JSON types."""
        values = self.model_dump(mode="json")
        return {
            name: _fingerprint_part(getattr(self, name), values[name])
            for name, key in self.declared().items()
            if key.in_fingerprint == "always" or (key.in_fingerprint == "when_used" and not self._is_default(name))
        }

    def _is_default(self, name: str) -> bool:
        return getattr(self, name) == type(self).model_fields[name].get_default()


def _fingerprint_part(value: Any, dumped: Any) -> Any:
    if isinstance(value, Keys):
        return value.fingerprint_keys()
    if isinstance(value, dict):
        return {name: _fingerprint_part(value[name], dumped[name]) for name in value}
    return dumped


def refuse_unknown_keys(given: Iterable[Any], known: Iterable[str], where: str = "") -> None:
    """Raise UnknownKey for the first key that is not among the `known` ones."""
    known = set(known)
    for key in given:
        if key not in known:
            raise UnknownKey(str(key), known, where)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A remedy for an unknown name: the closest known one, and all of them."""
    known = sorted(known)
    return f"{closest(name, known)}known: {', '.join(known)}"


def closest(name: str, known: Iterable[str]) -> str:
    """`did you mean …? ` with the known name closest to `name`; nothing where none is close."""
    by_lower = {k.lower(): k for k in known}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return f"did you mean {by_lower[close[0]]!r}? " if close else ""


# -- Types of values --------------------------------------------------------------------------------------------------


def _as_text(value: Any) -> Any:
    """YAML reads an unquoted yes as true, and null as nothing; numbers are safe to take as they are written."""
    if isinstance(value, bool) or value is None:
        raise Mistake(
            f"{value!r} is not text (YAML reads an unquoted yes, no, true, null or ~ as something else)",
            "put quotes around it",
        )
    return str(value) if isinstance(value, (int, float, date)) else value


def as_texts(value: Any) -> Any:
    """A text, or a list of them, as a tuple."""
    if isinstance(value, (list, tuple)):
        return tuple(_as_text(item) for item in value)
    return (_as_text(value),)


def _column(value: Any) -> Any:
    """Python takes true for the number 1: a column called `yes` would become the first one."""
    if isinstance(value, bool):
        return _as_text(value)
    if isinstance(value, int) and value < 1:
        raise Mistake(f"column position {value} does not exist", "count positions from 1")
    return value


def _known_zone(value: str) -> str:
    try:
        duckdb.execute("select timezone(?, timestamp '2000-01-01')", [value]).fetchone()
    except duckdb.Error:
        raise Mistake(
            f"unknown time zone {value!r}", "use a name such as Europe/Berlin, America/New_York or UTC"
        ) from None
    return value


Text = Annotated[str, BeforeValidator(_as_text)]
Texts = Annotated[tuple[str, ...], BeforeValidator(as_texts)]
Zone = Annotated[str, AfterValidator(_known_zone)]

#: A column of the file: its name in the header, or its position counted from 1.
ColumnRef = Annotated[str | int, Field(union_mode="left_to_right"), BeforeValidator(_column)]
