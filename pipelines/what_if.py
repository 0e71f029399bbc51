"""Tonight's plan with another playbook: who would enter, who would leave, and what it would earn.

In: the working warehouse of a home as its last night left it, and a folder with changed tables of the playbook. Out:
the differences of the two plans. Everything is made in a folder of its own, which is removed: nothing of the home
changes. How plans are made does not belong here (stages candidates and actions).
"""

import csv
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from assets.actions.contact_plan import build_contact_plan
from assets.dbt.manifest import ParsedProject, parse_project
from assets.dbt.playbook import check_playbook
from assets.dbt.runner import dbt_vars, invoke_dbt
from assets.shared.commands import command
from assets.shared.errors import UserError
from assets.shared.params import Params, load_params
from assets.shared.quoting import literal, quoted
from assets.shared.settings import Settings

_PLAYBOOK, _CANDIDATES = "playbook", "candidates"


@dataclass(frozen=True)
class Change:
    """A customer whose contact is another one. `before` and `after`: action and channel; None for no contact. `gain`:
    expected profit after less before."""

    customer_id: str
    before: str | None
    after: str | None
    gain: float


@dataclass(frozen=True)
class Totals:
    """A plan in numbers: contacts, expected profit and expected cost, of those that pay; and of care."""

    contacts: int
    profit: float
    spend: float
    care_contacts: int
    care_spend: float


@dataclass(frozen=True)
class WhatIf:
    """Two plans of one night. `changes`: largest difference of money first."""

    as_of_date: date
    changed_tables: tuple[str, ...]
    before: Totals
    after: Totals
    changes: tuple[Change, ...]


def what_if(settings: Settings, folder: Path) -> WhatIf:
    """Plan the night that the warehouse holds again with the tables of `folder` (`playbook_actions.csv` and so on; what
    is not there stays as it was that night), under the parameters of that night.

    Raises UserError when there is no such night, a run has the warehouse, or a table cannot be used."""
    project = parse_project(settings)
    seeds = project.as_dict["nodes"].values()
    playbook = {node["alias"]: node for node in seeds if node["resource_type"] == "seed"}
    tables = _changed_tables(folder, playbook)
    with _copy(settings, project) as (copied, day, params):
        with duckdb.connect(str(copied.warehouse)) as con:
            for name, path in tables.items():
                _load(con, name, path, playbook[name]["config"]["column_types"])
            check_playbook(con, params)
        tested = invoke_dbt(
            copied,
            ["test", "--select", *(f"{name},test_type:data" for name in tables)],
            manifest=project.manifest,
        )
        if broken := [r.node.name for r in tested.result.results if str(r.status) == "fail"]:
            raise UserError(f"the playbook cannot be used: {', '.join(broken)}", f"correct the tables in {folder}")
        variables = json.dumps(dbt_vars(params, day.isoformat(), "what-if", ()))
        made = invoke_dbt(
            copied,
            ["run", "--select", f"config.schema:{_CANDIDATES}", "--vars", variables],
            manifest=project.manifest,
        )
        if broken := [f"{r.node.name}: {r.message}" for r in made.result.results if str(r.status) != "success"]:
            raise UserError(f"the plan cannot be made: {'; '.join(broken)}", f"correct the tables in {folder}")
        with duckdb.connect(str(copied.warehouse)) as con:
            con.execute("alter table actions.contact_plan rename to plan_before")
            build_contact_plan(con, params, day, copied.ledgers)
            return WhatIf(day, tuple(tables), _totals(con, "plan_before"), _totals(con, "contact_plan"), _changes(con))


def text_of(found: WhatIf, shown: int = 10) -> str:
    """The differences in words; `shown` customers of each kind."""
    before, after = found.before, found.after
    lines = [
        f"Plan as of {found.as_of_date} with {', '.join(found.changed_tables)}",
        f"  contacts that pay    {before.contacts:>8,} -> {after.contacts:,}",
        f"  expected profit      {before.profit:>8,.2f} -> {after.profit:,.2f}  ({after.profit - before.profit:+,.2f})",
        f"  expected cost        {before.spend:>8,.2f} -> {after.spend:,.2f}",
        f"  care and service     {before.care_contacts:>8,} -> {after.care_contacts:,},"
        f" cost {before.care_spend:,.2f} -> {after.care_spend:,.2f}",
    ]
    kinds = {
        "enter": [change for change in found.changes if change.before is None],
        "leave": [change for change in found.changes if change.after is None],
        "get another contact": [c for c in found.changes if c.before is not None and c.after is not None],
    }
    for words, changes in kinds.items():
        lines.append(f"{len(changes):,} customers {words}")
        for change in changes[:shown]:
            both = " -> ".join(contact for contact in (change.before, change.after) if contact is not None)
            lines.append(f"  {change.customer_id}: {both} ({change.gain:+,.2f})")
        if len(changes) > shown:
            lines.append(f"  and {len(changes) - shown:,} more")
    return "\n".join([*lines, "Nothing was changed."])


def _changed_tables(folder: Path, playbook: Mapping[str, Any]) -> dict[str, Path]:
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder", "name the folder with the changed tables of the playbook")
    found = {path.stem: path for path in sorted(folder.glob("*.csv"))}
    if unknown := sorted(set(found) - set(playbook)):
        raise UserError(
            f"{folder} has tables that the playbook does not know: {', '.join(unknown)}",
            f"the playbook has {', '.join(sorted(playbook))}",
        )
    if not found:
        raise UserError(
            f"{folder} has no table of the playbook", f"copy what you want to change: {', '.join(sorted(playbook))}"
        )
    return found


@contextmanager
def _copy(settings: Settings, project: ParsedProject) -> Iterator[tuple[Settings, date, Params]]:
    """A home for as long as the block runs, with what the plan of the warehouse's night was made from; that night and
    its parameters."""
    home = settings.home / f".tmp-what-if-{os.getpid()}"
    home.mkdir(mode=0o700)
    copied = replace(settings, home=home, raw_home=None)
    try:
        with _open(settings) as con:
            try:
                day = con.execute("select max(as_of_date) from actions.contact_plan").fetchone()
                given = con.execute("select parameters from marts.run_manifest where as_of_date = ?", day).fetchone()
            except duckdb.CatalogException:
                day = given = None
            if day is None or given is None:
                raise UserError("the home has no plan to compare with", f"run a night first: {command('run')}")
            con.execute(f"attach {literal(copied.warehouse)} as copied (read_write)")
            for table in ("actions.contact_plan", *_parents(project)):
                con.execute(f"create schema if not exists copied.{quoted(table.split('.')[0])}")
                con.execute(f"create table {quoted('copied.' + table)} as select * from {quoted(table)}")
            con.execute("detach copied")
        known = set(Params.model_fields)
        params = load_params({name: value for name, value in json.loads(given[0]).items() if name in known})
        yield copied, day[0], params
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _open(settings: Settings) -> duckdb.DuckDBPyConnection:
    if not settings.warehouse.exists():
        raise UserError("the home has no plan to compare with", f"run a night first: {command('run')}")
    try:
        return duckdb.connect(str(settings.warehouse), read_only=True)
    except duckdb.IOException:
        raise UserError("a run has the warehouse of this home open", "wait until it has ended") from None


def _parents(project: ParsedProject) -> list[str]:
    """Tables outside of stage candidates that its models read, and the whole playbook."""
    nodes = project.as_dict["nodes"]
    models = {uid: n for uid, n in nodes.items() if n["resource_type"] == "model" and n["schema"] == _CANDIDATES}
    read = {parent for node in models.values() for parent in node["depends_on"]["nodes"]} - set(models)
    found = [project.node_or_source(uid) for uid in read]
    tables = {f"{node['schema']}.{node.get('alias') or node['name']}" for node in found}
    tables |= {f"{_PLAYBOOK}.{node['alias']}" for node in nodes.values() if node["resource_type"] == "seed"}
    return sorted(tables)


def _load(con: duckdb.DuckDBPyConnection, name: str, path: Path, types: Mapping[str, str]) -> None:
    """One table of the playbook from its file."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
        header = list(rows[0]) if rows else []
    if rows and set(header) != set(types):
        raise UserError(f"{path} has other columns than the playbook", f"its columns are {', '.join(types)}")
    table = quoted(f"{_PLAYBOOK}.{name}")
    con.execute(f"create or replace table {table} ({', '.join(f'{quoted(c)} {kind}' for c, kind in types.items())})")
    marks = ", ".join("?" * len(types))
    for number, row in enumerate(rows, 2):
        try:
            con.execute(f"insert into {table} values ({marks})", [row[column] or None for column in types])
        except (duckdb.ConversionException, duckdb.InvalidInputException) as error:
            raise UserError(f"{path} row {number}: {str(error).splitlines()[0]}", "correct that row") from None


def _totals(con: duckdb.DuckDBPyConnection, plan: str) -> Totals:
    row = con.execute(
        f"""
        select
            count(*) filter (where needs_profit),
            coalesce(sum(profit) filter (where needs_profit), 0)::double,
            coalesce(sum(spend) filter (where needs_profit), 0)::double,
            count(*) filter (where not needs_profit),
            coalesce(sum(spend) filter (where not needs_profit), 0)::double
        from (
            select needs_profit, cast(expected_incremental_profit as decimal(28, 6)) as profit,
                cast(contact_cost + offer_cost * redeem_probability as decimal(28, 6)) as spend
            from actions.{plan} where decision = 'contact'
        )
        """
    ).fetchone()
    assert row is not None
    return Totals(*row)


def _changes(con: duckdb.DuckDBPyConnection) -> tuple[Change, ...]:
    rows = con.execute(
        """
        with compared as (
            select
                coalesce(before.customer_id, after.customer_id) as customer_id,
                before.action_id || ', ' || before.channel as before,
                after.action_id || ', ' || after.channel as after,
                coalesce(after.expected_incremental_profit, 0) - coalesce(before.expected_incremental_profit, 0) as gain
            from (from actions.plan_before where decision = 'contact') as before
            full join (from actions.contact_plan where decision = 'contact') as after
                on before.customer_id = after.customer_id
        )

        select * from compared where before is distinct from after order by abs(gain) desc, customer_id
        """
    ).fetchall()
    return tuple(Change(*row) for row in rows)
