"""`holdfast simulate`: write a simulated business whose truth is known, and let it live with its contact plan.

Imports the generator only when it runs."""

import argparse
import subprocess
import sys
from datetime import date
from pathlib import Path

from assets.shared.commands import command
from assets.shared.errors import UserError
from pipelines.argument_types import add_parser, as_date


def add_command(commands) -> None:
    """Declare the command."""
    parser = add_parser(
        commands,
        "simulate",
        help="write a simulated business with known truth: files to run on, nights to come, the truth",
        description="The same files for the same seed on any machine. Prints the command that runs on them.",
        examples=[
            "simulate --lines 100000 --customers 3000 --nights 3 --out simulated",
            "simulate --live 3 --out simulated",
        ],
    )
    parser.set_defaults(command=_simulate)
    parser.add_argument("--lines", type=int, metavar="N", help="transaction lines of the history")
    parser.add_argument("--customers", type=int, metavar="K", help="customers of the history")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="same seed, same files (default 1)")
    parser.add_argument("--nights", type=int, default=0, metavar="M", help="days to come, a folder each (default 0)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new folder, or a former simulation")
    parser.add_argument("--variant", choices=("shop", "bank"), default="shop", help="a bank has balances")
    parser.add_argument("--years", type=float, default=3.0, help="length of the history (default 3)")
    parser.add_argument(
        "--start", type=as_date, default=date(2021, 1, 1), metavar="DATE", help="first day (default 2021-01-01)"
    )
    parser.add_argument(
        "--truth-months", type=int, default=12, metavar="N", help="earlier dates with truth, a month apart (default 12)"
    )
    parser.add_argument(
        "--knowable-customers",
        type=int,
        default=20_000,
        metavar="N",
        help="customers for whom the best possible prediction is computed, chosen at random (default 20000)",
    )
    parser.add_argument(
        "--live",
        type=int,
        nargs="?",
        const=1,
        metavar="DAYS",
        help="let days pass in the business of --out (default 1): run the night in --live-home, let customers react to "
        "what it exported, write the next day's files",
    )
    parser.add_argument(
        "--live-home", type=Path, metavar="DIR", help="home of the nights of --live (default: the folder home in --out)"
    )


def _simulate(arguments: argparse.Namespace) -> int:
    if arguments.live is not None:
        return _live(arguments)
    if arguments.lines is None or arguments.customers is None:
        raise UserError("the size of the business is missing", "give --lines and --customers")
    if arguments.live_home is not None:
        raise UserError("--live-home without --live", "give --live DAYS as well")
    from assets.shared.settings import load_settings
    from simulation.business import Request, announce_simulation, simulate

    request = Request(
        lines=arguments.lines,
        customers=arguments.customers,
        seed=arguments.seed,
        nights=arguments.nights,
        out=arguments.out,
        variant=arguments.variant,
        years=arguments.years,
        start=arguments.start,
        cutoffs=arguments.truth_months,
        knowable_customers=arguments.knowable_customers,
    )
    simulate(request, load_settings(), say=announce_simulation)
    print(f"simulated {request.variant} in {request.out}: {request.lines:,} lines, as-of date {request.last_date}")
    source = (request.out / "source.yml").resolve()
    run_it = command("run", "--source", source, "--as-of", request.last_date, home=source.with_name("home"))
    print(f"run it: {run_it}")
    return 0


def _live(arguments: argparse.Namespace) -> int:
    """Alternate nights, each a `holdfast run` of its own, and days."""
    from simulation.live import live_day, next_morning, require_day

    if arguments.lines is not None or arguments.customers is not None:
        raise UserError("--live goes on with a business that is there", "leave --lines and --customers out")
    if arguments.live < 1:
        raise UserError(f"{arguments.live} days cannot pass", "give --live a number from 1 on")
    out = arguments.out.resolve()
    home = (arguments.live_home or out / "home").resolve()
    for _ in range(arguments.live):
        require_day(out)
        morning = next_morning(out)
        night = ["run", "--home", str(home), "--source", str(out / "source.yml"), "--as-of", morning.isoformat()]
        code = subprocess.run([sys.executable, "-m", "pipelines.cli", *night], check=False).returncode
        if code:
            again = command("run", *night[3:], home=home)
            print(f"the night of {morning} failed; run it again: {again}", file=sys.stderr)
            return code
        day = live_day(out, home / "exports")
        print(f"{day.on}: {day.n_contacts} contacts due, {day.n_lines:,} lines and {day.n_reports} reports delivered")
    return 0
