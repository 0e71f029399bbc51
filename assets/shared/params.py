"""Business parameters: read from `dbt_project.yml` `vars:`, checked before anything runs, frozen.

In: the project's `vars:` and overrides `name=value` of one run. Out: a `Params`.
Paths and credentials do not belong here (`settings`), nor does the run's own context (`RUN_VARS`).
"""

from collections.abc import Mapping
from datetime import date
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from assets.shared.business import Business, following
from assets.shared.errors import UserError

DBT_PROJECT_DIR = Path(__file__).resolve().parents[2] / "dbt_project"

#: Vars that the pipeline sets for each run; they are no business parameters and cannot be overridden.
RUN_VARS = frozenset({"as_of_date", "run_id", "train_cutoff_dates"})

Share = Annotated[float, Field(ge=0, le=1)]
Days = Annotated[int, Field(ge=1, le=3650)]
Count = Annotated[int, Field(ge=0)]


class Params(BaseModel):
    """Every business parameter of a run. Meaning, unit and reason stand above the value in `dbt_project.yml`."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    business: Business
    accounts_outlier_factor: Annotated[float, Field(ge=2, le=100_000)]
    accounts_outlier_min_share: Share
    identity_max_shared: Annotated[int, Field(ge=2, le=50)]
    identity_max_accounts: Annotated[int, Field(ge=2, le=100)]
    churn_horizon_days: Annotated[int, Field(ge=7, le=365)]
    churn_kind: Literal["auto", "purchase", "contract"]
    churn_min_tenure_days: Annotated[int, Field(ge=0, le=365)]
    churn_band_medium_min: Share
    churn_band_high_min: Share
    churn_band_critical_min: Share
    lifecycle_mode: Literal["fixed", "auto"]
    lifecycle_silent_days: Days
    lifecycle_dormant_days: Days
    lifecycle_lost_days: Days
    lifecycle_auto_silent_quantile: Annotated[float, Field(ge=0.5, lt=1)]
    lifecycle_auto_dormant_quantile: Annotated[float, Field(ge=0.5, lt=1)]
    lifecycle_auto_lost_return_share: Annotated[float, Field(ge=0.001, le=0.5)]
    value_horizon_days: Annotated[int, Field(ge=90, le=1095)]
    value_margin_share: Annotated[float, Field(ge=0.0001, le=1)]
    value_bank_margin_share: Annotated[float, Field(ge=0.0001, le=1)]
    value_deposit_spread: Share
    value_lending_spread: Share
    value_fee_categories: str
    value_window_days: Annotated[int, Field(ge=30, le=1825)]
    value_a_share: Share
    value_b_share: Share
    promotion_dependent_min_share: Share
    promotion_dependent_min_orders: Annotated[int, Field(ge=1)]
    promotion_dependent_min_discount_share: Share
    movement_false_alerts_per_1000: Annotated[float, Field(gt=0, le=20)]
    movement_false_opportunities_per_1000: Annotated[float, Field(gt=0, le=20)]
    movement_max_open_days: Annotated[int, Field(ge=14, le=365)]
    train_cutoff_spacing_days: Annotated[int, Field(ge=1, le=90)]
    train_n_cutoffs: Annotated[int, Field(ge=2, le=60)]
    train_n_test_cutoffs: Annotated[int, Field(ge=2, le=12)]
    train_n_validation_cutoffs: Annotated[int, Field(ge=2, le=12)]
    train_selection_max_rows: Annotated[int, Field(ge=1_000, le=10_000_000)]
    train_max_rows: Annotated[int, Field(ge=1_000, le=10_000_000)]
    train_min_customers: Annotated[int, Field(ge=1)]
    train_min_events: Annotated[int, Field(ge=1)]
    monitor_every_days: Annotated[int, Field(ge=1, le=31)]
    monitor_min_rows: Annotated[int, Field(ge=1)]
    monitor_max_gap: Share
    monitor_max_auc_loss: Annotated[float, Field(ge=0, le=0.5)]
    train_seed: Annotated[int, Field(ge=0, lt=2**31)]
    explain_all_up_to: Count
    explain_top_share: Share
    loyalty_basis: Literal["net_sales", "quantity", "n_orders"]
    loyalty_window_days: Annotated[int, Field(ge=30, le=1825)]
    loyalty_risk_days: Annotated[int, Field(ge=1, le=365)]
    value_return_cost_share: Share
    value_complaint_cost: Annotated[float, Field(ge=0)]
    partial_churn_min_days: Annotated[int, Field(ge=3, le=100)]
    partial_churn_max_chance: Annotated[float, Field(gt=0, le=0.1)]
    actions_daily_budget: Annotated[float, Field(ge=0)]
    actions_care_budget: Annotated[float, Field(ge=0)]
    actions_email_capacity: Count
    actions_sms_capacity: Count
    actions_phone_capacity: Count
    actions_mail_capacity: Count
    actions_cap_contacts: Count
    actions_cap_window_days: Annotated[int, Field(ge=1, le=365)]
    actions_min_days_between_contacts: Annotated[int, Field(ge=0, le=365)]
    actions_report_grace_days: Annotated[int, Field(ge=0, le=60)]
    actions_value_at_risk_top_share: Share
    actions_max_uplift_share: Share
    actions_decide_by: Literal["mean", "lower_bound", "draw"]
    actions_min_expected_profit: Annotated[float, Field(ge=0)]
    actions_global_holdout_share: Annotated[float, Field(ge=0, le=0.5)]
    actions_action_holdout_share: Annotated[float, Field(ge=0, le=0.5)]
    actions_action_holdout_least: Annotated[float, Field(ge=0, le=0.5)]
    actions_holdout_salt: Annotated[str, Field(min_length=1)]
    actions_assume_consent: bool
    actions_assume_reachable: bool
    ingest_extract_guard: Literal["block", "warn"]
    ingest_refused_files: Literal["block", "warn"]
    ingest_knowledge_time: str
    measure_outcome_window_days: Annotated[int, Field(ge=1, le=365)]
    measure_relevant_effect: Annotated[float, Field(gt=0, le=0.5)]
    measure_realised_dates: Annotated[int, Field(ge=1, le=60)]
    measure_realised_spacing_days: Annotated[int, Field(ge=1, le=90)]
    profit_contact_cost: Annotated[float, Field(ge=0)]
    profit_offer_cost: Annotated[float, Field(ge=0)]
    profit_accept_alpha: Annotated[float, Field(gt=0, le=1000)]
    profit_accept_beta: Annotated[float, Field(gt=0, le=1000)]
    validate_max_quarantine_share: Share
    validate_max_file_quarantine_share: Share
    validate_max_repeated_share: Share
    validate_max_model_age_days: Days
    validate_compare_releases: Annotated[int, Field(ge=0, le=365)]
    validate_compare_days: Days
    validate_max_volume_drop: Share
    validate_max_volume_growth: Annotated[float, Field(ge=0, le=1000)]
    validate_ids_changed_on: str
    validate_max_history_growth: Annotated[float, Field(ge=0, le=1000)]
    validate_max_mean_probability_shift: Share
    validate_max_band_share_shift: Share
    validate_max_score_psi: Annotated[float, Field(gt=0, le=100)]
    publish_keep_sets: Annotated[int, Field(ge=1, le=365)]
    freshness_max_days_late: Annotated[int, Field(ge=0, le=365)]

    def capacities(self) -> dict[str, int]:
        """Most contacts a night by channel."""
        prefix, suffix = "actions_", "_capacity"
        return {
            name[len(prefix) : -len(suffix)]: getattr(self, name)
            for name in type(self).model_fields
            if name.startswith(prefix) and name.endswith(suffix)
        }

    @model_validator(mode="after")
    def _rising(self) -> "Params":
        for names in (
            ("churn_band_medium_min", "churn_band_high_min", "churn_band_critical_min"),
            ("lifecycle_silent_days", "lifecycle_dormant_days", "lifecycle_lost_days"),
            ("lifecycle_auto_silent_quantile", "lifecycle_auto_dormant_quantile"),
            ("value_a_share", "value_b_share"),
        ):
            values = [getattr(self, name) for name in names]
            if any(low >= high for low, high in zip(values, values[1:], strict=False)):
                raise ValueError(f"{', '.join(names)} must rise, but are {values}")
        if self.lifecycle_mode == "fixed" and self.lifecycle_lost_days <= self.churn_horizon_days:
            raise ValueError(
                f"lifecycle_lost_days ({self.lifecycle_lost_days}) must be longer than churn_horizon_days "
                f"({self.churn_horizon_days}): nobody is lost who may still come within the horizon. Leave "
                f"lifecycle_lost_days out, and it follows the horizon"
            )
        if self.value_horizon_days < self.churn_horizon_days:
            raise ValueError(
                f"value_horizon_days ({self.value_horizon_days}) must not be shorter than churn_horizon_days "
                f"({self.churn_horizon_days})"
            )
        return self


def project_vars() -> dict[str, Any]:
    """The `vars:` of `dbt_project.yml`, run context included."""
    path = DBT_PROJECT_DIR / "dbt_project.yml"
    return dict(_vars_of(path, path.stat().st_mtime_ns))


@lru_cache(maxsize=2)
def _vars_of(path: Path, _changed_at: int) -> dict[str, Any]:
    """Read once a version of the file: a run asks thirty times, and parsing takes a tenth of a second."""
    return yaml.safe_load(path.read_text())["vars"]


def load_params(overrides: Mapping[str, Any] | None = None, business: str | None = None) -> Params:
    """Params of the project with `overrides` (text values are read as YAML scalars, so `0.5` and `true` work). A longer
    churn horizon takes `lifecycle_lost_days` along, unless that is given too. business: what the sources say they are;
    what follows from it (`following`) is beaten by `overrides`.

    Raises UserError for an unknown name, a missing one, or a value out of its type or range.
    """
    values = {name: value for name, value in project_vars().items() if name not in RUN_VARS}
    if business is not None:
        values |= {"business": business}
    for name, value in (overrides or {}).items():
        if name not in Params.model_fields:
            near = get_close_matches(name, Params.model_fields, n=3, cutoff=0.5)
            raise UserError(
                f"unknown parameter {name!r}",
                (f"did you mean {' or '.join(near)}? " if near else "")
                + "All parameters with their meaning are in dbt_project/dbt_project.yml",
            )
        values[name] = _scalar(name, value)
    values |= {k: v for k, v in following(values["business"], values).items() if k not in (overrides or {})}
    horizon = values["churn_horizon_days"]
    if "lifecycle_lost_days" not in (overrides or {}) and isinstance(horizon, int):
        values["lifecycle_lost_days"] = max(values["lifecycle_lost_days"], horizon + 1)
    try:
        return Params.model_validate(values)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, e['loc'])) or 'parameters'}: {e['msg']} (got {e['input']!r})"
            if e["loc"]
            else e["msg"].removeprefix("Value error, ")
            for e in error.errors()
        )
        raise UserError(
            f"invalid parameter: {problems}", "see the comment above it in dbt_project/dbt_project.yml"
        ) from None


def _scalar(name: str, value: Any) -> Any:
    """The value of a parameter that was given as text. Where the parameter is text itself, `2024` is no number."""
    if not isinstance(value, str):
        return value
    try:
        read = yaml.safe_load(value)
    except yaml.YAMLError:
        return value
    if Params.model_fields[name].annotation is str and not isinstance(read, str):
        return value
    return value if read is None or isinstance(read, (list, dict, date)) else read
