"""The stages in the order of the flow. One name each: folder, Dagster group, schema, asset-key prefix, test folder."""

from typing import Literal

#: Stage to where its logic lives: `assets/<stage>/` (python) or `dbt_project/models/<stage>/` (sql), never both.
STAGES: dict[str, Literal["python", "sql"]] = {
    "ingest": "python",
    "identity": "python",
    "staging": "sql",
    "features": "sql",
    "segments": "sql",
    "movements": "python",
    "train": "python",
    "score": "python",
    "ledgers": "python",
    "candidates": "sql",
    "actions": "python",
    "explain": "python",
    "measure": "sql",
    "marts": "sql",
    "validate": "python",
    "publish": "python",
}

#: The seeds that a retention manager edits are no stage of the flow, but have a schema and a group of their own.
PLAYBOOK = "playbook"
