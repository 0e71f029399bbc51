"""A BI reader: opens the published file, reads all tables, closes, again and again until the stop file appears.

Prints the number of rounds and whatever was wrong.
"""

import sys
from pathlib import Path

import duckdb

if __name__ == "__main__":
    database, stop = Path(sys.argv[1]), Path(sys.argv[2])
    rounds, wrong, seen = 0, [], set()
    while not stop.exists():
        rounds += 1
        try:
            with duckdb.connect(str(database), read_only=True) as con:
                stamps = set()
                for table in ("customers", "daily", "run_manifest"):
                    found = con.execute(f"select distinct as_of_date, run_id from marts.{table}").fetchall()
                    stamps |= set(found)
                    dates = con.execute(f"select count(*), count(distinct as_of_date) from history.{table}").fetchone()
                    if not dates[0]:
                        wrong.append(f"history.{table} is empty")
                if len(stamps) != 1:
                    wrong.append(f"mixed set {sorted(map(str, stamps))}")
                seen |= stamps
        except duckdb.Error as error:
            wrong.append(str(error))
    print(rounds, len(seen))
    print("\n".join(wrong[:5]))
