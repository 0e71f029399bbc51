"""What dbt gives to Jinja, as far as sqlfluff must know it to read the project's SQL (../.sqlfluff).

Parameters are those of dbt_project.yml. A macro of an engine is shown as a call of its name: how its own text is laid
out does not matter where it is used.
"""

import datetime
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jinja2
import yaml

_PARAMETERS = yaml.safe_load((Path(__file__).parents[1] / "dbt_project.yml").read_text(encoding="utf-8"))["vars"]


def _call(name: str, *arguments: object) -> str:
    return f"{name}({', '.join(str(argument) for argument in arguments)})"


def _dispatch(macro_name: str) -> Callable[..., str]:
    return lambda *arguments: _call(macro_name, *arguments)


def var(name: str) -> Any:
    """The value of a parameter, as dbt has it. Raises UndefinedError for one that dbt_project.yml does not declare."""
    if name not in _PARAMETERS:
        raise jinja2.UndefinedError(f"dbt_project.yml declares no var {name!r}")
    return _PARAMETERS[name]


def staged_lines(among: str | None = None) -> str:
    """In place of the macro, a large text that customer_day alone holds four times: it took half of all the time."""
    return "select * from staged_lines"


adapter = SimpleNamespace(dispatch=_dispatch)
dbt = SimpleNamespace(
    datediff=lambda first_date, second_date, datepart: _call("date_diff", f"'{datepart}'", first_date, second_date),
    generate_series=lambda upper_bound: f"select generated_number from {_call('generated', upper_bound)}",
)
modules = SimpleNamespace(datetime=datetime, re=re)
#: dbt parses before it runs: macros that ask the engine, or the parsed project, then give a neutral text.
execute = False


def load_relation(_relation: object) -> None:
    """No table is there to ask."""
