"""Many nights, each of which looks only at what changed, find the persons that one rebuild finds."""

import random
from collections.abc import Sequence
from datetime import date, timedelta

import duckdb
import pytest

from assets.identity.components import write_components
from assets.identity.links import CANNOT, MUST, Groups, Link, refuse_contradictions
from assets.shared.errors import UserError
from tests.unit.identity.identity_world import World

FIRST, N_NIGHTS = date(2024, 1, 1), 30


def parts(world: World) -> set[frozenset[str]]:
    """The persons with several accounts, as sets of accounts."""
    persons: dict[str, set[str]] = {}
    for account, person in world.persons().items():
        persons.setdefault(person, {person}).add(account)
    return {frozenset(accounts) for accounts in persons.values()}


def account(draw: random.Random) -> dict:
    """Few values, so that bridges, large groups and guarded values all come about."""
    return {
        "email": draw.choice([None, f"e{draw.randrange(25)}@x.de"]),
        "phone": draw.choice([None, None, f"03055512{draw.randrange(30):02}"]),
        "loyalty_number": draw.choice([None, None, f"card{draw.randrange(40)}"]),
        "birth_date": draw.choice([None, None, None, date(1980, 1, 1 + draw.randrange(2))]),
        "lines": draw.randrange(5),
    }


def without_contradictions(links: Sequence[Link]) -> list[Link]:
    kept: list[Link] = []
    for link in links:
        try:
            refuse_contradictions([*kept, link], "test")
        except UserError:
            continue
        kept.append(link)
    return kept


def said(draw: random.Random) -> Link:
    one, other = sorted(draw.sample(range(60), 2))
    return Link(draw.choice([MUST, CANNOT]), f"a{one:02}", f"a{other:02}")


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(2))
def test_thirty_nights_find_the_persons_of_one_rebuild(tmp_path, seed):
    draw = random.Random(seed)
    nightly, deliveries, links = World(tmp_path / "nightly"), [], []
    for n in range(N_NIGHTS):
        batch = {f"a{draw.randrange(60):02}": account(draw) for _ in range(draw.randrange(6))}
        deliveries.append(batch)
        nightly.deliver(**batch)
        if draw.random() < 0.3:
            links = without_contradictions([*links, said(draw)])
        if links and draw.random() < 0.1:
            links = links[1:]
        nightly.night(FIRST + timedelta(n), links, max_accounts=6)
    rebuilt = World(tmp_path / "rebuilt")
    for batch in deliveries:
        rebuilt.deliver(**batch)
    rebuilt.night(FIRST, links, max_accounts=6)
    assert parts(nightly) == parts(rebuilt)
    assert len(parts(nightly)) >= 3, "else this shows nothing"
    pairs = "customer_id, other_customer_id, rule, state"
    assert nightly.rows("identity_edges", pairs) == rebuilt.rows("identity_edges", pairs)
    # One id a person, which is an account of that person.
    persons = nightly.persons()
    assert not set(persons) & set(persons.values())
    # Nothing is looked at in a night that brings nothing.
    assert nightly.night(FIRST + timedelta(N_NIGHTS), links, max_accounts=6)["looked_at"] == 0
    assert nightly.persons() == persons


def test_with_other_limits_all_pairs_are_judged_anew(tmp_path):
    world = World(tmp_path)
    world.deliver(**{f"a{n}": {"email": "x@x.de"} for n in range(4)})
    world.night(FIRST, max_accounts=8)
    assert len(world.persons()) == 3
    world.night(FIRST + timedelta(1), max_accounts=3)
    assert world.persons() == {}


@pytest.mark.parametrize("seed", range(3))
def test_components_are_those_that_one_finds_pair_by_pair(seed):
    draw = random.Random(seed)
    pairs = {tuple(sorted(draw.sample(range(200), 2))) for _ in range(draw.randrange(20, 260))}
    pairs |= {(n, n + 1) for n in range(300, 400)}  # a chain
    groups = Groups()
    for one, other in pairs:
        groups.join(f"{one:03}", f"{other:03}")
    with duckdb.connect() as con:
        con.execute("create table pairs (customer_id varchar, other_customer_id varchar)")
        con.executemany("insert into pairs values (?, ?)", [(f"{a:03}", f"{b:03}") for a, b in pairs])
        write_components(con, "pairs", "found")
        found = dict(con.execute("select customer_id, component from found").fetchall())
    assert found == {record: groups.of(record) for record in found}
    assert len(found) == len({record for pair in pairs for record in pair})
