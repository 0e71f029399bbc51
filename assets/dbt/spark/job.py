"""What one build on Spark is asked for and what it answers, as JSON between the night and the process of Spark."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Registered:
    """A table for Spark to read: a folder of Parquet files and its columns as `name type, ...` in Spark's types."""

    name: str
    folder: str
    columns: str


@dataclass(frozen=True)
class Job:
    """url: of the session; place: the folder for the tables that are built; models and tests: unique ids."""

    home: str
    url: str
    memory_mib: int
    place: str
    inputs: tuple[Registered, ...]
    models: tuple[str, ...]
    tests: tuple[str, ...]
    variables: Mapping[str, Any]
    full_refresh: bool

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> "Job":
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        content["inputs"] = [Registered(**entry) for entry in content["inputs"]]
        lists = {name: tuple(value) for name, value in content.items() if isinstance(value, list)}
        return cls(**{**content, **lists})
