"""What a command says while it works: lines for a person, only what matters, or one JSON object a line.

In: words with a level and, for programs, fields. Out: lines on stderr, in the one style that the command line has set
for its process. In style `json` every line of stderr is an object, also one that a library wrote.
"""

import io
import json
import sys
from datetime import UTC, datetime
from typing import Any, Literal

Style = Literal["text", "quiet", "json"]
Level = Literal["info", "warning", "error"]

_style: Style = "text"


def set_style(style: Style) -> None:
    """Choose the style of this process. `quiet` drops what is neither warning nor error."""
    global _style
    _style = style
    if style == "json" and not isinstance(sys.stderr, _JsonLines):
        sys.stderr = _JsonLines(sys.stderr)
    elif style != "json" and isinstance(sys.stderr, _JsonLines):
        sys.stderr = sys.stderr.raw


def say(words: str, level: Level = "info", **fields: Any) -> None:
    """One line. `fields` (names to JSON values) are shown in style `json` alone, next to `at`, `level` and `text`."""
    if isinstance(sys.stderr, _JsonLines):
        sys.stderr.write_object(level, words.strip(), fields)
    elif _style == "text" or level != "info":
        print(words, file=sys.stderr, flush=True)


class _JsonLines(io.TextIOBase):
    """A stream that makes an object of every line written to it."""

    def __init__(self, raw: Any) -> None:
        self.raw = raw
        self._unfinished = ""

    def write(self, text: str) -> int:
        *lines, self._unfinished = (self._unfinished + text).split("\n")
        for line in lines:
            if line.strip():
                self.write_object("info", line.rstrip(), {})
        return len(text)

    def write_object(self, level: Level, text: str, fields: dict[str, Any]) -> None:
        said = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "level": level, "text": text, **fields}
        self.raw.write(json.dumps(said, ensure_ascii=False, default=str) + "\n")
        self.raw.flush()

    def flush(self) -> None:
        if self._unfinished.strip():
            self.write("\n")
        self.raw.flush()

    def fileno(self) -> int:
        return self.raw.fileno()
