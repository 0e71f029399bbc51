"""`make docs`: the dbt docs of every table, built from the project and the warehouse of the home."""

import sys

from assets.dbt.runner import invoke_dbt
from assets.shared.errors import UserError
from assets.shared.settings import load_settings, prepare_home


def main() -> int:
    """Build the docs site. Returns the exit code."""
    settings = load_settings()
    try:
        prepare_home(settings)
        invoke_dbt(settings, ["docs", "generate", "--static"])
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"open {settings.dbt_target / 'static_index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
