"""Dagster's own Postgres storage, told which driver it is installed with.

In: the URI of a server, as everywhere else here. Out: the storage of `dagster_postgres`. SQLAlchemy from 2.1 takes
`postgresql://` for the driver psycopg, and `dagster-postgres` brings psycopg2.
"""

from typing import Any

from dagster_postgres import DagsterPostgresStorage


class Storage(DagsterPostgresStorage):
    """What `dagster.yaml` names."""

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Any) -> "Storage":
        return cls(with_driver(config_value["postgres_url"]), inst_data=inst_data)


def with_driver(uri: str) -> str:
    """`postgresql://…` or `postgres://…` with the driver's name in it."""
    return f"postgresql+psycopg2://{uri.partition('://')[2]}"
