"""Sales: the keys that say what an amount, a discount and a return are, and their SQL.

In: typed price, quantity and discount. Out: the amount of the line as the customer paid it, its discount, whether it is
a return, and a rule for amounts that cannot be.
"""

from typing import Annotated, Literal

from pydantic import model_validator

from assets.ingest.mapping.columns import ColumnKeys, RawColumns, text_sql
from assets.ingest.mapping.language import ColumnRef, Key, Keys, Mistake, Texts
from assets.ingest.mapping.numbers import NumberKeys, number_sql
from assets.ingest.mapping.rules import Rule
from assets.shared.quoting import literal, lowered

#: Ten thousand million in one line, in any currency, is a total row or a wrong decimal sign.
LARGEST_AMOUNT = 10**10


class ReturnFlag(Keys):
    """A column that marks returns, and its values (compared without regard to case) that mean 'return'."""

    column: Annotated[ColumnRef, Key("the column that marks returns", in_fingerprint="always")]
    values: Annotated[Texts, Key("its values that mean a return", in_fingerprint="always")]


class FlagConvention(Keys):
    """`returns: {flag: …}`"""

    flag: Annotated[ReturnFlag, Key("the column that marks returns, and how", in_fingerprint="always")]


class OrderAmounts(Keys):
    """Amounts of a whole order, which stand on one of its rows or on each of them."""

    discount: Annotated[
        ColumnRef | None,
        Key("the order's discount, as a positive number", in_fingerprint="always"),
    ] = None
    refund: Annotated[
        ColumnRef | None,
        Key("what of the order was paid back, as a positive number", in_fingerprint="always"),
    ] = None

    @model_validator(mode="after")
    def _one_at_least(self) -> "OrderAmounts":
        if self.discount is None and self.refund is None:
            raise Mistake("it names neither 'discount' nor 'refund'", "name the column that holds the amount")
        return self

    def named(self) -> dict[str, ColumnRef]:
        """Kind of amount -> its column, for those that are there."""
        found = {"discount": self.discount, "refund": self.refund}
        return {kind: ref for kind, ref in found.items() if ref is not None}


class SalesKeys(ColumnKeys):
    """What the amounts of transactions mean."""

    order_amounts: Annotated[
        OrderAmounts | None,
        Key(
            "`discount` and `refund`: columns with amounts of the whole order, deducted from its rows by their value, "
            "to the cent; see [Orders over several rows](#orders-over-several-rows)",
            example="order_amounts: {discount: Discount Amount, refund: Refunded Amount}",
            table="transactions",
            in_defaults=False,
        ),
    ] = None

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
        Literal["line_total", "unit_price", "order_total"],
        Key(
            "`unit_price`: amount = price × quantity. `order_total`: the whole order's amount, repeated on each of its "
            "rows; it counts once, in equal parts of the rows; see [Orders over several rows]"
            "(#orders-over-several-rows)",
            example="amount_is: order_total",
            table="transactions",
            needs={"unit_price": "quantity", "order_total": "order_id"},
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

    amount_scales: Annotated[
        Literal["one", "several"],
        Key(
            "`several` where the amounts of some files or days are rightly 30 times those of others, such as wholesale "
            "beside retail; else that is taken for another unit, such as cents",
            example="amount_scales: several",
            table="transactions",
        ),
    ] = "one"

    @model_validator(mode="after")
    def _one_way_to_deduct(self) -> "SalesKeys":
        if self.amount_is == "order_total" and not self.discount_deducted:
            raise Mistake(
                "discount_deducted: false has no meaning with amount_is: order_total",
                "a discount of the whole order is deducted by order_amounts: {discount: …}",
            )
        return self

    @property
    def return_flag(self) -> ReturnFlag | None:
        return self.returns.flag if isinstance(self.returns, FlagConvention) else None


#: Rows of one order: a number names one order of a day, as in the tables.
_ORDER = "partition by given_order_id, cast(typed_occurred_at as date)"


def amount_sql(keys: SalesKeys, is_wanted: str = "true") -> str:
    """Expression: the line's amount from price, quantity and discount, as the mapping says. Rows of an order that are
    not wanted bear nothing of its total."""
    if "amount" not in keys.columns:
        return "null"
    if keys.amount_is == "order_total":
        return _part_of_order_sql(f"({is_wanted} and typed_amount is not null)")
    if keys.amount_is == "line_total" and keys.discount_deducted:
        return "typed_amount"
    # One digit more than needed: up to 18 the engine computes in 64 bits and stops at the first overflow.
    amount = "cast(typed_amount as decimal(19,4))"
    if keys.amount_is == "unit_price":
        amount = f"{amount} * typed_quantity"
    if not keys.discount_deducted:
        amount = f"{amount} - coalesce({discount_sql(keys)}, 0)"
    return f"try_cast({amount} as decimal(18,4))"


def _part_of_order_sql(is_wanted: str) -> str:
    """Expression: the row's part of the order's total, rounded as parts add up, so that they sum to it to the cent."""
    rows = f"count(*) filter (where {is_wanted}) over"
    until = f"{rows} ({_ORDER} order by line_number rows unbounded preceding)"
    of_all = f"cast({rows} ({_ORDER}) as double)"
    total = f"cast(max(typed_amount) filter (where {is_wanted}) over ({_ORDER}) as double)"
    part = f"round({total} * {until} / {of_all}, 2) - round({total} * ({until} - 1) / {of_all}, 2)"
    return f"try_cast(case when {is_wanted} then {part} end as decimal(18,4))"


def order_totals_sql(keys: SalesKeys, is_wanted: str) -> str:
    """Expression: do rows of the order say different totals? Never where an amount is the row's own."""
    if keys.amount_is != "order_total" or "amount" not in keys.columns:
        return "false"
    wanted = f"filter (where {is_wanted}) over ({_ORDER})"
    return f"coalesce(min(typed_amount) {wanted} <> max(typed_amount) {wanted}, false)"


def net_amount_sql(keys: SalesKeys) -> str:
    """Expression: the line's amount without its share of the order's discount and refund."""
    kinds = [] if keys.order_amounts is None else keys.order_amounts.named()
    return " - ".join(["final_amount", *(f"share_{kind}" for kind in kinds)])


def all_discounts_sql(keys: SalesKeys) -> str:
    """Expression: the line's discount with its share of the order's; NULL where the source knows none."""
    own = discount_sql(keys) if "discount_amount" in keys.columns else "null"
    if keys.order_amounts is None or keys.order_amounts.discount is None:
        return own
    return f"coalesce({own}, 0) + share_discount"


def discount_sql(keys: SalesKeys) -> str:
    """Expression: the discount of the line, positive where it lowered the price."""
    return "-typed_discount_amount" if keys.discount_sign == "negative" else "typed_discount_amount"


# -- Amounts of whole orders -------------------------------------------------------------------------------------------


def given_order_amounts(keys: SalesKeys, raw: RawColumns) -> list[str]:
    """Select list: the cells with amounts of whole orders, as text."""
    if keys.order_amounts is None:
        return []
    return [f"{text_sql(keys, *raw[ref])} as given_order_{kind}" for kind, ref in keys.order_amounts.named().items()]


def typed_order_amounts(keys: SalesKeys, numbers: NumberKeys, marks: str) -> list[str]:
    """Select list: these amounts as numbers, one an order, and whether one of its cells could not be read."""
    if keys.order_amounts is None:
        return []
    found = []
    for kind in keys.order_amounts.named():
        given = f"given_order_{kind}"
        number = number_sql(given, numbers, "decimal(18,2)", marks)
        if (scale := keys.columns["amount"].scale) != 1:
            # They are money of the same file, so in the same unit.
            number = f"try_cast(cast({number} as decimal(19,4)) * cast({scale!r} as decimal(18,8)) as decimal(18,2))"
        # A refund is never an addition, whatever its sign; a discount has the sign of discounts.
        positive = (
            f"abs({number})" if kind == "refund" else f"-({number})" if keys.discount_sign == "negative" else number
        )
        found += [
            f"max({positive}) over (partition by given_order_id) as typed_order_{kind}",
            f"bool_or({given} is not null and {number} is null) over (partition by given_order_id) as unread_{kind}",
        ]
    return found


def allocated_sql(keys: SalesKeys, is_wanted: str) -> str:
    """Query over `amounted`: with the columns `share_<kind>`, what each row bears of its order's amounts. Shares go by
    the value of the rows and are rounded as they add up, so that they sum to the order's amount to the cent (cascade
    rounding); rows that are not wanted or have no amount bear nothing."""
    if keys.order_amounts is None:
        return "select * from amounted"
    weight = f"case when {is_wanted} then abs(final_amount) end"
    # Rows without any value bear equal parts. Weights are decimals, so that one row's end is the next one's beginning.
    part = "case when total_weight > 0 then cast({} as double) / cast(total_weight as double) else ({}) / n_rows end"
    until, since = part.format("weight_so_far", "rank"), part.format("weight_so_far - weight", "rank - 1")
    shares = []
    for kind in keys.order_amounts.named():
        total = f"cast(typed_order_{kind} as double)"
        share = f"round({total} * {until}, 2) - round({total} * {since}, 2)"
        shares.append(
            f"case when weight is null then 0 else coalesce(try_cast({share} as decimal(18,2)), 0) end as share_{kind}"
        )
    return f"""
        select *, {", ".join(shares)} from (
            select
                *, {weight} as weight,
                sum({weight}) over lines_so_far as weight_so_far,
                sum({weight}) over (partition by given_order_id) as total_weight,
                cast(count({weight}) over lines_so_far as double) as rank,
                count({weight}) over (partition by given_order_id) as n_rows
            from amounted
            window lines_so_far as (partition by given_order_id order by line_number rows unbounded preceding)
        ) as weighed
    """


def order_amount_rules(keys: SalesKeys) -> list[Rule]:
    """An order whose own amounts cannot be read has no amount."""
    kinds = [] if keys.order_amounts is None else keys.order_amounts.named()
    return [
        Rule(
            f"order_{kind}_not_a_number",
            f"unread_{kind} or abs(typed_order_{kind}) >= {LARGEST_AMOUNT}",
            literal(f"the order's {kind} is not a number in one of its rows, or too large to be true"),
        )
        for kind in kinds
    ]


def flag_sql(keys: SalesKeys, raw: RawColumns) -> str | None:
    """Expression: does the column that marks returns say so? None where no column does."""
    flag = keys.return_flag
    if flag is None:
        return None
    values = lowered(flag.values)
    return f"coalesce(lower({text_sql(keys, *raw[flag.column])}) in {values}, false)"


def is_return_sql(keys: SalesKeys) -> str:
    """Expression: is the line a return? NULL where its sign decides later."""
    if keys.return_flag:
        return "given_is_return"
    if keys.returns == "negative_amount":
        return f"({net_amount_sql(keys)}) < 0"
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
    differs = Rule(
        "order_total_differs",
        "order_totals_differ",
        literal("the rows of the order have different amounts, so none is its total: say `amount_is: line_total`"),
    )
    also = {"unit_price": [needs_quantity], "order_total": [differs], "line_total": []}
    return [*also[keys.amount_is], possible]
