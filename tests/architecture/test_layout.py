"""The layout rules of the README, checked on the syntax tree and the parsed dbt project."""

import ast
import re
from pathlib import Path

import pytest
import yaml

from assets.shared.params import DBT_PROJECT_DIR, RUN_VARS, Params
from assets.shared.tables import declared_table
from assets.validate.defs import _declared_in
from expectations.suite import suite_of
from pipelines.stages import PLAYBOOK, STAGES

ROOT = Path(__file__).resolve().parents[2]
#: Packages under assets/ that are no stage: the platform, and the model, which knows the platform only.
FOR_ALL = {"shared", "model"}
SHARED_HEAVY = {"sklearn", "great_expectations", "dagster_dbt", "pyspark"}


def modules(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def imports(path: Path) -> set[str]:
    """Every module that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def top_level_imports(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    found = set()
    for node in tree.body:
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


def stage_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[1]


def allowed(package: str) -> set[str]:
    """Packages under assets/ that a package there may import: the platform is for all, the model for all stages."""
    return {"shared"} if package == "shared" else {package, *FOR_ALL}


def test_nothing_imports_the_wiring():
    for path in modules("assets", "expectations"):
        assert not [name for name in imports(path) if name.split(".")[0] == "pipelines"], path


def test_no_stage_knows_the_simulation():
    """Its truth is for benchmarks and tests; only its command may start it."""
    for path in modules("assets", "expectations", "pipelines"):
        used = [name for name in imports(path) if name.split(".")[0] == "simulation"]
        assert not used or path == ROOT / "pipelines" / "commands" / "simulate.py", f"{path} imports {used}"


def test_simulation_and_campaigns_know_no_stage():
    for path in modules("simulation", "campaigns"):
        for name in imports(path):
            parts = name.split(".")
            assert parts[0] not in {"pipelines", "expectations", "dagster"}, f"{path} imports {name}"
            assert parts[0] != "assets" or parts[1] in FOR_ALL, f"{path} imports {name}"


def test_only_defs_import_dagster():
    for path in modules("assets", "expectations"):
        if path.name != "defs.py":
            used = [name for name in imports(path) if name.split(".")[0] in {"dagster", "dagster_dbt"}]
            assert not used, f"{path} imports {used}; only defs.py may"


def test_a_stage_never_imports_another_stage():
    for path in modules("assets"):
        if len(path.relative_to(ROOT).parts) < 3:
            continue
        own = allowed(stage_of(path)) | ({"dbt"} if path.name == "defs.py" else set())
        for name in imports(path):
            parts = name.split(".")
            if parts[0] == "assets" and len(parts) > 1:
                assert parts[1] in own, f"{path} imports {name}: stages meet in tables"


def test_only_validate_runs_expectations():
    for path in modules("assets", "pipelines"):
        uses = [name for name in imports(path) if name.split(".")[0] == "expectations"]
        assert not uses or stage_of(path) == "validate", f"{path} imports {uses}"


def test_expectations_import_only_params_and_tables_of_ours():
    for path in modules("expectations"):
        for name in imports(path):
            parts = name.split(".")
            assert parts[0] != "assets" or parts[1] in FOR_ALL, f"{path} imports {name}"


@pytest.mark.parametrize("library", sorted(SHARED_HEAVY))
def test_heavy_libraries_are_not_imported_at_start_up(library):
    """A module that the definitions load at start may import them only inside functions."""
    for path in [
        *modules(
            "assets/shared", "assets/validate", "assets/publish", "assets/ledgers", "assets/actions", "assets/ingest"
        )
    ]:
        assert library not in top_level_imports(path), f"{path} imports {library} at start-up"


def test_a_stage_lives_in_one_place():
    for stage, kind in STAGES.items():
        in_python = (ROOT / "assets" / stage).is_dir()
        in_sql = (DBT_PROJECT_DIR / "models" / stage).is_dir()
        assert (in_python, in_sql) == ((True, False) if kind == "python" else (False, True)), stage


def test_every_var_in_sql_is_a_parameter_and_the_reverse():
    text = "\n".join(
        path.read_text()
        for folder in ("models", "macros", "tests")
        for path in (DBT_PROJECT_DIR / folder).rglob("*")
        if path.suffix in {".sql", ".yml"}
    )
    used = set(re.findall(r"""var\(\s*['"](\w+)['"]""", text))
    known = set(Params.model_fields) | RUN_VARS
    assert used <= known, f"unknown vars in SQL: {used - known}"
    python = "\n".join(path.read_text() for path in modules("assets", "pipelines") if path.name != "params.py")
    unused = {name for name in Params.model_fields if name not in used and not re.search(rf"\b{name}\b", python)}
    by_channel = {f"actions_{channel}_capacity" for channel in ("email", "sms", "phone", "mail")}
    assert unused <= by_channel, f"parameters that nothing reads: {unused - by_channel}"


def test_only_staging_reads_raw_tables():
    for path in (DBT_PROJECT_DIR / "models").rglob("*.sql"):
        stage = path.relative_to(DBT_PROJECT_DIR / "models").parts[0]
        raw = re.findall(r"source\(\s*'ingest'\s*,\s*'(\w+)'", path.read_text())
        entities = set(raw) & {
            "transactions",
            "customers",
            "consents",
            "interactions",
            "surveys",
            "referrals",
            "balances",
            "contracts",
            "contacts",
        }
        assert stage == "staging" or not entities, f"{path} reads raw {entities}"


def test_group_key_and_schema_are_the_stage(definitions):
    for spec in definitions.resolve_all_asset_specs():
        assert spec.key.path[0] == spec.group_name, spec.key
        assert spec.key.path[0] in {*STAGES, PLAYBOOK}, spec.key


def test_a_model_writes_into_no_other_table(project):
    """What dbt runs before and after a model changes that model's own table. What Python writes is watched in
    `tests/integration/test_flow_runs_forwards.py`."""
    hooks = [hook["sql"] for node in project.as_dict["nodes"].values() for hook in _hooks(node)]
    assert hooks
    for sql in hooks:
        assert re.fullmatch(r"{% if is_incremental\(\) %}delete from {{ this }} where [^;]*{% endif %}", sql), sql
        assert not re.search(r"\b(create|insert|update|drop|alter|truncate)\b", sql), sql


def _hooks(node) -> list[dict]:
    return [hook for kind in ("pre-hook", "post-hook") for hook in node["config"].get(kind) or ()]


def test_every_step_puts_what_it_builds_on_record():
    """Else what it built could be read, and published, after it failed or by a night that it does not belong to."""
    steps = 0
    for path in modules("assets"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and any("asset" in ast.unparse(d) for d in node.decorator_list):
                entered = [ast.unparse(i) for w in ast.walk(node) if isinstance(w, ast.With) for i in w.items]
                assert any(item.startswith("building(context, run") for item in entered), (
                    f"{path}: {node.name} builds without `building(context, run)`"
                )
                steps += 1
    assert steps >= sum(kind == "python" for kind in STAGES.values())


def test_every_mart_has_contract_grain_columns_suite_and_exposure(project):
    exposed = {uid for exposure in project.as_dict["exposures"].values() for uid in exposure["depends_on"]["nodes"]}
    marts = project.models_in("marts")
    assert marts
    for name, node in marts.items():
        assert node["config"]["contract"]["enforced"], f"{name} has no contract"
        assert "grain" in node["description"].lower() or node["config"]["meta"].get("grain"), f"{name} states no grain"
        for column in node["columns"].values():
            assert column["description"], f"{name}.{column['name']} has no description"
        assert {"as_of_date", "run_id"} <= set(node["columns"]), name
        assert suite_of(declared_table(f"marts.{name}")) is not None, f"{name} has no rules"
        assert node["unique_id"] in exposed, f"{name} has no exposure"


def test_a_check_finds_the_file_with_the_rules_of_its_table(project):
    files = _declared_in(project)
    assert files["marts.churn_scores"] == "dbt_project/models/marts/churn_scores.yml"
    assert all((ROOT / file).is_file() for file in files.values())


def test_marts_are_public_have_an_owner_and_nothing_else_is(project):
    groups = project.as_dict["groups"]
    for node in project.as_dict["nodes"].values():
        if node["resource_type"] == "model":
            is_mart = node["schema"] == "marts"
            assert (node["access"] == "public") == is_mart, node["name"]
            assert (node["group"] == "published") == is_mart, node["name"]
    assert groups["group.holdfast.published"]["owner"]["name"]


def test_every_table_and_column_is_described(project):
    for node in [*project.as_dict["nodes"].values(), *project.as_dict["sources"].values()]:
        if node["resource_type"] in {"model", "seed", "source"}:
            assert node["description"], f"{node['name']} has no description"
            missing = [c["name"] for c in node["columns"].values() if not c["description"]]
            assert node["columns"] and not missing, f"{node['name']}: columns without description {missing}"


def test_what_two_columns_of_a_name_mean_alike_is_written_once():
    """Two tables may hold the same column: its description is then a doc block that both refer to."""
    written: dict[tuple[str, str], list[str]] = {}
    for path in (DBT_PROJECT_DIR / "models").rglob("*.yml"):
        content = yaml.load(path.read_text(), Loader=yaml.CSafeLoader) or {}
        tables = [*content.get("models", ()), *(t for source in content.get("sources", ()) for t in source["tables"])]
        for table in tables:
            for column in table.get("columns", ()):
                text = " ".join(column["description"].split())
                if "doc(" not in text:
                    written.setdefault((column["name"], text), []).append(table["name"])
    assert {column: tables for column, tables in written.items() if len(tables) > 1} == {}


def test_init_files_hold_a_docstring_and_nothing_else():
    for path in modules("assets", "pipelines", "expectations", "simulation", "campaigns"):
        if path.name == "__init__.py":
            body = ast.parse(path.read_text()).body
            assert all(isinstance(node, ast.Expr) for node in body) and len(body) <= 1, path


def test_every_module_says_what_it_is():
    for path in modules("assets", "pipelines", "expectations", "simulation", "campaigns"):
        assert ast.get_docstring(ast.parse(path.read_text())), f"{path} has no docstring"


def test_no_module_is_called_by_what_it_is_not():
    vague = {"utils", "helpers", "common", "misc"}
    assert not [
        path for path in modules("assets", "pipelines", "expectations", "simulation", "campaigns") if path.stem in vague
    ]


def moves(path: Path) -> list[int]:
    """Lines that give a file another name: `a.rename(b)`, `a.replace(b)`, `os.replace`, `os.rename`, `shutil.move`."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            name, module = node.func.attr, getattr(node.func.value, "id", "")
            is_move = (module, name) in {("os", "replace"), ("os", "rename"), ("shutil", "move")}
            if is_move or (name in {"rename", "replace"} and len(node.args) == 1 and not node.keywords):
                found.append(node.lineno)
    return found


def test_files_are_put_in_their_place_in_one_module():
    """Whoever writes state goes through it, so that a kill at any moment leaves the old or the new."""
    found = {p.relative_to(ROOT).as_posix() for p in modules("assets", "pipelines", "expectations") if moves(p)}
    assert found == {"assets/shared/files.py"}
