"""Pictures of whether scores can still be trusted: drift of tonight, and published scores against what happened."""

import duckdb

from assets.model.drift import DRIFTED, SHIFTED
from assets.shared.plots import BLUE, GREEN, GREY, ORANGE, RED, canvas

#: Variables in the picture of drift: the score, and the inputs that moved most.
MOST_VARIABLES = 15
_COLOURS = {"stable": GREEN, "shifted": ORANGE, "drifted": RED, "unknown": GREY}


def draw_drift(con: duckdb.DuckDBPyConnection) -> bytes | None:
    """PNG: stability index of the score and of the inputs that moved most, those that age with the calendar left out;
    None without a row."""
    rows = con.execute(
        "select name, psi, verdict from score.model_drift where psi is not null "
        "and verdict <> 'ages' order by kind = 'score' desc, psi desc, name limit ?",
        [MOST_VARIABLES],
    ).fetchall()
    if not rows:
        return None
    names, values, verdicts = zip(*rows, strict=True)
    with canvas(8, 4.2) as made:
        axes = made.figure.subplots()
        axes.barh(names, values, color=[_COLOURS[verdict] for verdict in verdicts])
        axes.invert_yaxis()
        for bound, words in ((SHIFTED, "shifted"), (DRIFTED, "drifted")):
            axes.axvline(bound, color=GREY, linewidth=1, linestyle="--")
            axes.annotate(words, (bound, 1), xycoords=("data", "axes fraction"), fontsize=7, color=GREY, va="bottom")
        axes.set_xlim(0, max(1.2 * DRIFTED, 1.05 * max(values)))
        axes.set(xlabel="population stability index against the newest training cutoff")
        axes.set_title("Drift of the score and of the inputs that moved most", fontsize=10, pad=14)
    return made.png


def draw_realised(con: duckdb.DuckDBPyConnection) -> bytes | None:
    """PNG: by published date, how well scores ranked active customers, compared with the rule, and what was
    promised against what happened; None while no horizon has closed."""
    rows = con.execute(
        "select scored_on, candidate_model, is_scoring, metric, value, low, high from score.realised_quality "
        "where slice_kind = 'all' and population = 'active' and metric in ('auc', 'mean_predicted', 'observed_share') "
        "and value is not null order by scored_on"
    ).fetchall()
    if not rows:
        return None
    with canvas(9, 3.4) as made:
        left, right = made.figure.subplots(1, 2)
        for is_scoring, colour, words in ((True, BLUE, "published"), (False, ORANGE, "rule")):
            series = [r for r in rows if r[2] == is_scoring and r[3] == "auc"]
            if series:
                days, values = [r[0] for r in series], [r[4] for r in series]
                left.plot(days, values, "o-", color=colour, label=words)
                left.fill_between(days, [r[5] for r in series], [r[6] for r in series], color=colour, alpha=0.15)
        left.set(ylabel="ROC AUC, active customers")
        left.set_title("How well published scores ranked", fontsize=10)
        left.legend(frameon=False)
        for metric, colour, words in (("mean_predicted", BLUE, "promised"), ("observed_share", RED, "happened")):
            series = [r for r in rows if r[2] and r[3] == metric]
            right.plot([r[0] for r in series], [r[4] for r in series], "o-", color=colour, label=words)
        right.set_ylim(bottom=0)
        right.set(ylabel="share that left, active customers")
        right.set_title("What was promised, and what happened", fontsize=10)
        right.legend(frameon=False)
        for axes in (left, right):
            axes.tick_params(axis="x", rotation=30, labelsize=7)
            axes.set_xlabel("as-of date of the published scores")
    return made.png
