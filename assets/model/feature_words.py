"""What each feature of the churn model is called, in English and Chinese, and how its numbers are said.

In and out: nothing but words. Which features there are stands in `churn_features`; how each is computed stands in the
SQL that builds it.
"""

from typing import NamedTuple


class FeatureWords(NamedTuple):
    """A feature's name within a sentence, and its unit: number, days, money (source currency) or share."""

    en: str
    zh: str
    unit: str


FEATURE_WORDS: dict[str, FeatureWords] = {
    # silence
    "days_since_last_order": FeatureWords("time since the last purchase", "距上次购买的时间", "days"),
    "recency_over_gap_median": FeatureWords(
        "time since the last purchase in usual gaps", "距上次购买相当于通常间隔的倍数", "number"
    ),
    "recency_over_gap_mean": FeatureWords(
        "time since the last purchase in average gaps", "距上次购买相当于平均间隔的倍数", "number"
    ),
    "recency_over_gap_max": FeatureWords(
        "time since the last purchase in longest gaps", "距上次购买相当于最长间隔的倍数", "number"
    ),
    "recency_gap_z": FeatureWords(
        "time since the last purchase beyond the average gap, in standard deviations",
        "距上次购买超出平均间隔的标准差倍数",
        "number",
    ),
    # regularity
    "gap_median_days": FeatureWords("usual gap between purchases", "通常购买间隔", "days"),
    "gap_mean_days": FeatureWords("average gap between purchases", "平均购买间隔", "days"),
    "gap_max_days": FeatureWords("longest gap between purchases", "最长购买间隔", "days"),
    "gap_std_days": FeatureWords("spread of the gaps between purchases", "购买间隔的波动", "days"),
    "gap_cv": FeatureWords("spread of the gaps over their average", "购买间隔波动与平均间隔之比", "number"),
    "gap_last_days": FeatureWords("last gap between purchases", "最近一次购买间隔", "days"),
    "gap_last_over_median": FeatureWords("last gap in usual gaps", "最近一次间隔相当于通常间隔的倍数", "number"),
    "gap_last3_over_mean": FeatureWords(
        "last three gaps in average gaps", "最近三次间隔相当于平均间隔的倍数", "number"
    ),
    # trend
    "n_orders_30d": FeatureWords("orders in the last 30 days", "近 30 天下单次数", "number"),
    "n_orders_90d": FeatureWords("orders in the last 90 days", "近 90 天下单次数", "number"),
    "n_orders_prev_90d": FeatureWords("orders in the 90 days before the last 90", "此前 90 天下单次数", "number"),
    "orders_trend_ratio": FeatureWords(
        "orders of the last 90 days over those of the 90 days before", "近 90 天与此前 90 天下单次数之比", "number"
    ),
    "net_sales_30d": FeatureWords("spent in the last 30 days", "近 30 天消费", "money"),
    "net_sales_90d": FeatureWords("spent in the last 90 days", "近 90 天消费", "money"),
    "net_sales_prev_90d": FeatureWords("spent in the 90 days before the last 90", "此前 90 天消费", "money"),
    "sales_trend_ratio": FeatureWords(
        "spent in the last 90 days over the 90 days before", "近 90 天与此前 90 天消费之比", "number"
    ),
    "orders_slope_6m": FeatureWords(
        "rise of orders from month to month over six months", "近六个月下单次数的月增量", "number"
    ),
    # money
    "net_sales_total": FeatureWords("spent in all", "累计消费", "money"),
    "net_sales_365d": FeatureWords("spent in the last year", "近一年消费", "money"),
    "margin_365d": FeatureWords("margin of the last year", "近一年毛利", "money"),
    "average_order_value": FeatureWords("spent an order", "每单消费", "money"),
    "order_value_last_over_mean": FeatureWords("last order over the average order", "最近一单与平均每单之比", "number"),
    "balance_trend_ratio": FeatureWords(
        "balance of the last 30 days over the 90 days before", "近 30 天与此前 90 天平均余额之比", "number"
    ),
    # basket
    "lines_per_order": FeatureWords("lines an order", "每单商品行数", "number"),
    "quantity_per_order": FeatureWords("pieces an order", "每单件数", "number"),
    "discount_share": FeatureWords("share of the price saved by discounts", "折扣占原价的比例", "share"),
    "discount_order_share": FeatureWords("share of orders on discount", "享受折扣的订单比例", "share"),
    "return_share": FeatureWords("share of lines returned", "退货比例", "share"),
    "categories_per_day": FeatureWords("categories a purchase day", "每个购买日的品类数", "number"),
    # first purchase
    "first_order_amount": FeatureWords("first purchase", "首次购买消费", "money"),
    "second_gap_days": FeatureWords("time from the first to the second purchase", "首次到第二次购买的间隔", "days"),
    # tenure
    "tenure_days": FeatureWords("time since the first purchase", "首次购买距今", "days"),
    "recency_days": FeatureWords("time from the first to the last purchase", "首次到最近一次购买的时间", "days"),
    "frequency": FeatureWords("purchase days after the first", "首次之后的购买天数", "number"),
    "n_orders": FeatureWords("orders so far", "累计下单次数", "number"),
    "n_order_days": FeatureWords("purchase days so far", "累计购买天数", "number"),
    "orders_per_30d": FeatureWords("orders in 30 days on average", "平均每 30 天下单次数", "number"),
    "contract_days_left": FeatureWords("time left of the contract", "合同剩余时间", "days"),
    "contract_tenure_days": FeatureWords("time since the first contract began", "首份合同开始距今", "days"),
    "n_contract_renewals": FeatureWords("contract renewals", "合同续约次数", "number"),
    # service
    "n_complaints_90d": FeatureWords("complaints in the last 90 days", "近 90 天投诉次数", "number"),
    "n_contacts_90d": FeatureWords("contacts by the business in the last 90 days", "近 90 天企业联系次数", "number"),
}

#: Families, and contacts, as the subject of a sentence: English, Chinese.
FAMILY_WORDS: dict[str, tuple[str, str]] = {
    "silence": ("time since the last purchase", "距上次购买的时间"),
    "regularity": ("buying rhythm", "购买节奏"),
    "trend": ("recent orders", "近期下单"),
    "money": ("spending", "消费金额"),
    "basket": ("baskets", "购物篮"),
    "first_purchase": ("first purchases", "首次购买"),
    "tenure": ("orders so far", "累计下单"),
    "service": ("complaints", "投诉"),
    "contacts": ("contacts", "联系"),
}
