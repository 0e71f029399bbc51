"""The one exception for what a user can cause and correct."""


class UserError(Exception):
    """Something the user can correct. `what` names the thing, `remedy` says what to do about it.

    The command line prints both without a traceback and exits with code 2.
    """

    def __init__(self, what: str, remedy: str):
        super().__init__(f"{what}\n  remedy: {remedy}")
        self.what = what
        self.remedy = remedy
