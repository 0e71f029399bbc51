"""The model store: which model is active, whole or nothing, and only what was written."""

import ast
import hashlib
import json
import subprocess
import sys
from contextlib import nullcontext
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.model import model_store
from assets.model.feature_schema import refuse_features_without_values
from assets.shared.errors import UserError
from assets.shared.params import load_params
from assets.train.training_day import training_day

MARK = "0123abcd"
ROOT = Path(__file__).resolve().parents[3]


def _empty_model(store, day: date, mark: str = MARK) -> str:
    """A complete entry without a fitted model."""
    model_id = model_store.model_id(day, mark)
    model_store.save_model(store, {"model_id": model_id, "decision": {"scored_by": "rule"}}, None, None, {})
    return model_id


def _saved(store, trained) -> str:
    return model_store.save_model(store, trained.card, trained.churn, trained.margin, trained.files).name


def test_import_is_light():
    code = "import sys, assets.model.model_store; print({'sklearn', 'skops', 'scipy', 'pandas'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"


def test_fingerprint_follows_training_parameters_and_sources_only():
    params = load_params()
    base = model_store.fingerprint(params, ("a", "b"))
    assert base == model_store.fingerprint(params, ("b", "a", "b"))
    assert base == model_store.fingerprint(params.model_copy(update={"actions_daily_budget": 1.0}), ("a", "b"))
    others = {
        model_store.fingerprint(params.model_copy(update={name: value}), ("a", "b"))
        for name, value in {
            "churn_horizon_days": 31,
            "train_n_cutoffs": 7,
            "lifecycle_lost_days": 300,
            "value_margin_share": 0.3,
            "value_window_days": 100,
        }.items()
    } | {model_store.fingerprint(params, ("a",))}
    assert len(others) == 6
    assert base not in others


def test_other_features_or_other_code_make_another_model(tmp_path, monkeypatch):
    files = [tmp_path / "macro.sql", tmp_path / "estimator.py"]
    for path in files:
        path.write_text("one\ntwo\n")
    base = model_store.code_fingerprint(("a", "b"), files)
    files[1].write_bytes(b"one\r\ntwo\r\n")
    assert model_store.code_fingerprint(("a", "b"), files) == base
    others = {model_store.code_fingerprint(features, files) for features in (("b", "a"), ("a",), ("a", "b", "c"))}
    for path in files:
        path.write_text("one\nthree\n")
        others.add(model_store.code_fingerprint(("a", "b"), files))
        path.write_text("one\ntwo\n")
    assert len(others) == 5
    assert base not in others
    before = model_store.fingerprint(load_params(), ("a",))
    monkeypatch.setattr(model_store, "code_fingerprint", lambda: others.pop())
    assert model_store.fingerprint(load_params(), ("a",)) != before


#: What training imports and no model depends on: words, pictures, the store itself, what is only reported.
ONLY_SHOWN = {
    "assets.model.feature_words",
    "assets.model.model_store",
    "assets.model.rule_words",
    "assets.train.card_text",
    "assets.train.plots",
    "assets.train.selection_words",
    "assets.train.slices",
    "assets.train.value.card_text",
    "assets.train.value.plots",
    "assets.train.value.profit",
    "assets.train.value.profit_curve",
}


def modules_behind(module: str) -> set[str]:
    """The module and all of ours in model and train that it imports, directly or not."""
    found, asked = set(), [module]
    while asked:
        name = asked.pop()
        path = ROOT / (name.replace(".", "/") + ".py")
        if name in found or not name.startswith(("assets.model.", "assets.train.")) or not path.is_file():
            continue
        found.add(name)
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                asked += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return found


def test_the_code_that_makes_features_and_model_is_looked_at():
    looked_at = {path.relative_to(ROOT).as_posix() for path in model_store.TRAINING_CODE}
    assert all((ROOT / name).is_file() for name in looked_at)
    behind = modules_behind("assets.train.training")
    assert {"assets.model.candidate_models", "assets.train.value.return_curve"} | ONLY_SHOWN <= behind
    sql = {
        "dbt_project/macros/customer_features_at.sql",
        "dbt_project/macros/open_day.sql",
        "dbt_project/models/features/training_snapshots.sql",
    }
    assert looked_at == sql | {name.replace(".", "/") + ".py" for name in behind - ONLY_SHOWN}


def test_the_newest_model_that_knows_no_future_is_active(tmp_path):
    for day in (date(2017, 12, 1), date(2018, 1, 1), date(2018, 1, 10), date(2018, 1, 20)):
        _empty_model(tmp_path, day)
    _empty_model(tmp_path, date(2018, 1, 14), mark="ffffffff")

    def of(day: date) -> str | None:
        return model_store.active_model(tmp_path, day, MARK)

    assert of(date(2018, 1, 1)) == f"2018-01-01-{MARK}"
    assert of(date(2018, 1, 9)) == f"2018-01-01-{MARK}"
    assert of(date(2018, 1, 15)) == f"2018-01-10-{MARK}"
    assert of(date(2018, 1, 31)) == f"2018-01-20-{MARK}"
    assert of(date(2018, 2, 1)) == f"2018-01-20-{MARK}"
    assert of(date(2017, 11, 30)) is None


@given(st.permutations([date(2018, m, d) for m in (1, 2) for d in (1, 9, 28)]), st.sampled_from([None, 8, 40]))
def test_any_order_of_nights_ends_with_the_same_models(tmp_path_factory, nights, age):
    """age: of the data on the first night, in days."""
    store, params = tmp_path_factory.mktemp("store"), load_params()
    began = None if age is None else min(nights) - timedelta(age)
    used = {}
    for night in nights:
        planned = training_day(night, began, params)
        due = model_store.due_for_training(store, night, MARK, planned)
        used[night] = model_store.active_model(store, night, MARK) if due is None else _empty_model(store, due)
    assert used == {night: f"{training_day(night, began, params)}-{MARK}" for night in nights}


def test_a_stored_model_predicts_to_the_bit_what_it_did_when_trained(tmp_path, trained, world):
    model = model_store.load_model(tmp_path, _saved(tmp_path, trained))
    matrix = world.matrix(300, np.random.default_rng(3))
    assert np.array_equal(model.churn.log_odds(matrix), trained.churn.log_odds(matrix))
    assert np.array_equal(model.margin.predict(matrix), trained.margin.predict(matrix))
    assert model.scored_by == "model"
    assert (tmp_path / model.model_id / "card.md").read_bytes() == trained.files["card.md"]


def test_saving_again_replaces_and_leaves_nothing_behind(tmp_path, trained):
    model_id = _saved(tmp_path, trained)
    changed = {**trained.card, "note": "second"}
    model_store.save_model(tmp_path, changed, trained.churn, trained.margin, {})
    assert model_store.load_card(tmp_path, model_id)["note"] == "second"
    assert not (tmp_path / model_id / "card.md").exists()
    assert [path.name for path in tmp_path.iterdir()] == [model_id]


def test_a_failing_save_leaves_the_old_model(tmp_path, trained):
    model_id = _saved(tmp_path, trained)
    with pytest.raises(TypeError):
        model_store.save_model(tmp_path, trained.card, None, None, {"card.md": "not bytes"})
    assert model_store.load_model(tmp_path, model_id).churn is not None
    assert [path.name for path in tmp_path.iterdir()] == [model_id]


def test_half_written_folders_are_no_models(tmp_path):
    (tmp_path / f".tmp-2018-01-01-{MARK}-1").mkdir()
    (tmp_path / f"2018-01-01-{MARK}").mkdir()
    assert model_store.active_model(tmp_path, date(2018, 1, 5), MARK) is None


def test_one_changed_byte_is_refused(tmp_path, trained):
    path = tmp_path / _saved(tmp_path, trained) / model_store.MODEL_FILE
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match="not the file that its card was written for"):
        model_store.load_model(tmp_path, path.parent.name)


def test_a_missing_file_or_model_is_a_clear_error(tmp_path, trained):
    model_id = _saved(tmp_path, trained)
    (tmp_path / model_id / model_store.MODEL_FILE).unlink()
    with pytest.raises(UserError, match="missing"):
        model_store.load_model(tmp_path, model_id)
    with pytest.raises(UserError, match="no model 2018-01-01-0123abcd"):
        model_store.load_model(tmp_path, "2018-01-01-0123abcd")
    (tmp_path / model_id / model_store.CARD_FILE).write_text("{")
    with pytest.raises(UserError, match="cannot be read"):
        model_store.load_model(tmp_path, model_id)


@pytest.mark.parametrize("foreign", ["os.system", "a class of one's own"])
def test_a_file_that_asks_for_other_types_is_refused_although_its_checksum_fits(tmp_path, trained, foreign):
    import os

    from skops import io

    model_id = _saved(tmp_path, trained)
    folder = tmp_path / model_id
    content = io.dumps({"churn": os.system if foreign == "os.system" else timedelta(1), "margin": None})
    (folder / model_store.MODEL_FILE).write_bytes(content)
    card = model_store.load_card(tmp_path, model_id)
    card["sha256"] = hashlib.sha256(content).hexdigest()
    (folder / model_store.CARD_FILE).write_text(json.dumps(card))
    with pytest.raises(UserError, match="types that no model of ours has"):
        model_store.load_model(tmp_path, model_id)


def test_a_model_file_beside_a_card_that_knows_of_none_is_refused(tmp_path, trained_by_rule):
    model_id = _saved(tmp_path, trained_by_rule)
    assert model_store.load_model(tmp_path, model_id).scored_by == "rule"
    (tmp_path / model_id / model_store.MODEL_FILE).write_bytes(b"anything")
    with pytest.raises(UserError, match="knows of no model file"):
        model_store.load_model(tmp_path, model_id)


@pytest.mark.parametrize(("n_customers", "is_refused"), [(199, False), (200, True)])
def test_a_feature_without_values_is_no_accident_from_two_hundred_customers_on(n_customers, is_refused):
    model = SimpleNamespace(model_id="m", features=("a",), kept_features=("a",), typical=(1.0,))
    with pytest.raises(UserError, match="has no value") if is_refused else nullcontext():
        refuse_features_without_values(model, [False], n_customers, date(2024, 5, 1))
