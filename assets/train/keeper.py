"""The active model of a date: trained when the store has none or a fresh one is asked for, checked when that is due.

In: a warehouse with the snapshots that the date needs, the model store, parameters. Out: the id of the active model;
the store is written to.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from logging import Logger
from pathlib import Path

import duckdb

from assets.model import model_store
from assets.model.open_days import closed_days
from assets.shared.params import Params
from assets.train.check_days import due_check
from assets.train.cutoffs import plan_cutoffs
from assets.train.training_day import first_day, training_day


@dataclass(frozen=True)
class ModelKeeper:
    """Keeps the models of one business. sources: their names. log: of the run."""

    store: Path
    params: Params
    sources: tuple[str, ...]
    log: Logger

    @property
    def mark(self) -> str:
        return model_store.fingerprint(self.params, self.sources)

    def keep_active(self, con: duckdb.DuckDBPyConnection, day: date, retrain: bool) -> str:
        """Train and check as far as `day` needs it; returns the id of the model that is active then."""
        planned = training_day(day, first_day(con), self.params, closed_days(con))
        trained_as_of = model_store.due_for_training(self.store, day, self.mark, planned, retrain)
        if trained_as_of is not None:
            model_id = self.train_or_keep(con, trained_as_of, day, asked_for=retrain)
        else:
            active = model_store.active_model(self.store, day, self.mark)
            assert active is not None, "without an active model a training is due"
            model_id = active
            self.log.info(f"active model: {model_id}")
        # A model trained as of an earlier day may be due at once: a second run of this date must find nothing due.
        if trained_as_of is None or model_id.startswith(trained_as_of.isoformat()):
            self._check(con, model_id, day)
        return model_id

    def train_or_keep(self, con: duckdb.DuckDBPyConnection, trained_as_of: date, day: date, asked_for: bool) -> str:
        """Train; when that fails by itself, the active model stays. A training that somebody asked for fails loudly,
        and leaves the store as it was just the same."""
        try:
            model_id = self.train(con, trained_as_of)
        except Exception as error:
            kept = None if asked_for else model_store.active_model(self.store, day, self.mark)
            if kept is None:
                raise
            self.log.warning(f"training as of {trained_as_of} failed, {kept} stays active: {error!r}")
            return kept
        self.log.info(f"trained {model_id}")
        return model_id

    def train(self, con: duckdb.DuckDBPyConnection, trained_as_of: date) -> str:
        """Train as of a day and save the model; returns its id."""
        from assets.train import training

        plan = plan_cutoffs(trained_as_of, first_day(con), self.params, closed_days(con))
        incumbents = {}
        for cutoff in {*plan.test, *plan.validation}:
            model_id = model_store.active_model(self.store, cutoff, self.mark)
            if model_id is not None:
                incumbents[cutoff] = model_store.load_model(self.store, model_id, cutoff)
        trained = training.train_model(con, plan, self.params, self.sources, datetime.now(UTC), incumbents)
        model_store.save_model(self.store, trained.card, trained.churn, trained.margin, trained.files, trained.simple)
        return trained.card["model_id"]

    def _check(self, con: duckdb.DuckDBPyConnection, model_id: str, day: date) -> None:
        """Compare the active model with newly matured outcomes, when that is due."""
        due = due_check(self.store, model_id, day, self.params)
        if due is None:
            return
        from assets.train import monitor
        from assets.train.snapshot_rows import read_snapshots

        model, params = model_store.load_model(self.store, model_id), self.params
        rows = read_snapshots(con, [due.cutoff], params.churn_horizon_days, params.train_max_rows, due.day)
        found = monitor.check_model(model, rows, due.day, due.cutoff, params)
        model_store.save_check(self.store, model_id, found.to_dict())
        self.log.info(f"checked {model_id} as of {due.day}: {found.verdict}. {found.reason}")
