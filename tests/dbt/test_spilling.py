"""dbt goes on after the engine has spilled to disk: where it spills to is set once, not before each model."""

from dataclasses import replace

import duckdb

from assets.dbt import runner
from assets.shared.settings import Settings


def test_two_models_that_spill_are_built_one_after_the_other(tmp_path, monkeypatch):
    project = tmp_path / "project"
    (project / "models").mkdir(parents=True)
    profile = runner.DBT_PROJECT_DIR / "profiles.yml"
    (project / "profiles.yml").write_text(profile.read_text())
    (project / "dbt_project.yml").write_text(
        "name: holdfast\nversion: '1.0'\nconfig-version: 2\nprofile: holdfast\n"
        "flags: {send_anonymous_usage_stats: false}\n"
    )
    for name in ("one", "two"):
        (project / "models" / f"{name}.sql").write_text(
            "{{ config(materialized='table') }}\n"
            "select md5(cast(i as varchar)) as text, count(*) as n from range(1500000) as r(i) group by 1 order by 1\n"
        )
    monkeypatch.setattr(runner, "DBT_PROJECT_DIR", project)
    settings = replace(Settings(home=tmp_path, sources=()), memory_limit="150MB", threads=2)
    settings.spill.mkdir(parents=True, exist_ok=True)
    result = runner.invoke_dbt(settings, ["run"])
    assert [str(node.status) for node in result.result.results] == ["success", "success"], result.result.results
    with duckdb.connect(str(settings.warehouse)) as con:
        assert con.execute("select count(*) from one").fetchall() == [(1_500_000,)]
