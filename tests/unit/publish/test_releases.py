"""Blocked nights, releases by a person, kept sets, rollback and the hold that follows it."""

from dataclasses import replace
from datetime import date

import duckdb
import pytest
from toy_marts import MARTS, complete_sets, make_and_publish, make_marts, publish_toy, read, settings_of

from assets.publish.blocked_sets import blocked_sets
from assets.publish.current_link import CurrentLink
from assets.publish.marts import Mart
from assets.publish.publication import NotReleased, publish_night
from assets.publish.published_set import Signature
from assets.publish.release_ledger import Event, ReleaseLedger, SetId, hold_publishing, withdrawn_sets
from assets.publish.releases import release_night
from assets.publish.rollback import kept_sets, resume_publishing, roll_back
from assets.shared.errors import UserError

MAY, JUNE, JULY, AUGUST = (date(2017, month, 1) for month in range(5, 9))


def block(home, as_of: date, run_id: str, **options) -> NotReleased:
    make_marts(settings_of(home), as_of, run_id, passed=False)
    with pytest.raises(NotReleased) as blocked:
        publish_toy(home, as_of, run_id, **options)
    return blocked.value


def release_toy(home, as_of: date, run_id: str, reason: str = "checked by hand", by: str = "ann"):
    marts = replace(MARTS, forbidden_columns={"full_name"})
    return release_night(settings_of(home), SetId(as_of, run_id), marts, Signature("released", by, reason))


def kinds(home) -> list[str]:
    return [event.kind for event in ReleaseLedger(settings_of(home)).events()]


# -- blocked nights ---------------------------------------------------------------------------------------------------


def test_a_blocked_night_keeps_the_old_set_and_its_own_tables_with_the_page(tmp_path):
    make_and_publish(tmp_path, JUNE, "a")
    blocked = block(tmp_path, JULY, "b")
    assert complete_sets(tmp_path) == {(JUNE, "a", 50)}
    assert "too few" in blocked.what and "holdfast release --as-of 2017-07-01 --run b" in blocked.remedy
    (kept,) = blocked_sets(settings_of(tmp_path))
    assert (kept.night, kept.folder) == (SetId(JULY, "b"), blocked.folder)
    assert "customer_id=000001" in kept.page.read_text() and str(kept.page) in blocked.remedy
    with duckdb.connect(str(kept.database), read_only=True) as con:
        assert con.execute("select count(*), min(run_id) from marts.customers").fetchone() == (50, "b")
        assert con.execute("select verdict from marts.run_manifest").fetchone() == ("failed",)
    assert kinds(tmp_path) == ["published", "blocked"]


def test_only_the_newest_candidates_are_kept(tmp_path):
    for month, run_id in ((MAY, "a"), (JUNE, "b"), (JULY, "c")):
        block(tmp_path, month, run_id, keep_sets=2)
    assert [c.night.run_id for c in blocked_sets(settings_of(tmp_path))] == ["b", "c"]


def test_a_blocked_night_whose_marts_are_not_finished_leaves_no_candidate(tmp_path):
    make_marts(settings_of(tmp_path), JULY, "b", passed=False)
    with duckdb.connect(str(settings_of(tmp_path).warehouse)) as con:
        con.execute("drop view marts.daily")
    with pytest.raises(UserError, match="marts are missing.*validation also said: marts.customers"):
        publish_toy(tmp_path, JULY, "b")
    assert blocked_sets(settings_of(tmp_path)) == []
    with pytest.raises(UserError, match="there is no blocked set"):
        release_toy(tmp_path, JULY, "b")


def test_a_candidate_holds_no_personal_columns(tmp_path):
    make_marts(settings_of(tmp_path), JULY, "b", passed=False, extra=", 'someone' as full_name")
    with pytest.raises(UserError, match="personal data would be published"):
        publish_toy(tmp_path, JULY, "b", forbidden_columns={"full_name"})
    assert blocked_sets(settings_of(tmp_path)) == []


# -- release ----------------------------------------------------------------------------------------------------------


def test_a_person_releases_a_blocked_night_and_is_named_in_it(tmp_path):
    make_and_publish(tmp_path, JUNE, "a")
    block(tmp_path, JULY, "b")
    report = release_toy(tmp_path, JULY, "b", reason="  the shop was\nclosed ")
    assert report.is_current and complete_sets(tmp_path) == {(JULY, "b", 50)}
    signed = "select verdict, released_by, release_reason, released_at is not null from {}.run_manifest"
    assert read(tmp_path, signed.format("marts")) == [("released", "ann", "the shop was closed", True)]
    assert read(tmp_path, signed.format("history") + " order by as_of_date") == [
        ("passed", None, None, False),
        ("released", "ann", "the shop was closed", True),
    ]
    last = ReleaseLedger(settings_of(tmp_path)).events()[-1]
    assert (last.kind, last.by, last.reason, last.shown) == ("released", "ann", "the shop was closed", SetId(JULY, "b"))
    assert blocked_sets(settings_of(tmp_path)) == []
    assert not list((tmp_path / "published" / "sets").glob(".*"))


def test_a_release_is_written_into_the_list_of_checks(tmp_path):
    settings = settings_of(tmp_path)
    marts = replace(MARTS, tables={**MARTS.tables, "data_quality": Mart(["rule"])})
    make_marts(settings, JULY, "b", passed=False)
    with duckdb.connect(str(settings.warehouse)) as con:
        con.execute(
            "create table marts.data_quality as select as_of_date, run_id, 'expectation' as kind, 'marts.x' as"
            " table_name, 'r' as rule, 'blocking' as severity, false as passed, 1::bigint as n_checked, 1::bigint as"
            " n_failed, 'x' as observed, 'y' as reason, now()::timestamp as checked_at from marts.run_manifest"
        )
    with pytest.raises(NotReleased):
        publish_night(settings, SetId(JULY, "b"), marts)
    release_night(settings, SetId(JULY, "b"), marts, Signature("released", "ann", "known"))
    assert read(tmp_path, "select kind, rule, observed, reason from marts.data_quality order by kind") == [
        ("expectation", "r", "x", "y"),
        ("release", "released_by_a_person", "released by ann", "known"),
    ]


@pytest.mark.parametrize(
    ("night", "run_id", "reason", "words"),
    [
        (JULY, "b", "  ", "needs a reason"),
        (JULY, "other", "why not", "no blocked set as of 2017-07-01 of run other"),
        (AUGUST, "b", "why not", "no blocked set as of 2017-08-01 of run b"),
        (JUNE, "a", "why not", "it was published"),
    ],
)
def test_a_release_without_reason_or_of_another_night_is_refused(tmp_path, night, run_id, reason, words):
    make_and_publish(tmp_path, JUNE, "a")
    block(tmp_path, JULY, "b")
    with pytest.raises(UserError, match=words):
        release_toy(tmp_path, night, run_id, reason)
    assert complete_sets(tmp_path) == {(JUNE, "a", 50)} and len(blocked_sets(settings_of(tmp_path))) == 1


def test_a_released_older_night_goes_to_history_only(tmp_path):
    make_and_publish(tmp_path, JULY, "b")
    block(tmp_path, JUNE, "a")
    assert not release_toy(tmp_path, JUNE, "a").is_current
    assert complete_sets(tmp_path) == {(JULY, "b", 50)}
    assert read(tmp_path, "select run_id, verdict from history.run_manifest order by 1") == [
        ("a", "released"),
        ("b", "passed"),
    ]


# -- kept sets and rollback -------------------------------------------------------------------------------------------


def test_the_last_sets_are_kept_and_listed(tmp_path):
    for month, run_id in ((MAY, "a"), (JUNE, "b"), (JULY, "c"), (AUGUST, "d")):
        make_and_publish(tmp_path, month, run_id, keep_sets=2)
    sets = kept_sets(settings_of(tmp_path))
    assert [(s.night.run_id, s.is_shown) for s in sets] == [("d", True), ("c", False), ("b", False)]
    assert len(list((tmp_path / "published" / "sets").iterdir())) == 3


def test_a_backfill_of_older_dates_does_not_push_out_the_nights_that_can_be_rolled_back_to(tmp_path):
    make_and_publish(tmp_path, JUNE, "a", keep_sets=1)
    make_and_publish(tmp_path, JULY, "b", keep_sets=1)
    for day in range(1, 6):
        make_and_publish(tmp_path, date(2017, 5, day), f"old{day}", keep_sets=1)
    assert {s.night.run_id for s in kept_sets(settings_of(tmp_path))} == {"a", "b"}


def test_rollback_shows_the_set_before_with_its_history_and_holds_publishing(tmp_path):
    make_and_publish(tmp_path, JUNE, "a", keep_sets=3)
    make_and_publish(tmp_path, JULY, "b", keep_sets=3)
    left, now = roll_back(settings_of(tmp_path), "ann", reason="wrong prices")
    assert (left.night, now.night) == (SetId(JULY, "b"), SetId(JUNE, "a"))
    assert complete_sets(tmp_path) == {(JUNE, "a", 50)}
    assert read(tmp_path, "select distinct run_id from history.customers") == [("a",)]
    make_marts(settings_of(tmp_path), AUGUST, "c")
    with pytest.raises(NotReleased, match="on hold: ann rolled back to the set as of 2017-06-01") as held:
        publish_toy(tmp_path, AUGUST, "c", keep_sets=3)
    assert "wrong prices" in held.value.page and "rollback --resume" in held.value.remedy
    assert complete_sets(tmp_path) == {(JUNE, "a", 50)}


def test_a_release_ends_the_hold(tmp_path):
    make_and_publish(tmp_path, JUNE, "a", keep_sets=3)
    make_and_publish(tmp_path, JULY, "b", keep_sets=3)
    roll_back(settings_of(tmp_path), "ann")
    make_marts(settings_of(tmp_path), JULY, "mended")
    with pytest.raises(NotReleased):
        publish_toy(tmp_path, JULY, "mended", keep_sets=3)
    release_toy(tmp_path, JULY, "mended")
    assert complete_sets(tmp_path) == {(JULY, "mended", 50)}
    make_and_publish(tmp_path, AUGUST, "c", keep_sets=3)
    assert complete_sets(tmp_path) == {(AUGUST, "c", 50)}
    assert read(tmp_path, "select distinct run_id from history.customers order by 1") == [("a",), ("c",), ("mended",)]


def test_resuming_ends_the_hold_once(tmp_path):
    make_and_publish(tmp_path, JUNE, "a", keep_sets=3)
    make_and_publish(tmp_path, JULY, "b", keep_sets=3)
    roll_back(settings_of(tmp_path), "ann")
    assert resume_publishing(settings_of(tmp_path), "ann") and not resume_publishing(settings_of(tmp_path), "ann")
    make_and_publish(tmp_path, AUGUST, "c", keep_sets=3)
    assert complete_sets(tmp_path) == {(AUGUST, "c", 50)}


def test_a_second_rollback_passes_over_what_the_first_one_left(tmp_path):
    for month, run_id in ((JUNE, "a"), (JULY, "bad")):
        make_and_publish(tmp_path, month, run_id, keep_sets=5)
    roll_back(settings_of(tmp_path), "ann")
    resume_publishing(settings_of(tmp_path), "ann")
    make_and_publish(tmp_path, AUGUST, "c", keep_sets=5)
    _, now = roll_back(settings_of(tmp_path), "ann")
    assert now.night == SetId(JUNE, "a")
    _, named = roll_back(settings_of(tmp_path), "ann", to_run="bad")
    assert named.night == SetId(JULY, "bad") and not named.is_withdrawn


def test_rollback_to_what_is_not_kept_is_refused(tmp_path):
    with pytest.raises(UserError, match="nothing has been published"):
        roll_back(settings_of(tmp_path), "ann")
    make_and_publish(tmp_path, JUNE, "a")
    with pytest.raises(UserError, match="no set before"):
        roll_back(settings_of(tmp_path), "ann")
    with pytest.raises(UserError, match="no set of run 'z' is kept"):
        roll_back(settings_of(tmp_path), "ann", to_run="z")
    assert kinds(tmp_path) == ["published"]


def test_history_of_every_kept_set_stays_readable(tmp_path):
    make_and_publish(tmp_path, JUNE, "a", keep_sets=3)
    make_and_publish(tmp_path, JUNE, "b", keep_sets=3)
    make_and_publish(tmp_path, JULY, "c", keep_sets=3)
    make_and_publish(tmp_path, AUGUST, "d", keep_sets=3)
    roll_back(settings_of(tmp_path), "ann", to_run="a")
    assert read(tmp_path, "select distinct run_id from history.daily") == [("a",)]


def test_a_rollback_that_died_before_it_was_recorded_is_found_by_the_next_command(tmp_path):
    make_and_publish(tmp_path, JUNE, "a", keep_sets=3)
    first = CurrentLink(settings_of(tmp_path)).target()
    make_and_publish(tmp_path, JULY, "b", keep_sets=3)
    CurrentLink(settings_of(tmp_path)).point_at(first)
    make_marts(settings_of(tmp_path), AUGUST, "c")
    with pytest.raises(NotReleased, match="on hold"):
        publish_toy(tmp_path, AUGUST, "c", keep_sets=3)
    assert complete_sets(tmp_path) == {(JUNE, "a", 50)}


def test_withdrawn_and_hold_follow_from_the_events():
    def event(kind, file):
        return Event(kind, SetId(JUNE, file), file)

    events = [event("published", f) for f in "abc"] + [event("rolled_back", "a")]
    assert withdrawn_sets(events) == {"b", "c"} and hold_publishing(events).file == "a"
    assert withdrawn_sets([*events, event("rolled_back", "b")]) == {"c"}
    assert hold_publishing([*events, event("blocked", "")]) is not None
    assert hold_publishing([*events, event("published", "d")]) is not None
    assert hold_publishing([*events, event("resumed", "")]) is None
