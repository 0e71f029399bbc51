"""The YAML of a source: every mistake is named, with its remedy; every default is the documented one."""

import pytest
import yaml
from landed_shop import COLUMNS, TOYSHOP

from assets.ingest.mapping.yaml_file import load_mapping
from assets.ingest.sources import mapped_source
from assets.shared.errors import UserError

#: Of the toy shop, as the first release computed them.
FINGERPRINTS = {"transactions": "48f2016d67f26793", "customers": "d4acce7e3ee84468", "consents": "06dbe00dae83b8ee"}


def mistake(shop, table=None, top=None, **more) -> UserError:
    with pytest.raises(UserError) as caught:
        load_mapping(shop.describe(table, top, **more))
    assert str(shop.yaml) in caught.value.what, "the error must name the file"
    assert caught.value.remedy
    return caught.value


def test_the_documented_example_is_read(shop):
    mapping = load_mapping(TOYSHOP / "toyshop.yml")
    sales = mapping.tables["transactions"]
    assert (sales.delimiter, sales.decimal, sales.thousands) == (";", ",", ".")
    assert sales.date_format == ("%d.%m.%Y %H:%M",), "a table's own option beats the defaults"
    assert mapping.tables["customers"].date_format == ("%d.%m.%Y",)
    assert sales.return_flag.values == ("R",)
    assert sales.columns["channel"].constant == "store"
    assert mapping.time_zone == "Europe/Berlin"


@pytest.mark.parametrize(
    ("top", "named", "hint"),
    [
        ({"tabels": {}}, "tabels", "did you mean 'tables'"),
        ({"defaults": {"delimeter": ";"}}, "defaults.delimeter", "did you mean 'delimiter'"),
        ({"defaults": {"columns": {}}}, "defaults.columns", "known:"),
        ({"defaults": {"encoding": "utf-9"}}, "defaults.encoding: unknown encoding 'utf-9'", "latin-1"),
        ({"path": "x"}, "unknown key path", "known: accounts"),
        ({"name": "a" * 64}, "name", "up to 63"),
        ({"name": "My Shop"}, "name", "lower-case"),
        ({"time_zone": "Europe/Berlinn"}, "Europe/Berlinn", "Europe/Berlin"),
        ({"identity": "yes"}, "identity", "docs/connecting-a-source.md"),
        ({"complete_through": "soon"}, "complete_through", "docs/connecting-a-source.md"),
        ({"folder": "nowhere"}, "nowhere", "create it"),
        ({"tables": {}}, "no 'transactions'", "map the table of sales"),
    ],
)
def test_mistakes_at_the_top(shop, top, named, hint):
    error = mistake(shop, top=top)
    assert named in error.what
    assert hint in error.remedy


@pytest.mark.parametrize(
    ("table", "named", "hint"),
    [
        ({"delimter": ";"}, "tables.transactions.delimter", "did you mean 'delimiter'"),
        ({"columns": {**COLUMNS, "custmer_id": "x"}}, "columns.custmer_id", "did you mean 'customer_id'"),
        ({"columns": {"customer_id": "who", "amount": "money"}}, "columns.occurred_at is missing", "add it"),
        ({"columns": {**COLUMNS, "is_return": "art"}}, "is_return", "returns"),
        ({"columns": {**COLUMNS, "category": {"colum": "x"}}}, "category.colum", "did you mean 'column'"),
        ({"columns": {**COLUMNS, "category": {}}}, "category", "docs/connecting-a-source.md"),
        ({"columns": {**COLUMNS, "category": {"column": "a", "constant": "b"}}}, "exactly one", ""),
        ({"columns": {**COLUMNS, "category": True}}, "columns.category", ""),
        ({"columns": {**COLUMNS, "category": 0}}, "position 0", "from 1"),
        ({"files": None}, "tables.transactions.files is missing", "add it"),
        ({"files": []}, "'files' is empty", "name the file"),
        ({"encoding": "utf-9"}, "utf-9", "latin-1"),
        ({"date_format": "dd.mm.yyyy"}, "dd.mm.yyyy", "%d.%m.%Y"),
        ({"date_format": ["%Y-%m-%d", "%Q"]}, "%Q", "%d.%m.%Y"),
        ({"delimiter": "||"}, "||", "quote: ''"),
        ({"delimiter": ""}, "cannot separate", "tab"),
        ({"delimiter": ";", "quote": ";"}, "same character", ""),
        ({"decimal": ",", "thousands": ","}, "both ','", ""),
        ({"decimal": ";"}, "decimal", ""),
        ({"null_values": [None]}, "null", "quotes"),
        ({"returns": "negativ"}, "returns", ""),
        ({"returns": {"flag": {"column": "art"}}}, "returns.flag.values is missing", "add it"),
        ({"returns": {"flga": {}}}, "unknown key tables.transactions.returns.flga", "did you mean 'flag'"),
        ({"returns": {"flag": {"colum": "a", "values": ["b"]}}}, "returns.flag.colum", "did you mean 'column'"),
        ({"expects": {"evry_days": 1}}, "unknown key tables.transactions.expects.evry_days", "mean 'every_days'"),
        ({"expects": {"closed_on": ["funday"]}}, "tables.transactions.expects.closed_on: 'funday'", "sunday"),
        ({"columns": {**COLUMNS, "category": {"column": "a", "case": "uper"}}}, "category.case", "mean 'upper'"),
        ({"columns": {**COLUMNS, "category": {"column": "a", "normalise": "wide"}}}, "wide", "did you mean 'width'"),
        ({"columns": {**COLUMNS, "category": {"column": True}}}, "columns.category: True", "put quotes"),
        ({"columns": {**COLUMNS, "category": {"column": "a", "values": {"x": False}}}}, "values.x: False", "quotes"),
        (
            {"corrections": "replace_orders", "columns": {k: v for k, v in COLUMNS.items() if k != "order_id"}},
            "corrections is replace_orders, but no order_id is mapped",
            "columns.order_id",
        ),
        ({"corrects": "sales"}, "0 groups", "( )"),
        ({"returns": {"flag": {"column": "art", "values": [True]}}}, "True", "quotes"),
        ({"returns": "negative_quantity"}, "no quantity is mapped", "columns.quantity"),
        ({"amount_is": "unit_price"}, "no quantity is mapped", "columns.quantity"),
        ({"discount_deducted": False}, "no discount_amount", "columns.discount_amount"),
        ({"skip_lines": -1}, "skip_lines", ""),
    ],
)
def test_mistakes_in_a_table(shop, table, named, hint):
    error = mistake(shop, table)
    assert named in error.what
    assert hint in error.remedy


def test_options_of_sales_are_refused_elsewhere(shop):
    customers = {"files": "c.csv", "columns": {"customer_id": "who"}, "returns": "none"}
    assert "tables.customers.returns" in mistake(shop, customers=customers).what


def test_an_unknown_table_is_named(shop):
    error = mistake(shop, customer={"files": "c.csv", "columns": {"customer_id": "who"}})
    assert "tables.customer" in error.what
    assert "did you mean 'customers'" in error.remedy


@pytest.mark.parametrize(
    ("text", "named"),
    [("name: [", "not valid YAML"), ("just words", "holds no mapping"), ("", "holds no mapping")],
)
def test_a_file_that_is_no_mapping(shop, text, named):
    shop.yaml.write_text(text)
    with pytest.raises(UserError, match=named):
        load_mapping(shop.yaml)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"nothing\.yml does not exist"):
        load_mapping(tmp_path / "nothing.yml")


def test_fingerprint_follows_meaning_and_not_names_of_files(shop):
    def fingerprint(table=None, top=None):
        return load_mapping(shop.describe(table, top)).fingerprint("transactions")

    plain = fingerprint()
    assert fingerprint({"files": "other*.csv"}) == plain
    assert fingerprint({"file_changes": "add"}) == plain
    assert fingerprint({"decimal": ","}) != plain
    assert fingerprint(top={"currency": "EUR"}) != plain
    assert fingerprint(top={"time_zone": "Asia/Tokyo"}) != plain
    assert fingerprint(top={"name": "other"}) != plain


def test_given_names_stand_for_a_missing_header(shop):
    table = {"column_names": ["who", "order", "line", "when", "money"]}
    assert load_mapping(shop.describe(table)).tables["transactions"].header is False


def test_numbers_are_taken_as_they_are_written(shop):
    shop.describe()
    document = yaml.safe_load(shop.yaml.read_text())
    document["tables"]["transactions"]["returns"] = {"flag": {"column": "art", "values": [7]}}
    shop.yaml.write_text(yaml.safe_dump(document))
    assert load_mapping(shop.yaml).tables["transactions"].return_flag.values == ("7",)


def test_an_upgrade_alone_lands_no_file_again():
    """Files are known by these: where one changes, everything of that source is landed once more."""
    mapping = load_mapping(TOYSHOP / "toyshop.yml")
    assert {entity: mapping.fingerprint(entity) for entity in mapping.tables} == FINGERPRINTS


def test_a_key_counts_where_it_is_used(shop):
    plain = load_mapping(shop.describe()).fingerprint("transactions")
    for key, default, other in (
        ("skipped_times", "keep", "quarantine"),
        ("corrections", "replace_lines", "replace_days"),
    ):
        assert load_mapping(shop.describe({key: default})).fingerprint("transactions") == plain
        assert load_mapping(shop.describe({key: other})).fingerprint("transactions") != plain
    for normalise, is_same in (([], True), (["nfc"], False)):
        columns = {**COLUMNS, "customer_id": {"column": "who", "normalise": normalise}}
        assert (load_mapping(shop.describe({"columns": columns})).fingerprint("transactions") == plain) == is_same


def test_accounts_are_compared_where_the_source_says_so_and_no_file_is_landed_again_for_it(shop):
    plain = mapped_source(load_mapping(shop.describe()))
    for said, is_matched in (("off", False), (False, False), ("match", True)):
        source = mapped_source(load_mapping(shop.describe(top={"identity": said})))
        assert source.is_matched is is_matched
        assert source.mapping.fingerprint("transactions") == plain.mapping.fingerprint("transactions")
    assert not plain.is_matched


def test_a_national_id_is_never_kept_in_clear(shop, monkeypatch):
    monkeypatch.setenv("HOLDFAST_TEST_KEY", "a" * 32)
    people = {"files": "people*", "columns": {"customer_id": "who", "national_id": "tax"}}
    error = mistake(shop, customers=people)
    assert "customers.columns.national_id would be kept in clear" in error.what and "hash" in error.remedy
    people["columns"]["national_id"] = {"column": "tax", "hash": "HOLDFAST_TEST_KEY"}
    assert load_mapping(shop.describe(customers=people)).tables["customers"].columns["national_id"].hash.is_used()


def test_steps_are_applied_in_the_order_of_their_keys(shop):
    """Words are translated first, then made one spelling, then one case; whatever the order in the YAML."""
    column = {"case": "upper", "normalise": ["inner_blanks"], "values": {"a b": "c d"}, "column": "order"}
    rows = shop.landed(
        "who,order,line,when,money\n7,A b,1,2024-05-01,5\n", "order_id", columns={**COLUMNS, "order_id": column}
    )
    assert rows == [("CD",)]
