"""One file of each kind without the person: nothing in it any more, everything else as it was."""

import os
import sqlite3
import stat
from contextlib import closing

import duckdb
import pytest
from searched import hits

from pipelines.erasure.identifiers import Identifiers
from pipelines.erasure.rewriting import (
    holds_words,
    rewrite_database,
    rewrite_export,
    rewrite_parquet,
    rewrite_sqlite,
    rewrite_text,
)

CANARY, MAIL = "zz90210", "canary@nest.example"
WHO = Identifiers({CANARY: "erased:0"}, [MAIL], "k")
ROWS = (
    f"select * from (values ('a', 1, 'plain', null), ('{CANARY}', 2, 'said {CANARY}', '{MAIL}'),"
    f" ('b', 3, 'about {MAIL}', null)) as r(customer_id, amount, words, email)"
)


@pytest.fixture
def noted():
    return []


@pytest.fixture
def note(noted):
    return lambda path, facts: noted.append((path.name, facts))


def test_a_parquet_file_keeps_order_mode_and_time(tmp_path, noted, note):
    path = tmp_path / "t.parquet"
    duckdb.execute(f"copy ({ROWS}) to '{path}' (format parquet)")
    path.chmod(0o440)
    os.utime(path, ns=(5_000_000_000, 7_000_000_000))
    os.utime(tmp_path, ns=(5_000_000_000, 9_000_000_000))
    with duckdb.connect() as con:
        assert rewrite_parquet(con, path, WHO, note)
        assert not rewrite_parquet(con, path, WHO, note), "a second call changes nothing"
    assert not hits(tmp_path, [CANARY, MAIL])
    assert duckdb.sql(f"select * from '{path}'").fetchall() == [
        ("a", 1, "plain", None),
        ("erased:0", 2, "said erased", None),
        ("b", 3, "about erased", None),
    ]
    assert noted == [("t.parquet", {"rows_before": 3, "rows_after": 3, "rows_of_persons": 1})]
    assert stat.S_IMODE(path.stat().st_mode) == 0o440 and path.stat().st_mtime_ns == 7_000_000_000
    assert tmp_path.stat().st_mtime_ns == 9_000_000_000, "blocked sets are ordered by the time of their folder"


def test_contacts_that_are_to_be_made_leave_an_export_as_parquet(tmp_path, noted, note):
    path = tmp_path / "email.parquet"
    duckdb.execute(f"copy ({ROWS}) to '{path}' (format parquet)")
    with duckdb.connect() as con:
        assert rewrite_parquet(con, path, WHO, note, is_export=True)
    assert duckdb.sql(f"select customer_id, words from '{path}'").fetchall() == [("a", "plain"), ("b", "about erased")]
    assert noted == [("email.parquet", {"rows_before": 3, "rows_after": 2, "rows_of_persons": 1})]


def test_raw_lines_of_the_person_leave_the_quarantine(tmp_path, noted, note):
    path = tmp_path / "q.parquet"
    lines = [f"1;{CANARY};x", "2;1044;y", "3;b;1044.00", '{"id": "1044"}', f"4;b;{MAIL}", "5; 1044 ;z"]
    values = ", ".join(f"({n}, '{line}', 'no number')" for n, line in enumerate(lines))
    duckdb.execute(f"copy (select * from (values {values}) as r(line_number, raw_text, reason)) to '{path}'")
    who = Identifiers({CANARY: "erased:0", "1044": "erased:1"}, [MAIL])
    with duckdb.connect() as con:
        assert rewrite_parquet(con, path, who, note, is_quarantine=True)
    assert duckdb.sql(f"select raw_text from '{path}'").fetchall() == [("3;b;1044.00",)], "an amount is no id"
    assert noted[0][1] == {"rows_before": 6, "rows_after": 1, "rows_of_persons": 5}


def test_a_database_is_written_anew_because_deleted_rows_stay_in_its_blocks(tmp_path, note):
    path = tmp_path / "w.duckdb"
    with duckdb.connect(str(path)) as con:
        con.execute("create schema s")
        con.execute(f"create table s.t as {ROWS}")
        con.execute("create table s.big as select 'zz90210 ' || i as words from range(200000) as r(i)")
        con.execute("comment on table s.t is 'what it is'")
        con.execute("create view s.v as select count(*) as n from s.t")
        con.execute("checkpoint")
        con.execute("delete from s.big")
        con.execute("checkpoint")
    assert CANARY.encode() in path.read_bytes()
    with duckdb.connect() as con:
        assert rewrite_database(con, path, WHO, note, always=True)
    assert not hits(tmp_path, [CANARY, MAIL])
    with duckdb.connect(str(path), read_only=True) as con:
        assert con.execute("select n from s.v").fetchall() == [(3,)]
        assert con.execute("select customer_id, email from s.t where amount = 2").fetchall() == [("erased:0", None)]
        assert con.execute("select comment from duckdb_tables() where table_name = 't'").fetchall() == [("what it is",)]


def test_a_database_without_the_person_stays_the_same_file(tmp_path, note):
    path = tmp_path / "w.duckdb"
    with duckdb.connect(str(path)) as con:
        con.execute("create table t as select 'a' as customer_id")
    before = path.stat().st_ino
    with duckdb.connect() as con:
        assert not rewrite_database(con, path, WHO, note)
    assert path.stat().st_ino == before


def test_a_database_keeps_the_format_that_older_drivers_read(tmp_path, note):
    path = tmp_path / "w.duckdb"
    with duckdb.connect() as con:
        con.execute(f"attach '{path}' as made (storage_version 'v1.2.0')")
        con.execute(f"create table made.t as {ROWS}")
        con.execute("detach made")
        assert rewrite_database(con, path, WHO, note)
        con.execute(f"attach '{path}' as again (read_only)")
        tags = con.execute("select tags['storage_version'] from duckdb_databases() where database_name = 'again'")
        assert tags.fetchone()[0].startswith("v1.2.0")


def test_sqlite_is_cleaned_with_its_free_pages_and_its_log(tmp_path, note):
    path = tmp_path / "runs.db"
    with closing(sqlite3.connect(path)) as con:
        con.execute("pragma journal_mode = wal")
        con.execute("create table events (id integer primary key, body text, blob blob)")
        con.executemany(
            "insert into events (body, blob) values (?, ?)",
            [
                ('{"words": "of zz90210"}', b"zz90210"),
                ("nobody", None),
            ],
        )
        con.execute("create table gone (body text)")
        con.execute("insert into gone select 'zz90210' from events")
        con.commit()
        con.execute("delete from gone")
        con.commit()
    assert rewrite_sqlite(path, WHO, note)
    assert not hits(tmp_path, [CANARY, MAIL])
    with closing(sqlite3.connect(path)) as con:
        assert con.execute("select body, blob from events order by id").fetchall() == [
            ('{"words": "of erased"}', b"erased"),
            ("nobody", None),
        ]
    assert not rewrite_sqlite(path, WHO, note)


def test_a_contact_that_is_to_be_made_is_taken_out_of_its_file(tmp_path, noted, note):
    path = tmp_path / "email.csv"
    path.write_text(f"contact_id,customer_id,email\n1,a,x@y.example\n2,{CANARY},{MAIL}\n")
    assert rewrite_export(path, WHO, note)
    assert path.read_text() == "contact_id,customer_id,email\n1,a,x@y.example\n"
    assert noted[0][1] == {"rows_before": 2, "rows_after": 1, "rows_of_persons": 1}
    assert not rewrite_export(path, WHO, note)


def test_a_log_is_cleaned_and_a_file_of_no_known_kind_is_named(tmp_path, note):
    log, packed = tmp_path / "a.log", tmp_path / "m.bin"
    log.write_text(f"one\nrow of {CANARY}\n")
    assert rewrite_text(log, WHO, note) and log.read_text() == "one\nrow of erased\n"
    packed.write_bytes(b"\0" + MAIL.encode())
    assert holds_words(packed, WHO) and not holds_words(log, WHO)
