"""Where the seconds of the nightly job go, on the built-in source: `make bench`.

Runs the command line as a user does, each run a process of its own: once in an empty home, then on the same date
again. Prints a table and writes `docs/benchmarks.md` and `docs/benchmarks.png`. Never run as a test: timings are for
reading.
"""

import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from assets.shared.plots import BLUE, ORANGE, canvas

ROOT = Path(__file__).resolve().parents[1]
N_WARM = 3
LIBRARIES = ("dagster", "dagster_dbt", "dbt.cli.main", "sklearn.ensemble", "great_expectations", "matplotlib.figure")
VERSIONS = ("dagster", "dbt-core", "dbt-duckdb", "duckdb", "great-expectations", "scikit-learn", "pyarrow")
STEP = re.compile(r"\[\s*([\d.]+) s\]\s+(\w+) done in ([\d.]+) s")


@dataclass(frozen=True)
class Measured:
    """One run: whole process seconds, seconds by step, peak memory in MB."""

    total: float
    steps: dict[str, float]
    peak_mb: float


def run(home: str) -> Measured:
    """One `holdfast run` as a process."""
    started = time.perf_counter()
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "pipelines.cli", "run"], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=log,
            env={**os.environ, "HOLDFAST_HOME": home},
        )
        _, status, usage = os.wait4(process.pid, 0)
        total = time.perf_counter() - started
        log.seek(0)
        said = log.read()
    if status:
        sys.exit(said)
    return Measured(total, {name: float(seconds) for _, name, seconds in STEP.findall(said)}, usage.ru_maxrss / 1024)


def import_seconds(library: str) -> float:
    """Seconds to import a library in a fresh interpreter, without the interpreter's own start."""
    code = f"import time; t = time.perf_counter(); import {library}; print(time.perf_counter() - t)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    return float(said.splitlines()[-1])


def main() -> None:
    """Measure, print and write the report."""
    with tempfile.TemporaryDirectory() as home:
        cold = run(home)
        warm = [run(home) for _ in range(N_WARM)]
    imports = {library: statistics.median(import_seconds(library) for _ in range(3)) for library in LIBRARIES}
    report = render(cold, warm, imports)
    print(report)
    (ROOT / "docs" / "benchmarks.md").write_text(report)
    (ROOT / "docs" / "benchmarks.png").write_bytes(draw(cold, warm))


def render(cold: Measured, warm: list[Measured], imports: dict[str, float]) -> str:
    """The report as Markdown."""
    totals = [m.total for m in warm]
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in VERSIONS)
    lines = [
        "# Where the time goes",
        "",
        "Made by `make bench`. The nightly job on the built-in source (1,469,307 lines, 2,469 customers), each run a",
        "process of its own, from start to exit.",
        "",
        f"Machine: {os.cpu_count()} cores, {memory_gib:.0f} GiB, Python {platform.python_version()}. {versions}.",
        "",
        f"| | cold (empty home) | warm (same date again, median of {len(warm)}) | range |",
        "|---|---|---|---|",
        f"| whole process, s | {cold.total:.1f} | {statistics.median(totals):.1f} "
        f"| {min(totals):.1f} to {max(totals):.1f} |",
        f"| peak memory, MB | {cold.peak_mb:.0f} | {statistics.median(m.peak_mb for m in warm):.0f} | |",
    ]
    for step in cold.steps:
        seconds = [m.steps[step] for m in warm]
        lines.append(
            f"| {step}, s | {cold.steps[step]:.1f} | {statistics.median(seconds):.1f} "
            f"| {min(seconds):.1f} to {max(seconds):.1f} |"
        )
    outside = [m.total - sum(m.steps.values()) for m in warm]
    lines += [
        f"| outside the steps: imports, dbt parse, run record, summary, s "
        f"| {cold.total - sum(cold.steps.values()):.1f} "
        f"| {statistics.median(outside):.1f} | {min(outside):.1f} to {max(outside):.1f} |",
        "",
        "![Seconds by step](benchmarks.png)",
        "",
        "Importing alone, each library in a fresh interpreter (they share parts, so they do not add up):",
        "",
        "| library | s |",
        "|---|---|",
        *(f"| {library} | {seconds:.1f} |" for library, seconds in imports.items()),
        "",
        "In a warm night no day was touched and the model is in force; only reconciliations read raw lines.",
        "What is left is the fixed cost of the stack: imports inside `score` (scikit-learn) and `validate` (Great",
        "Expectations), about a hundred dbt nodes at some 0.03 s, plots, and Dagster's record of every event.",
        "",
    ]
    return "\n".join(lines)


def draw(cold: Measured, warm: list[Measured]) -> bytes:
    """PNG: seconds by step, cold beside warm."""
    steps = list(cold.steps)
    with canvas(8, 4) as made:
        axes = made.figure.subplots()
        places = range(len(steps))
        axes.barh([p - 0.2 for p in places], [cold.steps[s] for s in steps], height=0.38, color=ORANGE, label="cold")
        medians = [statistics.median(m.steps[s] for m in warm) for s in steps]
        axes.barh([p + 0.2 for p in places], medians, height=0.38, color=BLUE, label="warm")
        axes.set_yticks(list(places), steps)
        axes.invert_yaxis()
        axes.set(xlabel="seconds")
        axes.legend(frameon=False)
        axes.set_title("The nightly job on the built-in source", fontsize=10)
    return made.png


if __name__ == "__main__":
    main()
