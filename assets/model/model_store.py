"""The model store: a folder a model, written whole or not at all, opened only if it is what was written.

In: the store folder of a home, fitted pipelines, a card. Out: model ids, cards, models ready to score.
Fitting and judging belong to train. sklearn and skops are imported where a file is written or opened, not before.

A model is addressed by `<trained_as_of>-<hash8>`: the day it was trained as of, and the first eight hex digits of the
SHA-256 over the parameters that training depends on, the names of the sources, and the code that makes features and
model. The same choices on the same day are the same model; another run of them replaces it. After an upgrade that
changes the features or how the model is learned, the store has no active model and the next run trains one: an old
model is never given new features.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from assets.model.churn_features import FEATURES
from assets.model.churn_model import ChurnModel
from assets.model.retention_model import RetentionModel, model_on
from assets.model.simple_rules import RULE
from assets.model.value_model import ValueModel
from assets.shared.errors import UserError
from assets.shared.files import replacing_folder, write_whole
from assets.shared.params import DBT_PROJECT_DIR, Params

#: Verdict of a check that had too few outcomes: it compares nothing, so it changes nothing.
TOO_FEW = "too few to judge"

MODEL_FILE, CARD_FILE = "model.skops", "card.json"
#: The same of the value model, in the folder of its churn model.
VALUE_FILE, VALUE_CARD = "value.skops", "value.json"
#: What the monitor found of a model, one small file a check day, in its folder.
CHECKS_FOLDER = "checks"

#: Parameters whose change makes another model.
TRAINING_PREFIXES = ("train_", "lifecycle_")
TRAINING_PARAMS = (
    "business",
    "churn_horizon_days",
    "churn_kind",
    "churn_min_tenure_days",
    "value_horizon_days",
    "value_deposit_spread",
    "value_fee_categories",
    "value_lending_spread",
    "value_margin_share",
    "value_window_days",
)

_HOLDFAST = Path(__file__).resolve().parents[2]
#: Modules whose change makes another model: what a feature and a label is, how a model is learned, who may score, and
#: how what is stored scores. Words and pictures are not among them. A test compares the list with what training
#: imports.
TRAINING_MODULES = {
    "model": (
        "calibration",
        "candidate_models",
        "churn_features",
        "churn_model",
        "drift",
        "feature_matrix",
        "gamma_gamma",
        "interval_fit",
        "margin_fit",
        "open_days",
        "part_fits",
        "population_priors",
        "process_model",
        "purchase_fit",
        "purchase_process",
        "purchase_rhythm",
        "retention_model",
        "return_curve",
        "rule_fit",
        "season",
        "season_fit",
        "simple_rules",
        "snapshots",
        "spend_fit",
        "stacking",
        "threads",
        "value_fit",
        "value_model",
    ),
    "train": (
        "backtest",
        "card",
        "cutoffs",
        "decision",
        "judged",
        "leak_check",
        "margin_level",
        "metrics",
        "model_selection",
        "out_of_time",
        "simple_members",
        "snapshot_rows",
        "training",
        "training_data",
        "value/cutoffs",
        "value/extrapolation",
        "value/performance",
        "value/predictions",
        "value/return_curve",
        "value/rows",
        "value/training",
    ),
}
TRAINING_CODE = (
    DBT_PROJECT_DIR / "macros" / "customer_features_at.sql",
    DBT_PROJECT_DIR / "macros" / "open_day.sql",
    DBT_PROJECT_DIR / "models" / "features" / "training_snapshots.sql",
    *(_HOLDFAST / "assets" / package / f"{name}.py" for package, names in TRAINING_MODULES.items() for name in names),
)

#: Types beyond skops' own defaults that a file may hold. Listed here and never taken from the file: a file that asks
#: for anything else does not come from this code.
TRUSTED_TYPES = (
    "numpy.clip",
    "numpy.dtype",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.utils._bunch.Bunch",
)

_MODEL_ID = re.compile(r"\d{4}-\d{2}-\d{2}-[0-9a-f]{8}")


def training_params(params: Params) -> dict[str, Any]:
    """The parameters that training depends on, by name."""
    return {
        name: value
        for name, value in sorted(params.model_dump().items())
        if name.startswith(TRAINING_PREFIXES) or name in TRAINING_PARAMS
    }


def code_fingerprint(features: Iterable[str] = FEATURES, files: Iterable[Path] = TRAINING_CODE) -> str:
    """Eight hex digits over the feature list in its order and the text of the files that make features and model.
    Line ends do not count, for a checkout may change them. The files are read, never imported."""
    digest = hashlib.sha256(json.dumps(list(features)).encode())
    for path in files:
        digest.update(f"\0{path.name}\0{path.read_text(encoding='utf-8')}".encode())
    return digest.hexdigest()[:8]


def fingerprint(params: Params, sources: Iterable[str]) -> str:
    """Eight hex digits over the training parameters, the source names, whatever their order, and the code."""
    facts = {"params": training_params(params), "sources": sorted(set(sources)), "code": code_fingerprint()}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:8]


def model_id(trained_as_of: date, fingerprint: str) -> str:
    return f"{trained_as_of.isoformat()}-{fingerprint}"


def list_models(store: Path) -> list[str]:
    """Ids of all complete models, oldest first."""
    if not store.is_dir():
        return []
    return sorted(
        path.name for path in store.iterdir() if _MODEL_ID.fullmatch(path.name) and (path / CARD_FILE).is_file()
    )


def active_model(store: Path, as_of: date, fingerprint: str) -> str | None:
    """Id of the model that scores `as_of`: the newest of this fingerprint trained as of that day or before, or None
    where there is none. A model trained after it would know the future and is never chosen."""
    known = [m for m in list_models(store) if m[11:] == fingerprint and m[:10] <= as_of.isoformat()]
    return known[-1] if known else None


def due_for_training(store: Path, as_of: date, fingerprint: str, planned: date, retrain: bool = False) -> date | None:
    """The day that a run of `as_of` must train as of, or None: `as_of` itself where a fresh model is asked for or an
    earlier check found the active model wanting, `planned` where the active model is older than that."""
    if retrain:
        return as_of
    active = active_model(store, as_of, fingerprint)
    if active is None or active[:10] < planned.isoformat():
        return planned
    earlier = [c for c in checks(store, active) if c["checked_as_of"] < as_of.isoformat()]
    return as_of if earlier and earlier[-1]["verdict"] == "retrain" else None


def checks(store: Path, model_id: str) -> list[dict[str, Any]]:
    """What the monitor found of a model, oldest first. Raises UserError when a check cannot be read."""
    found = []
    for path in sorted((store / model_id / CHECKS_FOLDER).glob("????-??-??.json")):
        try:
            found.append(json.loads(path.read_text()))
        except (OSError, ValueError) as error:
            raise UserError(f"{path} cannot be read: {error}", "remove it and run again: it is made again") from None
    return found


def save_check(store: Path, model_id: str, check: Mapping[str, Any]) -> str:
    """Keep one check in the folder of its model, whole or not at all; returns the id of the adjustment."""
    folder = store / model_id / CHECKS_FOLDER
    folder.mkdir(exist_ok=True)
    name = f"{check['checked_as_of']}.json"
    identity = adjustment_id(model_id, check["checked_as_of"])
    write_whole(folder / name, json.dumps({"adjustment_id": identity, **check}, indent=1, allow_nan=False) + "\n")
    return identity


def save_words(store: Path, model_id: str, name: str, text: str) -> None:
    """Replace a text for people in a model's folder, whole or not at all; untouched where it says so already."""
    path = store / model_id / name
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        write_whole(path, text)


def adjustment_id(model_id: str, checked_as_of: str) -> str:
    return f"{model_id}+{checked_as_of}"


def check_in_force(checks: Iterable[Mapping[str, Any]], as_of: date) -> Mapping[str, Any] | None:
    """The check whose findings a day is scored with; checks: oldest first. The newest up to that day, but one that had
    too few outcomes changes nothing, and one that could not compare the model with the simple ones does not undo what
    an earlier one found by comparing them."""
    known = [c for c in checks if c["checked_as_of"] <= as_of.isoformat()]
    judged = [c for c in known if c.get("verdict") != TOO_FEW]
    compared = [c for c in judged if c.get("is_compared", True)]
    if not judged:
        return known[-1] if known else None
    if compared and compared[-1].get("scoring_model") != judged[-1].get("scoring_model"):
        return compared[-1]
    return judged[-1]


def decision_on(card: Mapping[str, Any], checks: Iterable[Mapping[str, Any]], as_of: date) -> dict[str, Any]:
    """Who scores on a day and why, as the card's `decision`: as it was trained, unless the check in force found a
    simple candidate model better."""
    check = check_in_force(checks, as_of)
    scoring = check.get("scoring_model") if check else None
    if check is None or scoring in (None, card["decision"].get("candidate_model")):
        return dict(card["decision"])
    scored_by = "rule" if scoring == RULE else "model"
    words = f"{check['reason']}. As trained: {card['decision']['reason']}"
    return {**card["decision"], "scored_by": scored_by, "candidate_model": scoring, "reason": words}


def save_model(
    store: Path,
    card: Mapping[str, Any],
    churn: ChurnModel | None,
    margin: Any,
    files: Mapping[str, bytes],
    simple: Mapping[str, ChurnModel] | None = None,
) -> Path:
    """Write one model; an existing one of the same id is replaced. Returns its folder.

    card: JSON types, with `model_id`; the SHA-256 of the model file is added. churn, margin: fitted or
    None. simple: candidate models that may take over. files: what else lies in the folder (card.md, plots).
    All is written and flushed in another folder, then renamed, so that a reader never meets half a model and a crash
    leaves the old one or none.
    """
    target = store / card["model_id"]
    if not _MODEL_ID.fullmatch(target.name):
        raise ValueError(f"not a model id: {target.name!r}")
    with replacing_folder(target) as unfinished:
        sha256 = None
        if churn is not None or margin is not None:
            content, sha256 = _written_fitted(
                {
                    "churn": None if churn is None else churn.to_stored(),
                    "margin": margin,
                    "simple": {name: model.to_stored() for name, model in (simple or {}).items()},
                }
            )
            (unfinished / MODEL_FILE).write_bytes(content)
        for name, content in files.items():
            (unfinished / name).write_bytes(content)
        (unfinished / CARD_FILE).write_text(json.dumps({**card, "sha256": sha256}, indent=1, allow_nan=False) + "\n")
    return target


def load_card(store: Path, model_id: str) -> dict[str, Any]:
    """The card of a model. Raises UserError when there is none or it cannot be read."""
    path = store / model_id / CARD_FILE
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise UserError(f"there is no model {model_id} in {store}", "run the retrain job for its date") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}", _remedy(store, model_id)) from None


def load_model(store: Path, model_id: str, as_of: date | None = None) -> RetentionModel:
    """The model, ready to score `as_of`: with the season of that day and what the check in force changed: the
    shift, and who scores (`decision_on`); None: as trained, without any of it.

    Raises UserError when it is missing, when its file is not the one its card was written for (SHA-256), or when the
    file asks for a type that is not in `TRUSTED_TYPES`.
    """
    card = load_card(store, model_id)
    path = store / model_id / MODEL_FILE
    if card.get("sha256") is None:
        if path.exists() or card["decision"]["scored_by"] != "rule":
            raise UserError(f"the card of {model_id} knows of no model file", _remedy(store, model_id))
        return RetentionModel(card)
    stored = _read_fitted(path, card["sha256"], _remedy(store, model_id))
    churn = None if stored["churn"] is None else ChurnModel.from_stored(stored["churn"])
    check = None if as_of is None else check_in_force(checks(store, model_id), as_of)
    simple = {name: ChurnModel.from_stored(kept) for name, kept in stored.get("simple", {}).items()}
    if as_of is None:
        return RetentionModel(card, churn, stored["margin"], simple=simple)
    model = model_on(as_of, card, churn, stored["margin"], simple)
    if check is None:
        return model
    decision = decision_on(card, [check], as_of)
    if decision != card["decision"]:
        churn = simple.get(decision["candidate_model"], churn)
        model = replace(model, card={**card, "decision": decision}, churn=churn)
    elif not check["shift"]:
        return model
    return replace(model, shift=model.shift + check["shift"], adjustment_id=check["adjustment_id"])


def load_value_model(store: Path, model_id: str) -> ValueModel:
    """The value model that belongs to a churn model.

    Raises UserError when it is missing or unreadable, when its file is not the one its card was written for, or when
    the file asks for a type that is not in `TRUSTED_TYPES`.
    """
    path = store / model_id / VALUE_CARD
    try:
        card = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}", _remedy(store, model_id)) from None
    if card["sha256"] is None:
        return ValueModel(card)
    stored = _read_fitted(store / model_id / VALUE_FILE, card["sha256"], _remedy(store, model_id))
    return ValueModel(card, stored["any_purchase"], stored["how_much"])


def value_files(card: Mapping[str, Any], any_purchase: Any, how_much: Any) -> dict[str, bytes]:
    """The files of a value model, by name, for the folder of the churn model; the card gets the other's SHA-256."""
    files, sha256 = {}, None
    if any_purchase is not None or how_much is not None:
        files[VALUE_FILE], sha256 = _written_fitted({"any_purchase": any_purchase, "how_much": how_much})
    text = json.dumps({**card, "sha256": sha256}, indent=1, allow_nan=False) + "\n"
    return {**files, VALUE_CARD: text.encode()}


def _written_fitted(fitted: Mapping[str, Any]) -> tuple[bytes, str]:
    """A file of fitted objects, and its SHA-256."""
    from skops import io

    content = io.dumps(fitted)
    return content, hashlib.sha256(content).hexdigest()


def _read_fitted(path: Path, sha256: str, remedy: str) -> dict[str, Any]:
    """Read once: what was checked is what is opened."""
    content = path.read_bytes() if path.is_file() else b""
    if hashlib.sha256(content).hexdigest() != sha256:
        raise UserError(f"{path} is missing or is not the file that its card was written for", remedy)
    from skops import io
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        return io.loads(content, trusted=list(TRUSTED_TYPES))
    except UntrustedTypesFoundException as error:
        raise UserError(f"{path} holds types that no model of ours has: {error}", remedy) from None


def _remedy(store: Path, model_id: str) -> str:
    return f"remove the folder {store / model_id} and run again: the model is trained again"
