"""What dbt gives to Jinja, as far as sqlfluff must know it to lay out the project's SQL: see ../.sqlfluff.

Parameters are those of dbt_project.yml. A macro of an engine is shown as a call of its name: its own text is no matter
of layout where it is used.
"""

import datetime
from pathlib import Path
from types import SimpleNamespace

import yaml

_VARS = yaml.safe_load((Path(__file__).parents[1] / "dbt_project.yml").read_text(encoding="utf-8"))["vars"]


def _call(name, *arguments):
    return f"{name}({', '.join(str(argument) for argument in arguments)})"


def var(name, default=None):
    return _VARS.get(name, default)


adapter = SimpleNamespace(dispatch=lambda name, package=None: lambda *arguments: _call(name, *arguments))
dbt = SimpleNamespace(
    datediff=lambda first, second, part: _call("date_diff", f"'{part}'", first, second),
    generate_series=lambda upper_bound: f"select generated_number from {_call('numbers_up_to', upper_bound)}",
)
exceptions = SimpleNamespace()
modules = SimpleNamespace(datetime=datetime)
execute = False
