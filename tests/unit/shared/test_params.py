"""Parameters are refused before anything runs where they are unknown, out of range, or do not agree with each other."""

import os

import pytest

from assets.shared import params
from assets.shared.errors import UserError
from assets.shared.params import load_params


@pytest.mark.parametrize(
    ("high", "low"),
    [
        ("churn_band_high_min", "churn_band_medium_min"),
        ("churn_band_critical_min", "churn_band_high_min"),
        ("lifecycle_dormant_days", "lifecycle_silent_days"),
        ("lifecycle_lost_days", "lifecycle_dormant_days"),
        ("lifecycle_auto_dormant_quantile", "lifecycle_auto_silent_quantile"),
        ("value_b_share", "value_a_share"),
    ],
)
def test_bounds_that_do_not_rise_are_refused_by_name(high, low):
    equal = getattr(load_params(), low)
    with pytest.raises(UserError, match=rf"{low}.*{high}.* must rise"):
        load_params({high: equal})
    assert getattr(load_params({high: equal + 0.001 if isinstance(equal, float) else equal + 1}), high) > equal


def test_a_value_horizon_is_no_shorter_than_that_of_churn():
    assert load_params({"churn_horizon_days": 90, "value_horizon_days": 90}).value_horizon_days == 90
    with pytest.raises(UserError, match=r"value_horizon_days \(90\) .* churn_horizon_days \(91\)"):
        load_params({"churn_horizon_days": 91, "value_horizon_days": 90})


def test_nobody_is_lost_within_the_churn_horizon():
    """A longer horizon takes the default along; a number that says otherwise is refused."""
    assert load_params({"churn_horizon_days": "269"}).lifecycle_lost_days == 270
    assert load_params({"churn_horizon_days": "270"}).lifecycle_lost_days == 271
    assert load_params({"churn_horizon_days": 200, "lifecycle_lost_days": 201}).lifecycle_lost_days == 201
    with pytest.raises(UserError, match=r"lifecycle_lost_days \(200\) .* churn_horizon_days \(200\)"):
        load_params({"churn_horizon_days": 200, "lifecycle_lost_days": 200, "lifecycle_mode": "fixed"})
    by_gaps = {"churn_horizon_days": 200, "lifecycle_lost_days": 200, "lifecycle_mode": "auto"}
    assert load_params(by_gaps).lifecycle_lost_days == 200, "not looked at where the gaps of the business say it"


def test_texts_of_the_command_line_are_read_by_type():
    params = load_params(
        {"actions_assume_consent": "false", "value_a_share": "0.5", "actions_holdout_salt": "2024-05-01"}
    )
    assert (params.actions_assume_consent, params.value_a_share) == (False, 0.5)
    assert params.actions_holdout_salt == "2024-05-01", "what YAML takes for a date stays a text"


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(UserError) as refused:
        load_params({"churn_horizon_day": "60"})
    assert "churn_horizon_days" in refused.value.remedy


@pytest.mark.parametrize(
    ("given", "read"),
    [("2024", "2024"), ("true", "true"), ("007", "007"), ("1e3", "1e3"), ("autumn", "autumn"), ("'7'", "7")],
)
def test_a_text_that_looks_like_a_number_is_a_text(given, read):
    assert load_params({"actions_holdout_salt": given}).actions_holdout_salt == read


def test_a_number_is_read_as_one_and_an_empty_text_is_refused():
    assert load_params({"churn_horizon_days": "60"}).churn_horizon_days == 60
    with pytest.raises(UserError, match="actions_holdout_salt"):
        load_params({"actions_holdout_salt": ""})


def test_a_changed_project_file_is_read_again(tmp_path, monkeypatch):
    monkeypatch.setattr(params, "DBT_PROJECT_DIR", tmp_path)
    for written, value in enumerate((1, 2)):
        (tmp_path / "dbt_project.yml").write_text(f"vars: {{a: {value}}}")
        os.utime(tmp_path / "dbt_project.yml", ns=(written, written))
        assert params.project_vars() == {"a": value}


def test_whoever_changes_what_was_read_changes_it_for_himself_only():
    params.project_vars()["churn_horizon_days"] = 1
    assert params.project_vars()["churn_horizon_days"] != 1
