"""A key of the mapping language is one declaration: everything else about it follows."""

from typing import Annotated, ClassVar

import duckdb
import pytest
from landed_shop import HEADER
from pydantic import ConfigDict, RootModel, ValidationError

from assets.ingest.canonical import ENTITIES, Column
from assets.ingest.mapping import moments, reference
from assets.ingest.mapping.columns import ColumnKeys, ColumnMapping, given_sql
from assets.ingest.mapping.language import Key, Mistake, Text
from assets.ingest.mapping.moments import NamedFormat
from assets.ingest.mapping.text_steps import TextStep


class Prefix(TextStep, RootModel[Text]):
    """A step that no release has: something before each value."""

    model_config = ConfigDict(frozen=True)
    is_of_any_type: ClassVar[bool] = True

    def is_used(self) -> bool:
        return self.root != ""

    def sql(self, text: str, column: Column) -> str:
        return f"'{self.root}' || {text}" if self.root else text


class WiderMapping(ColumnMapping):
    prefix: Annotated[Prefix, Key("stands before each value", example="customer_id: {column: A, prefix: K}")] = Prefix(
        ""
    )


class WiderKeys(ColumnKeys):
    columns: Annotated[dict[str, WiderMapping], Key("with one key more")]


def keys(**said) -> WiderKeys:
    return WiderKeys.model_validate({"columns": {"customer_id": {"column": "who", "case": "upper", **said}}})


CUSTOMER = ENTITIES["transactions"].column("customer_id")


@pytest.mark.parametrize(("kind", "value"), [("VARCHAR", "'ab'"), ("INTEGER", "7")])
def test_a_step_is_applied_in_its_place_and_whatever_the_type_of_the_file(kind, value):
    raw = {"who": ("raw_1", kind)}
    sql = given_sql(raw, keys(prefix="k-"), CUSTOMER)
    given = duckdb.execute(f"select {sql} from (select cast({value} as {kind}) as raw_1)").fetchone()[0]
    assert given == "k-" + value.strip("'").upper(), "the last key of the class is the last step"
    without = given_sql(raw, keys(), CUSTOMER)
    assert without == given_sql(
        raw, ColumnKeys.model_validate({"columns": {"customer_id": {"column": "who", "case": "upper"}}}), CUSTOMER
    )


def test_its_typing_mistakes_and_wrong_values_are_named():
    with pytest.raises(ValidationError, match="unknown key prefx") as error:
        keys(prefx="k")
    assert "did you mean 'prefix'" in error.value.errors()[0]["ctx"]["error"].remedy
    with pytest.raises(ValidationError) as error:
        keys(prefix=True)
    assert isinstance(error.value.errors()[0]["ctx"]["error"], Mistake)


def test_it_counts_where_it_is_used_so_that_an_upgrade_lands_nothing_again():
    def said(of: ColumnKeys) -> object:
        return of.fingerprint_keys()["columns"]["customer_id"]

    plain = ColumnKeys.model_validate({"columns": {"customer_id": {"column": "who", "case": "upper"}}})
    assert said(keys()) == said(keys(prefix="")) == said(plain)
    assert said(keys(prefix="k")) == {**said(plain), "prefix": "k"}


def test_it_has_its_row_in_the_guide():
    row = next(line for line in reference._keys(WiderMapping)().splitlines() if line.startswith("| `prefix`"))
    assert row == '| `prefix` | `""` | stands before each value | `customer_id: {column: A, prefix: K}` |'


def test_a_new_date_format_is_one_entry(shop, monkeypatch):
    days = "try_cast(date '1899-12-30' + cast({} as integer) as timestamp)"
    serial = NamedFormat("days since 1899-12-30", lambda given, clock: clock.naive(days.format(given)))
    monkeypatch.setitem(moments.NAMED_FORMATS, "serial", serial)
    rows = shop.landed(f"{HEADER}\n7,o1,1,45413,5\n", "strftime(occurred_at, '%Y-%m-%d')", date_format="serial")
    assert rows == [("2024-05-01",)]
    assert "| `serial` | days since 1899-12-30 |" in reference.TABLES["date_format"]()
