"""Superset on this machine alone: its state in one folder, its key in a file that only its owner can read."""

import os
from pathlib import Path

STATE = Path(os.environ["HOLDFAST_BI_STATE"])
SECRET_KEY = (STATE / "secret-key").read_text()
SQLALCHEMY_DATABASE_URI = f"sqlite:///{STATE / 'superset.db'}"
# Each chart asks the set of now: a cache would show yesterday's after a publish.
CACHE_CONFIG = DATA_CACHE_CONFIG = {"CACHE_TYPE": "NullCache"}
TALISMAN_ENABLED = False  # its headers ask for https; the server listens on 127.0.0.1 only
ROW_LIMIT = 1000
