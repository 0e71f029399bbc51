"""The physical lines of a text file, whatever its encoding, newline or compression.

In: a path. Out: Arrow batches (line_number bigint from 1, line text) in the file's order, a few megabytes each.
A file that is no readable text is a `FileRefused`. Delimiters, quotes and headers do not belong here (`records`).
"""

import codecs
import gzip
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from assets.ingest.refusals import FileRefused

CHUNK_BYTES = 16 * 2**20
#: A longer line is no line of a table, and Arrow's text offsets end at 2 GB.
MAX_LINE_BYTES = 256 * 2**20

#: Text of a table packs 5 to 30 times smaller; what unpacks to hundreds of times its size is filler, made to fill a
#: disk or by a broken export. Small files may do as they like.
MAX_UNPACKED_RATIO = 200
RATIO_COUNTS_FROM = 64 * 2**20

#: First bytes of packings that are not read.
_PACKED = {b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zstd", b"7z\xbc\xaf": "7-Zip"}

SCHEMA = pa.schema([("line_number", pa.int64()), ("line", pa.string())])


def read_lines(path: Path, encoding: str | Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Batches of whole lines without their line ends (`\\n`, `\\r\\n` and `\\r` all end a line). Of several encodings
    it is the first that fits the whole file, else the last.

    Raises FileRefused when the file cannot be read, unpacked or decoded.
    """
    if not isinstance(encoding, str):
        encoding = next((name for name in encoding[:-1] if _fits(path, name)), encoding[-1])
    first_number = 1
    rest = b""
    for chunk in _utf8_chunks(path, encoding):
        data = rest + chunk
        cut = data.rfind(b"\n") + 1
        rest = data[cut:]
        if len(rest) > MAX_LINE_BYTES:
            raise FileRefused(
                "line_too_long",
                f"{path}: the line that starts after line {first_number - 1} is longer than {MAX_LINE_BYTES >> 20} MB",
                "is this a text file? Check the format and the encoding",
            )
        if cut:
            batch = _batch(data[:cut], first_number, path)
            first_number += batch.num_rows
            yield batch
    if rest:
        yield _batch(rest + b"\n", first_number, path)


def _fits(path: Path, encoding: str) -> bool:
    """Can all of the file be read so?"""
    try:
        for _ in read_lines(path, encoding):
            pass
    except FileRefused as error:
        if error.rule != "wrong_encoding":
            raise
        return False
    return True


def _batch(data: bytes, first_number: int, path: Path) -> pa.RecordBatch:
    """`data`, whole UTF-8 lines each ended by a newline, as Arrow without copying line by line."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        number = first_number + data.count(b"\n", 0, error.start)
        raise _undecodable(path, "utf-8", f"line {number}") from None
    ends = np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == ord("\n"))
    starts = np.concatenate(([0], ends[:-1] + 1))
    # The text without its newlines, and where each line starts in it.
    text = data.replace(b"\n", b"")
    offsets = np.concatenate((starts - np.arange(len(ends)), [len(text)])).astype(np.int32)
    lines = pa.StringArray.from_buffers(len(ends), pa.py_buffer(offsets), pa.py_buffer(text))
    numbers = pa.array(np.arange(first_number, first_number + len(ends), dtype=np.int64))
    return pa.record_batch([numbers, lines], schema=SCHEMA)


def _utf8_chunks(path: Path, encoding: str) -> Iterator[bytes]:
    """The file's text as UTF-8 with `\\n` line ends and no byte order mark. Only what is not UTF-8 is re-encoded;
    UTF-8 itself is checked on whole lines, where no character can be cut in two."""
    decoder = None if encoding == "utf-8" else codecs.getincrementaldecoder(encoding)("strict")
    held = b""
    is_first = True
    for raw, is_last in _raw_chunks(path):
        if is_first:
            _refuse_other_format(path, raw, encoding)
        if decoder is None:
            chunk = raw
        else:
            try:
                chunk = decoder.decode(raw, final=is_last).encode("utf-8")
            except UnicodeError as error:
                raise _undecodable(path, encoding, str(error)) from None
        if is_first:
            chunk = chunk.removeprefix(codecs.BOM_UTF8)
        is_first = False
        chunk = held + chunk
        held = b""
        if chunk.endswith(b"\r") and not is_last:
            # Its newline may be the first byte of the next chunk.
            chunk, held = chunk[:-1], b"\r"
        yield chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in chunk else chunk


def _raw_chunks(path: Path) -> Iterator[tuple[bytes, bool]]:
    """(bytes, is last) of the file, unpacked if it is gzip, whatever its name."""
    try:
        with path.open("rb") as plain:
            is_gzip = plain.read(2) == b"\x1f\x8b"
            plain.seek(0)
            with gzip.GzipFile(fileobj=plain) if is_gzip else plain as file:
                chunk = file.read(CHUNK_BYTES)
                unpacked = 0
                while True:
                    following = file.read(CHUNK_BYTES) if chunk else b""
                    unpacked += len(chunk)
                    if is_gzip and unpacked > RATIO_COUNTS_FROM and unpacked > MAX_UNPACKED_RATIO * plain.tell():
                        raise FileRefused(
                            "packed_too_tightly",
                            f"{path} unpacks to more than {MAX_UNPACKED_RATIO} times its size",
                            "look at what it holds; if it is sound, deliver it unpacked",
                        )
                    yield chunk, not following
                    if not following:
                        return
                    chunk = following
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise FileRefused(
            "damaged_gzip",
            f"{path}: the gzip file is damaged or was cut short ({error})",
            "copy or export the file again",
        ) from None
    except OSError as error:
        raise FileRefused(
            "unreadable", f"{path} cannot be read: {error.strerror or error}", "check that it exists and may be read"
        ) from None


def _refuse_other_format(path: Path, start: bytes, encoding: str) -> None:
    """What people put into an inbox by mistake, by its first bytes."""
    if start.startswith(b"PAR1"):
        raise FileRefused(
            "wrong_format", f"{path} is a Parquet file", "name it *.parquet, or set `format: parquet` for this table"
        )
    if start.startswith(b"PK\x03\x04"):
        raise FileRefused(
            "wrong_format",
            f"{path} is a zip archive or a spreadsheet",
            "unpack it, or export it as CSV (or CSV in gzip)",
        )
    if start.startswith(b"\x1f\x8b"):
        raise FileRefused("gzip_in_gzip", f"{path} is gzip inside gzip", "pack it once only")
    for magic, kind in _PACKED.items():
        if start.startswith(magic):
            raise FileRefused("wrong_format", f"{path} is packed with {kind}", "unpack it, or pack it with gzip")
    name = codecs.lookup(encoding).name
    for mark, kinds in _MARKS.items():
        if start.startswith(mark):
            if name not in kinds:
                raise _looks_like(path, encoding, kinds[0], "by the byte order mark at its start")
            return
    head = start[:4096]
    if head.count(0) * 4 > len(head) and name not in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"):
        # Without a mark its order shows by where the zeros of Latin letters and digits stand.
        is_big = head[0::2].count(0) > head[1::2].count(0)
        raise _looks_like(path, encoding, "utf-16-be" if is_big else "utf-16-le", "without a byte order mark")


#: Byte order marks and the encodings that may have them, UTF-32 first: its mark starts with that of UTF-16.
_MARKS = {
    codecs.BOM_UTF32_LE: ("utf-32", "utf-32-le"),
    codecs.BOM_UTF32_BE: ("utf-32", "utf-32-be"),
    codecs.BOM_UTF8: ("utf-8", "utf-8-sig"),
    codecs.BOM_UTF16_LE: ("utf-16", "utf-16-le"),
    codecs.BOM_UTF16_BE: ("utf-16", "utf-16-be"),
}


def _looks_like(path: Path, encoding: str, kind: str, why: str) -> FileRefused:
    return FileRefused(
        "wrong_encoding",
        f"{path} is not {encoding.upper()}: it looks like {kind.upper()} {why}",
        f"set `encoding: {kind}` for this table",
    )


def _undecodable(path: Path, encoding: str, where: str) -> FileRefused:
    return FileRefused(
        "wrong_encoding",
        f"{path} cannot be read as {encoding} ({where})",
        "set `encoding` for this table: cp1252 or latin-1 (Western), cp1250 (Central European), gb18030 (Chinese), "
        "utf-16 (Windows Unicode)",
    )
