"""The persistent control group, made by Python: keys and the hash that decides membership."""

from expectations.suite import Suite, at_least, never_null, no_rows_where, unique, values_between

SUITE = Suite(
    "marts.holdout_ledger",
    (
        never_null("person_id", reason="A control group is a list of persons."),
        unique("person_id", "salt", reason="One row a person and salt: membership is decided once."),
        values_between("hash_value", 0, 1, strict_high=True, reason="Membership is decided by a number in [0, 1)."),
        values_between("share", 0, 0.5, reason="Holding out more than half leaves too few to act upon."),
        no_rows_where(
            "member_by_hash",
            "not hash_value < share",
            reason="Only persons whose hash lies below the share are held out; anything else is not random.",
        ),
        at_least("valid_to", "valid_from", reason="Nobody leaves the control group before entering it."),
        at_least("as_of_date", "valid_from", reason="Nobody is held out before having been seen."),
    ),
)
