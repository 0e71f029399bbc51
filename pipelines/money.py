"""Sums of money as people read them."""

from decimal import Decimal


def money(amount: Decimal | float, currency: str | None) -> str:
    """With its currency where one is known: `EUR 1,250.00`."""
    return f"{currency} {amount:,.2f}" if currency else f"{amount:,.2f}"
