"""Sales: the keys that say what an amount, a discount and a return are, and their SQL.

In: typed price, quantity and discount. Out: the amount of the line as the customer paid it, its discount, whether it is
a return, and a rule for amounts that cannot be.
"""

from typing import Annotated, Literal

from assets.ingest.mapping.columns import ColumnKeys, RawColumns, text_sql
from assets.ingest.mapping.language import ColumnRef, Key, Keys, Texts
from assets.ingest.mapping.rules import Rule
from assets.shared.quoting import literal, literals

#: Ten thousand million in one line, in any currency, is a total row or a wrong decimal sign.
LARGEST_AMOUNT = 10**10


class ReturnFlag(Keys):
    """A column that marks returns, and its values (compared without regard to case) that mean 'return'."""

    column: Annotated[ColumnRef, Key("the column that marks returns", in_fingerprint="always")]
    values: Annotated[Texts, Key("its values that mean a return", in_fingerprint="always")]


class FlagConvention(Keys):
    """`returns: {flag: …}`"""

    flag: Annotated[ReturnFlag, Key("the column that marks returns, and how", in_fingerprint="always")]


class SalesKeys(ColumnKeys):
    """What the amounts of transactions mean."""

    returns: Annotated[
        Literal["by_sign", "negative_amount", "negative_quantity", "none"] | FlagConvention,
        Key(
            "`by_sign`: a negative amount or quantity is a return. `negative_amount`, `negative_quantity`: only that "
            "one decides. `flag: {column: …, values: […]}`: a column says so. `none`: there are none; negative amounts "
            "merely lower sales",
            example="returns: {flag: {column: TYPE, values: [R, credit]}}",
            table="transactions",
            needs={"negative_quantity": "quantity"},
            in_fingerprint="always",
        ),
    ] = "by_sign"
    amount_is: Annotated[
        Literal["line_total", "unit_price"],
        Key(
            "`unit_price`: amount = price × quantity",
            example="amount_is: unit_price",
            table="transactions",
            needs={"unit_price": "quantity"},
            in_fingerprint="always",
        ),
    ] = "line_total"
    discount_sign: Annotated[
        Literal["positive", "negative"],
        Key(
            "`negative` when the file writes a discount as `-2.00`",
            example="discount_sign: negative",
            table="transactions",
            in_fingerprint="always",
        ),
    ] = "positive"
    discount_deducted: Annotated[
        bool,
        Key(
            "`false` when the amount is before discount; it is then deducted",
            example="discount_deducted: false",
            table="transactions",
            needs={False: "discount_amount"},
            in_fingerprint="always",
        ),
    ] = True

    @property
    def return_flag(self) -> ReturnFlag | None:
        return self.returns.flag if isinstance(self.returns, FlagConvention) else None


def amount_sql(keys: SalesKeys) -> str:
    """Expression: the line's amount from price, quantity and discount, as the mapping says."""
    if "amount" not in keys.columns:
        return "null"
    if keys.amount_is == "line_total" and keys.discount_deducted:
        return "typed_amount"
    # One digit more than needed: up to 18 the engine computes in 64 bits and stops at the first overflow.
    amount = "cast(typed_amount as decimal(19,4))"
    if keys.amount_is == "unit_price":
        amount = f"{amount} * typed_quantity"
    if not keys.discount_deducted:
        amount = f"{amount} - coalesce({discount_sql(keys)}, 0)"
    return f"try_cast({amount} as decimal(18,4))"


def discount_sql(keys: SalesKeys) -> str:
    """Expression: the discount of the line, positive where it lowered the price."""
    return "-typed_discount_amount" if keys.discount_sign == "negative" else "typed_discount_amount"


def flag_sql(keys: SalesKeys, raw: RawColumns) -> str | None:
    """Expression: does the column that marks returns say so? None where no column does."""
    flag = keys.return_flag
    if flag is None:
        return None
    values = literals(value.casefold() for value in flag.values)
    return f"coalesce(lower({text_sql(keys, *raw[flag.column])}) in {values}, false)"


def is_return_sql(keys: SalesKeys) -> str:
    """Expression: is the line a return? NULL where its sign decides later."""
    if keys.return_flag:
        return "given_is_return"
    if keys.returns == "negative_amount":
        return "final_amount < 0"
    if keys.returns == "negative_quantity":
        return "coalesce(typed_quantity < 0, false)"
    return "false" if keys.returns == "none" else "null"


def sales_rules(keys: SalesKeys) -> list[Rule]:
    """Rules of amounts, after all columns."""
    if "amount" not in keys.columns:
        return []
    needs_quantity = Rule(
        "quantity_missing",
        "given_quantity is null",
        literal("quantity is missing, so unit price times quantity is unknown"),
    )
    possible = Rule(
        "amount_out_of_range",
        f"typed_amount is not null and (final_amount is null or abs(final_amount) >= {LARGEST_AMOUNT})",
        literal("amount is too large to be true"),
    )
    return [needs_quantity, possible] if keys.amount_is == "unit_price" else [possible]
