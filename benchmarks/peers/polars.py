"""Polars, lazy and on its streaming engine."""

from datetime import date, timedelta
from pathlib import Path

import polars as pl

from benchmarks.peers import program

DAY = ["customer_id", "day"]


def customer_day(landing: Path) -> pl.LazyFrame:
    sale = ~pl.col("is_return")
    lines = pl.scan_parquet(program.transactions(landing)).select(
        "customer_id",
        "order_id",
        "category",
        "channel",
        "discount_amount",
        (pl.col("quantity") < 0).alias("is_return"),
        pl.col("occurred_at").dt.date().alias("day"),
        pl.when(pl.col("quantity") < 0).then(-pl.col("amount").abs()).otherwise(pl.col("amount")).alias("net_amount"),
        pl.col("quantity").abs(),
    )
    pieces = lines.group_by(*DAY, "order_id", "channel", "category").agg(
        pl.len().alias("n_lines"),
        pl.col("is_return").sum().alias("n_return_lines"),
        pl.col("quantity").filter(sale).sum(),
        pl.col("net_amount").sum().alias("net_sales"),
        pl.col("net_amount").filter(sale).sum().alias("gross_sales"),
        (-pl.col("net_amount").filter("is_return").sum()).alias("return_amount"),
        pl.col("discount_amount").filter(sale).sum(),
    )
    orders = (
        pieces.group_by(*DAY, "order_id")
        .agg(
            pl.col(
                "n_lines", "n_return_lines", "quantity", "net_sales", "gross_sales", "return_amount", "discount_amount"
            ).sum(),
        )
        .with_columns((pl.col("n_lines") > pl.col("n_return_lines")).alias("has_sale"))
    )
    days = orders.group_by(DAY).agg(
        pl.col("has_sale").sum().alias("n_orders"),
        pl.col(
            "n_lines", "quantity", "net_sales", "gross_sales", "return_amount", "n_return_lines", "discount_amount"
        ).sum(),
        (pl.col("has_sale") & (pl.col("discount_amount") > 0)).sum().alias("n_discount_orders"),
    )
    categories = (
        pieces.filter(pl.col("category").is_not_null() & (pl.col("n_lines") > pl.col("n_return_lines")))
        .group_by(*DAY, "category")
        .agg()
        .group_by(DAY)
        .agg(pl.len().alias("n_categories"))
    )
    channels = (
        pieces.filter(pl.col("channel").is_not_null())
        .group_by(*DAY, "channel")
        .agg(pl.col("gross_sales").sum())
        .group_by(DAY)
        .agg(pl.col("channel").sort_by(["gross_sales", "channel"], descending=[True, False]).first())
    )
    return (
        days.join(categories, on=DAY, how="left")
        .join(channels, on=DAY, how="left")
        .with_columns(
            pl.col("n_categories").fill_null(0),
            # A day of returns alone has no discount, rather than one of zero.
            pl.when(pl.col("n_lines") > pl.col("n_return_lines")).then(pl.col("discount_amount", "n_discount_orders")),
        )
    )


def customer_features(days: pl.LazyFrame, as_of: date) -> pl.LazyFrame:
    def window(column: str, first: int, last: int = 0) -> pl.Expr:
        inside = (pl.col("day") >= as_of - timedelta(days=first)) & (pl.col("day") < as_of - timedelta(days=last))
        return pl.col(column).filter(inside).sum().cast(pl.Float64)

    def over(top: pl.Expr | str, bottom: pl.Expr | str) -> pl.Expr:
        """Division with null instead of a division by zero."""
        top, bottom = (pl.col(e) if isinstance(e, str) else e for e in (top, bottom))
        return pl.when(bottom != 0).then(top / bottom)

    ordered = days.filter(pl.col("day") < as_of).sort(DAY)
    totals = ordered.group_by("customer_id").agg(
        pl.col("n_orders", "n_lines", "n_return_lines", "n_discount_orders", "n_categories").sum().cast(pl.Float64),
        pl.col("quantity", "gross_sales", "discount_amount").sum().cast(pl.Float64),
        pl.col("net_sales").sum().cast(pl.Float64).alias("net_sales_total"),
        *(window("n_orders", 30 * (n + 1), 30 * n).alias(f"window_{n + 1}") for n in range(6)),
        window("n_orders", 365).alias("n_orders_365d"),
        window("net_sales", 30).alias("net_sales_30d"),
        window("net_sales", 90).alias("net_sales_90d"),
        window("net_sales", 180, 90).alias("net_sales_prev_90d"),
        window("net_sales", 365).alias("net_sales_365d"),
    )
    gap = pl.col("day").diff().dt.total_days().cast(pl.Float64)
    bought = (
        ordered.filter(pl.col("n_orders") > 0)
        .with_columns((pl.col("gross_sales").cast(pl.Float64) / pl.col("n_orders")).alias("order_value"))
        .group_by("customer_id", maintain_order=False)
        .agg(
            pl.col("day").min().alias("first_order_on"),
            pl.col("day").max().alias("last_order_on"),
            pl.len().cast(pl.Float64).alias("n_order_days"),
            gap.median().alias("gap_median_days"),
            gap.mean().alias("gap_mean_days"),
            gap.max().alias("gap_max_days"),
            gap.std().alias("gap_std_days"),
            gap.last().alias("gap_last_days"),
            ((pl.col("day").last() - pl.col("day").shift(3).last()).dt.total_days() / 3).alias("last3"),
            gap.get(1, null_on_oob=True).alias("second_gap_days"),
            pl.col("gross_sales").first().cast(pl.Float64).alias("first_order_amount"),
            pl.col("order_value").last().alias("order_value_last"),
        )
    )
    return (
        totals.join(bought, on="customer_id", how="left")
        .with_columns(
            (pl.lit(as_of) - pl.col("last_order_on")).dt.total_days().cast(pl.Float64).alias("days_since_last_order"),
            (pl.lit(as_of) - pl.col("first_order_on")).dt.total_days().cast(pl.Float64).alias("tenure_days"),
            over("gross_sales", "n_orders").alias("average_order_value"),
            (pl.col("window_1") + pl.col("window_2") + pl.col("window_3")).alias("n_orders_90d"),
            (pl.col("window_4") + pl.col("window_5") + pl.col("window_6")).alias("n_orders_prev_90d"),
        )
        .select(
            "customer_id",
            "first_order_on",
            "last_order_on",
            "days_since_last_order",
            "tenure_days",
            "n_orders",
            "n_order_days",
            "gap_median_days",
            "gap_mean_days",
            "gap_max_days",
            "gap_std_days",
            "gap_last_days",
            "n_orders_90d",
            "n_orders_prev_90d",
            "net_sales_30d",
            "net_sales_90d",
            "net_sales_prev_90d",
            "first_order_amount",
            "second_gap_days",
            "net_sales_total",
            "n_orders_365d",
            "net_sales_365d",
            "average_order_value",
            (pl.col("last_order_on") - pl.col("first_order_on")).dt.total_days().cast(pl.Float64).alias("recency_days"),
            (pl.col("n_order_days") - 1).alias("frequency"),
            over("days_since_last_order", "gap_median_days").alias("recency_over_gap_median"),
            over("days_since_last_order", "gap_mean_days").alias("recency_over_gap_mean"),
            over("days_since_last_order", "gap_max_days").alias("recency_over_gap_max"),
            over(pl.col("days_since_last_order") - pl.col("gap_mean_days"), "gap_std_days").alias("recency_gap_z"),
            over("gap_std_days", "gap_mean_days").alias("gap_cv"),
            over("gap_last_days", "gap_median_days").alias("gap_last_over_median"),
            over("last3", "gap_mean_days").alias("gap_last3_over_mean"),
            pl.col("window_1").alias("n_orders_30d"),
            ((pl.col("n_orders_90d") + 1) / (pl.col("n_orders_prev_90d") + 1)).alias("orders_trend_ratio"),
            over(
                pl.col("net_sales_90d").clip(lower_bound=0) + pl.col("average_order_value"),
                pl.col("net_sales_prev_90d").clip(lower_bound=0) + pl.col("average_order_value"),
            ).alias("sales_trend_ratio"),
            (
                (
                    5 * (pl.col("window_1") - pl.col("window_6"))
                    + 3 * (pl.col("window_2") - pl.col("window_5"))
                    + pl.col("window_3")
                    - pl.col("window_4")
                )
                / 35
            ).alias("orders_slope_6m"),
            over("order_value_last", "average_order_value").alias("order_value_last_over_mean"),
            over(pl.col("n_lines") - pl.col("n_return_lines"), "n_orders").alias("lines_per_order"),
            over("quantity", "n_orders").alias("quantity_per_order"),
            over("discount_amount", pl.col("gross_sales") + pl.col("discount_amount")).alias("discount_share"),
            over("n_discount_orders", "n_orders").alias("discount_order_share"),
            over("n_categories", "n_order_days").alias("categories_per_day"),
            over(30 * pl.col("n_orders"), "tenure_days").alias("orders_per_30d"),
        )
    )


def build(landing: Path, as_of: date, out: Path, watch: program.Stopwatch) -> None:
    days_file = out / "customer_day.parquet"
    customer_day(landing).sink_parquet(days_file)
    watch.mark("customer_day")
    customer_features(pl.scan_parquet(days_file), as_of).sink_parquet(out / "customer_features.parquet")
    watch.mark("customer_features")


if __name__ == "__main__":
    program.run(build)
