"""`make bi`: Superset on 127.0.0.1 with the dashboards of `dashboards.yml` over the published set.

Its state (users, charts) is in `bi/state`, or where HOLDFAST_BI_STATE says; the first start makes the user `admin` with
a password of its own in the file `password` there. `--import-only` ends before the server starts.
"""

import os
import secrets
import sys
from pathlib import Path

HERE = Path(__file__).parent.resolve()
ADDRESS = "127.0.0.1"


def secret(file: Path) -> str:
    """The content of a file that only its owner can read, made at first use."""
    if not file.exists():
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
            opened.write(secrets.token_urlsafe(32))
    return file.read_text()


def import_bundle(files: dict[str, str], state: Path) -> None:
    """Superset's own tables, roles and user, and the bundle in place of an earlier one."""
    import flask_migrate
    from superset.app import create_app

    app = create_app()
    with app.app_context():
        from superset.commands.importers.v1.assets import ImportAssetsCommand
        from superset.extensions import appbuilder, db
        from superset.models.slice import Slice
        from superset.utils.core import override_user

        flask_migrate.upgrade(directory=str(Path(sys.modules["superset"].__file__).parent / "migrations"))
        security = appbuilder.sm
        appbuilder.add_permissions(update_perms=True)
        security.sync_role_definitions()
        admin = security.find_user("admin") or security.add_user(
            "admin",
            "Holdfast",
            "Admin",
            "admin@localhost",
            security.find_role("Admin"),
            password=secret(state / "password"),
        )
        with override_user(admin):
            ImportAssetsCommand(files).run()
            # Charts of an earlier bundle that this one has not; a user's own charts are on no list of ours and stay.
            listed = state / "charts"
            ours = listed.read_text().split() if listed.exists() else []
            shown = [path.removeprefix("charts/").removesuffix(".yaml") for path in files if path.startswith("charts/")]
            for chart in db.session.query(Slice).filter(Slice.uuid.in_(set(ours) - set(shown))):
                db.session.delete(chart)
            db.session.commit()
            listed.write_text("\n".join(shown))


def main() -> None:
    published = Path(os.environ.get("HOLDFAST_HOME", "data")).resolve() / "published" / "holdfast.duckdb"
    if not published.exists():
        sys.exit(f"error: nothing is published at {published}\n  remedy: make run, or name the home with HOLDFAST_HOME")
    state = Path(os.environ.setdefault("HOLDFAST_BI_STATE", str(HERE / "state"))).resolve()
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    secret(state / "secret-key")
    os.environ |= {"SUPERSET_CONFIG_PATH": str(HERE / "superset_config.py"), "FLASK_APP": "superset.app:create_app()"}

    from bundle import bundle

    import_bundle(bundle(published), state)
    if "--import-only" in sys.argv:
        return
    port = os.environ.get("HOLDFAST_BI_PORT", "8088")
    print(
        f"Superset is at http://{ADDRESS}:{port}, user admin, password in {state / 'password'}; Ctrl-C ends it",
        flush=True,
    )
    gunicorn = [sys.executable, "-m", "gunicorn", "--no-control-socket", "--workers", "1", "--worker-class", "gthread"]
    gunicorn += ["--threads", "8", "--timeout", "120", "--bind", f"{ADDRESS}:{port}", "superset.app:create_app()"]
    os.execv(sys.executable, gunicorn)


if __name__ == "__main__":
    main()
