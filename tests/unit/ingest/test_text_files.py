"""Text files of every kind people really have: lines, quotes, encodings, compression, and nothing lost between them."""

import gzip
from pathlib import Path

import pytest
from landed_shop import CDNOW, COLUMNS, HEADER

from assets.ingest.records import text_lines
from assets.ingest.refusals import FileRefused
from assets.shared.errors import UserError

GOOD = "7,o1,1,2024-05-01 10:00,5.00"


def test_quotes_delimiters_and_line_ends_inside_a_field(shop):
    rows = shop.landed(
        f'{HEADER},note\r\n1,a,1,2024-05-01,5,"one, two"\r\n2,b,1,2024-05-01,5,"said ""hi"""\r\n'
        '3,c,1,2024-05-01,5,"first line\r\n\r\nthird line"\r\n4,d,1,2024-05-01,5, "padded" \r\n',
        "customer_id, category",
        columns={**COLUMNS, "category": "note"},
    )
    assert rows == [("1", "one, two"), ("2", 'said "hi"'), ("3", "first line\n\nthird line"), ("4", "padded")]
    assert shop.query("select rows_in, rows_accepted from ingest.batches") == [(4, 4)]


def test_a_stray_quote_costs_its_own_line_only(shop):
    rows = shop.landed(
        f'{HEADER}\n1,a,1,2024-05-01,5\n2,"b,1,2024-05-01,5\n3,"c",1,2024-05-01,5\n4,d,1,2024-05-01,5\n'
        '5,"e,1,2024-05-01,5\n6,f,1,2024-05-01,5\n',
        "customer_id",
    )
    assert rows == [("1",), ("3",), ("4",), ("6",)]
    assert shop.refused() == [(3, "malformed_quotes"), (6, "malformed_quotes")]


def test_a_stray_quote_before_a_field_of_several_lines(shop):
    rows = shop.landed(
        f'{HEADER},note\n2,"b,1,2024-05-01,5,x\n3,c,1,2024-05-01,5,"up\ndown"\n4,d,1,2024-05-01,5,"in\nout"\n',
        "customer_id, category",
        columns={**COLUMNS, "category": "note"},
    )
    assert rows == [("3", "up\ndown"), ("4", "in\nout")]
    assert shop.refused() == [(2, "malformed_quotes")]


def test_an_inch_mark_is_no_quote(shop):
    rows = shop.landed(
        f'{HEADER},note\n1,a,1,2024-05-01,5,27" screen\n2,b,1,2024-05-01,5,24" screen\n3,c,1,2024-05-01,5,plain\n',
        "customer_id, category",
        columns={**COLUMNS, "category": "note"},
    )
    assert rows == [("1", '27" screen'), ("2", '24" screen'), ("3", "plain")]


def test_backslash_escapes(shop):
    rows = shop.landed(
        f'{HEADER},note\n1,a,1,2024-05-01,5,"a \\"big\\" one, \\\\ it is"\n',
        "category",
        columns={**COLUMNS, "category": "note"},
        escape="\\",
    )
    assert rows == [('a "big" one, \\ it is',)]


def test_rows_of_another_width_are_kept_aside_with_their_text(shop):
    rows = shop.landed(f"{HEADER}\n{GOOD}\n8,o2,1\n9,o3,1,2024-05-01,5,6\n", "customer_id")
    assert rows == [("7",)]
    assert shop.query("select line_number, reason, raw_text from personal.quarantined_rows order by 1") == [
        (3, "5 columns expected, 3 found", "8,o2,1"),
        (4, "5 columns expected, 6 found", "9,o3,1,2024-05-01,5,6"),
    ]


def test_short_rows_can_be_padded(shop):
    rows = shop.landed(
        f"{HEADER},note\n{GOOD}\n", "customer_id", columns={**COLUMNS, "category": "note"}, short_rows="pad"
    )
    assert rows == [("7",)]


def test_blank_lines_are_no_rows_but_count_as_lines(shop):
    shop.landed(f"\n{HEADER}\n\n{GOOD}\n   \n,o,1,2024-05-01,5\n\n")
    assert shop.query("select rows_in from ingest.batches") == [(2,)]
    assert shop.refused() == [(6, "customer_id_missing")]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", [True, False])
def test_line_ends(shop, end, last):
    content = end.join([HEADER, GOOD, GOOD.replace("o1", "o2")]) + (end if last else "")
    assert shop.landed(content, "order_id") == [("o1",), ("o2",)]


def test_a_line_end_cutoff_in_two_by_the_reader(shop, monkeypatch):
    content = "\r\n".join([HEADER, *(f"7,o{n},1,2024-05-01,5" for n in range(30)), ""])
    for size in (1, 2, 3, 7, len(HEADER) + 1):
        monkeypatch.setattr(text_lines, "CHUNK_BYTES", size)
        lines = [
            (number, line)
            for batch in text_lines.read_lines(shop.write(content), "utf-8")
            for number, line in zip(*(column.to_pylist() for column in batch.columns), strict=True)
        ]
        assert lines == list(enumerate(content.split("\r\n")[:-1], start=1))


@pytest.mark.parametrize(
    ("encoding", "codec"),
    [
        ("utf-8", "utf-8-sig"),
        ("latin-1", "latin-1"),
        ("cp1252", "cp1252"),
        ("utf-16", "utf-16"),
        ("gb18030", "gb18030"),
    ],
)
@pytest.mark.parametrize("chunk", [5, 2**20])
def test_encodings(shop, monkeypatch, encoding, codec, chunk):
    monkeypatch.setattr(text_lines, "CHUNK_BYTES", chunk)
    content = f"{HEADER}\nJürgen,ö1,1,2024-05-01,5\n".encode(codec)
    assert shop.landed(content, "customer_id, order_id", encoding=encoding) == [("Jürgen", "ö1")]


@pytest.mark.parametrize("name", ["sales.csv.gz", "sales.csv"])
def test_gzip_by_content_and_not_by_name(shop, name):
    shop.write(gzip.compress(f"{HEADER}\n{GOOD}\n".encode()), name)
    shop.describe()
    shop.land()
    assert shop.query("select customer_id from ingest.transactions") == [("7",)]


@pytest.mark.parametrize(
    ("content", "what", "remedy"),
    [
        (b"", "is empty", "header"),
        (b"\n  \n", "is empty", "header"),
        (b"who,order\n\xe4\xf6\n", "cannot be read as utf-8 (line 2)", "latin-1"),
        (f"{HEADER}\n{GOOD}\n".encode("utf-16"), "UTF-16", "encoding: utf-16"),
        (f"{HEADER}\n{GOOD}\n".encode("utf-16-le"), "UTF-16-LE without", "encoding: utf-16-le"),
        (f"{HEADER}\n{GOOD}\n".encode("utf-16-be"), "UTF-16-BE without", "encoding: utf-16-be"),
        (gzip.compress(f"{HEADER}\n{GOOD}\n".encode() * 50, mtime=0)[:-20], "cut short", "again"),
        (b"PAR1 whatever", "is a Parquet file", "format: parquet"),
        (b"PK\x03\x04 whatever", "spreadsheet", "CSV"),
        (b"who;order;line;when;money\n1;2;3;4;5\n", "'who' (customer_id)", "`delimiter` to ';'"),
        (b"wo,order,line,when,money\n1,2,3,4,5\n", "'who', mapped to customer_id", "did you mean 'wo'? known:"),
        (b"order,line\n1,2\n", "'money' (amount), 'who' (customer_id), 'when'", "has: order, line"),
        (b"who,who,order,line,when,money\n", "stands 2 times", "position"),
        (b",,,,\n1,2,3,4,5\n", "no column names", "header: false"),
    ],
)
def test_a_file_that_is_unusable_as_a_whole(shop, content, what, remedy):
    shop.write(content)
    shop.describe()
    with pytest.raises(UserError) as caught:
        shop.land()
    assert "sales.csv" in caught.value.what
    assert what in caught.value.what
    assert remedy in caught.value.remedy
    assert not list(shop.settings.raw.rglob("*.parquet")), "nothing of it may be landed"


def test_a_broken_file_stops_no_other_one(shop):
    shop.write(f"{HEADER}\n{GOOD}\n", "a.csv")
    shop.write(b"", "b.csv")
    shop.write(f"{HEADER}\n{GOOD.replace('o1', 'o3')}\n", "c.csv")
    shop.describe()
    assert [batch.file for batch in shop.land()] == ["a.csv", "c.csv"]
    assert shop.query("select file, rule, resolved_at from ingest.refused_files") == [("b.csv", "empty", None)]
    (shop.folder / "c.csv").unlink()
    shop.write(f"{HEADER}\n{GOOD.replace('o1', 'o2')}\n", "b.csv")
    assert [batch.is_new for batch in shop.land()] == [False, True]
    assert shop.query("select order_id from ingest.transactions order by 1") == [("o1",), ("o2",), ("o3",)]
    assert shop.query("select count(*), count(resolved_at) from ingest.refused_files") == [(1, 1)]


def test_header_names_are_matched_without_case_and_blanks(shop):
    assert shop.landed(f" WHO ,Order,LINE,when,Money\n{GOOD}\n", "customer_id") == [("7",)]


def test_whitespace_columns(shop):
    rows = shop.landed(
        CDNOW,
        "customer_id, cast(occurred_at as varchar), quantity, cast(amount as double)",
        delimiter="whitespace",
        date_format="%Y%m%d",
        columns={"customer_id": "id", "occurred_at": "date", "quantity": "cds", "amount": "dollars"},
    )
    assert rows == [("00001", "1997-01-01 00:00:00", 1, 11.77), ("00002", "1997-01-12 00:00:00", 5, 77)]


@pytest.mark.parametrize(("n", "n_rows"), [(200, 1), (201, 0)])
def test_a_quoted_field_may_go_on_for_two_hundred_lines(shop, n, n_rows):
    field = "a" + "\n" * n + "b"
    rows = shop.landed(f'{HEADER}\n7,"{field}",1,2024-05-01,5\n', "order_id")
    assert rows == [(field,)] * n_rows


def packed(path: Path, content: bytes, size: int | None = None) -> Path:
    """`content` packed by gzip, padded to `size` bytes by the name in its header."""
    plain = gzip.compress(content, mtime=0)
    padding = 0 if size is None else size - len(plain) - 1
    name = b"n" * padding + b"\0" if size is not None else b""
    flags = bytes([plain[3] | (8 if size is not None else 0)])
    path.write_bytes(plain[:3] + flags + plain[4:10] + name + plain[10:])
    assert gzip.decompress(path.read_bytes()) == content
    return path


@pytest.mark.parametrize(("size", "is_refused"), [(1000, False), (999, True)])
def test_a_file_may_unpack_to_two_hundred_times_its_size(tmp_path, monkeypatch, size, is_refused):
    monkeypatch.setattr(text_lines, "RATIO_COUNTS_FROM", 0)
    path = packed(tmp_path / "sales.csv.gz", b"a" * 199 + b"\n" + b"b" * 199_799 + b"\n", size)
    if is_refused:
        with pytest.raises(FileRefused, match="more than 200 times its size"):
            list(text_lines.read_lines(path, "utf-8"))
    else:
        assert sum(batch.num_rows for batch in text_lines.read_lines(path, "utf-8")) == 2


@pytest.mark.parametrize(("more", "is_refused"), [(0, False), (1, True)])
def test_up_to_64_mebibytes_a_file_may_be_packed_as_tightly_as_it_likes(tmp_path, more, is_refused):
    path = packed(tmp_path / "sales.csv.gz", (b"a" * 2**20 + b"\n") * 63 + b"a" * (2**20 - 63 + more))
    if is_refused:
        with pytest.raises(FileRefused, match="more than 200 times its size"):
            list(text_lines.read_lines(path, "utf-8"))
    else:
        assert sum(batch.num_rows for batch in text_lines.read_lines(path, "utf-8")) == 64


def test_files_of_two_encodings_are_each_read_by_the_first_that_fits(shop):
    row = "Müller,o{},1,2024-05-01,5"
    for name, codec in [("a", "utf-8"), ("b", "cp1252"), ("c", "utf-8-sig"), ("d", "utf-16")]:
        shop.write((f"{HEADER}\n{row.format(name)}\n").encode(codec), f"{name}.csv")
    shop.describe({"encoding": ["utf-8", "utf-16", "cp1252"]})
    shop.land()
    found = shop.query("select order_id, customer_id from ingest.transactions order by 1")
    assert found == [("oa", "Müller"), ("ob", "Müller"), ("oc", "Müller"), ("od", "Müller")]


def test_a_list_of_encodings_does_not_hide_what_else_is_wrong(shop):
    shop.write(gzip.compress(b"cutoff")[:-4], "a.csv")
    shop.describe({"encoding": ["utf-8", "cp1252"]})
    with pytest.raises(FileRefused, match="damaged or was cut short"):
        shop.land()


@pytest.mark.parametrize(
    ("encoding", "words"), [([], "names none"), (["utf-8", "utf-88"], "unknown encoding 'utf-88'")]
)
def test_encodings_that_are_none(shop, encoding, words):
    shop.describe({"encoding": encoding})
    with pytest.raises(UserError, match=words):
        shop.source()


def test_one_encoding_in_a_list_lands_no_file_again(shop):
    shop.describe({"encoding": "cp1252"})
    before = shop.source().mapping.fingerprint("transactions")
    shop.describe({"encoding": ["cp1252"]})
    assert shop.source().mapping.fingerprint("transactions") == before
