"""One look for every plot: figure in, PNG bytes out. Matplotlib is imported only when something is drawn."""

import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb

#: Colour-blind safe (Okabe and Ito 2008).
BLUE, ORANGE, GREEN, RED, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#888888"

#: A picture is kept with the records of every run, several times. With so many it looks as with all of them, in a
#: third of the bytes.
COLOURS = 64

#: From unworried to worried.
RISING = [GREEN, BLUE, ORANGE, RED]


def in_currency(con: "duckdb.DuckDBPyConnection") -> str:
    """Words for an axis of money: `in EUR`, or that it is the source's where no source names its currency."""
    (there,) = con.execute(
        "select count(*) from information_schema.columns"
        " where table_schema = 'staging' and table_name = 'transaction_days' and column_name = 'last_currency'"
    ).fetchone() or (0,)
    found = con.execute("select max(last_currency) from staging.transaction_days").fetchone() if there else None
    return f"in {found[0]}" if found and found[0] else "in the source's currency"


class Canvas:
    """A figure and, after the `canvas` block, its PNG bytes in `png`."""

    figure: Any
    png: bytes = b""


@contextmanager
def canvas(width: float = 7.0, height: float = 3.6) -> Iterator[Canvas]:
    """A figure of the given size in inches, rendered to PNG of 64 colours on exit.

    Never touches pyplot's global state, so it is safe in threads and needs no display.
    """
    # Matplotlib writes a font cache; a home that cannot be written must not break a run.
    os.environ.setdefault("MPLCONFIGDIR", os.path.join(tempfile.gettempdir(), "holdfast-matplotlib"))  # noqa: PTH118
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from PIL import Image

    made = Canvas()
    made.figure = Figure(figsize=(width, height), layout="constrained")
    yield made
    for axes in made.figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    drawn = FigureCanvasAgg(made.figure)
    drawn.draw()
    colours = Image.frombuffer("RGBA", drawn.get_width_height(), drawn.buffer_rgba()).convert("RGB")
    buffer = io.BytesIO()
    colours.quantize(COLOURS, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
    made.png = buffer.getvalue()
