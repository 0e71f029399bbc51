"""One look for every plot: figure in, PNG bytes out. Matplotlib is imported only when something is drawn."""

import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

#: Colour-blind safe (Okabe and Ito 2008).
BLUE, ORANGE, GREEN, RED, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#888888"

#: From unworried to worried.
RISING = [GREEN, BLUE, ORANGE, RED]


class Canvas:
    """A figure and, after the `canvas` block, its PNG bytes in `png`."""

    figure: Any
    png: bytes = b""


@contextmanager
def canvas(width: float = 7.0, height: float = 3.6) -> Iterator[Canvas]:
    """A figure of the given size in inches, rendered to PNG on exit.

    Never touches pyplot's global state, so it is safe in threads and needs no display.
    """
    # Matplotlib writes a font cache; a home that cannot be written must not break a run.
    os.environ.setdefault("MPLCONFIGDIR", os.path.join(tempfile.gettempdir(), "holdfast-matplotlib"))  # noqa: PTH118
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    made = Canvas()
    made.figure = Figure(figsize=(width, height), layout="constrained")
    yield made
    for axes in made.figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    buffer = io.BytesIO()
    FigureCanvasAgg(made.figure).print_png(buffer)
    made.png = buffer.getvalue()
