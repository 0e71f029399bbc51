"""BG/NBD and MBG/NBD: likelihood by brute force, parameters of a simulated world, closed forms by simulation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, gamma

from assets.model import purchase_fit
from assets.model.population_priors import prior_of
from assets.model.purchase_process import PurchaseProcess

WORLD = {"r": 0.6, "alpha": 5.0, "a": 0.9, "b": 2.5}


def simulate(kind: str, n: int, weeks: float, seed: int = 0, r=0.6, alpha=5.0, a=0.9, b=2.5, ahead: float = 0.0):
    """x, t_x, T in days of n customers seen for up to `weeks`, and their purchases in the `ahead` weeks that follow."""
    rng = np.random.default_rng(seed)
    x, t_x, age, later = np.zeros(n), np.zeros(n), rng.uniform(weeks / 2, weeks, n), np.zeros(n)
    for i, (rate, leaving) in enumerate(zip(rng.gamma(r, 1 / alpha, n), rng.beta(a, b, n), strict=True)):
        now = 0.0
        alive = kind == "bg_nbd" or rng.random() >= leaving
        while alive:
            now += rng.exponential(1 / rate) if rate > 0 else np.inf
            if now >= age[i] + ahead:
                break
            if now < age[i]:
                x[i], t_x[i] = x[i] + 1, now
            else:
                later[i] += 1
            alive = rng.random() >= leaving
    return x, 7 * t_x, 7 * age, later


@pytest.mark.parametrize("kind", ["bg_nbd", "mbg_nbd"])
def test_parameters_of_a_simulated_world_are_found(kind):
    x, t_x, age, _ = simulate(kind, 4_000, 60, seed=3)
    found = purchase_fit.fit_purchase_process(kind, x, t_x, age)
    assert found.r == pytest.approx(WORLD["r"], rel=0.2)
    assert found.alpha == pytest.approx(WORLD["alpha"], rel=0.25)
    assert found.a / (found.a + found.b) == pytest.approx(0.9 / 3.4, rel=0.2)
    truth = PurchaseProcess(kind, **WORLD)
    assert purchase_fit.log_likelihood(found, x, t_x, age) >= purchase_fit.log_likelihood(truth, x, t_x, age)


@pytest.mark.parametrize("kind", ["bg_nbd", "mbg_nbd"])
@pytest.mark.parametrize("x, t_x, age", [(0, 0.0, 20.0), (3, 11.0, 20.0), (7, 19.0, 20.0)])
def test_likelihood_is_the_integral_over_rates_and_chances_of_leaving(kind, x, t_x, age):
    middles = (np.arange(1000) + 0.5) / 1000
    rate, p = gamma.ppf(middles, 1.4, scale=1 / 5)[:, None], beta.ppf(middles, 1.3, 2.5)
    stays = (1 - p) ** (x + (kind == "mbg_nbd"))
    left = p * (1 - p) ** (x - (kind == "bg_nbd")) if x or kind == "mbg_nbd" else 0.0
    expected = np.log((rate**x * (stays * np.exp(-rate * age) + left * np.exp(-rate * t_x))).mean())
    process = PurchaseProcess(kind, 1.4, 5.0, 1.3, 2.5, unit_days=1.0)
    found = purchase_fit.log_likelihood(process, np.array([x]), np.array([t_x]), np.array([age]))
    assert found == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("kind", ["bg_nbd", "mbg_nbd"])
def test_closed_forms_agree_with_what_happens(kind):
    x, t_x, age, later = simulate(kind, 6_000, 40, seed=5, ahead=13.0)
    process = PurchaseProcess(kind, **WORLD)
    silent = process.no_purchase(x, t_x, age, 91.0)
    assert silent.mean() == pytest.approx((later == 0).mean(), abs=0.02)
    for low, high in ((0, 0), (1, 2), (3, 99)):
        chosen = (x >= low) & (x <= high)
        assert silent[chosen].mean() == pytest.approx((later[chosen] == 0).mean(), abs=0.03)
    assert process.expected_orders(x, t_x, age, 91.0).mean() == pytest.approx(later.mean(), rel=0.07)


def test_the_slope_of_the_likelihood_is_the_one_that_is_used():
    x, t_x, age, _ = simulate("bg_nbd", 300, 40)
    histories, weights = purchase_fit.distinct_histories(x, t_x, age)
    for kind in ("bg_nbd", "mbg_nbd"):
        theta = np.log([0.7, 3.0, 0.8, 2.0])
        args = (histories[:, 0], histories[:, 1:] / 7, weights, kind)
        _, slope = purchase_fit._loss(theta, *args)
        for j in range(4):
            step = np.eye(4)[j] * 1e-6
            numeric = (purchase_fit._loss(theta + step, *args)[0] - purchase_fit._loss(theta - step, *args)[0]) / 2e-6
            assert slope[j] == pytest.approx(numeric, rel=1e-4, abs=1e-3)


def test_customers_with_one_history_are_one_row():
    x, t_x, age = np.array([1, 0, 1, np.nan]), np.array([7.0, 0, 7, 3]), np.array([70.0, 30, 70, 9])
    histories, weights = purchase_fit.distinct_histories(x, t_x, age)
    assert sorted(map(tuple, histories)) == [(0, 0, 30), (1, 7, 70)]
    assert weights.sum() == 3
    repeated = purchase_fit.fit_purchase_process("bg_nbd", np.tile(x, 40), np.tile(t_x, 40), np.tile(age, 40))
    assert repeated == purchase_fit.fit_purchase_process(
        "bg_nbd", np.tile(x[::-1], 40), np.tile(t_x[::-1], 40), np.tile(age[::-1], 40)
    )


def test_few_customers_are_taken_for_those_of_other_businesses_and_many_speak_for_themselves():
    truth = {"r": 3.0, "alpha": 60.0, "a": 2.0, "b": 2.0}
    x, t_x, age, _ = simulate("mbg_nbd", 2_000, 60, **truth)

    def logs(n: int, **given) -> np.ndarray:
        found = purchase_fit.fit_purchase_process("mbg_nbd", x[:n], t_x[:n], age[:n], **given)
        return np.log([found.r, found.alpha, found.a, found.b])

    mean, spread = prior_of()
    assert (np.abs(logs(1) - mean) < 1.3 * spread).all()
    assert (np.abs(logs(1, prior=None) - mean) > 2 * spread).any()
    assert logs(2_000) == pytest.approx(np.log(list(truth.values())), abs=0.5)


def test_the_prior_is_the_spread_of_known_businesses_widened_for_their_number():
    known = {"one": (0.0, 1.0, 0.0, -3.0), "other": (0.0, 3.0, 1.0, 3.0)}
    mean, spread = prior_of(known)
    assert mean.tolist() == [0.0, 2.0, 0.5, 0.0]
    # Two values a distance d apart have a standard deviation of d / sqrt(2); times sqrt(1 + 1/2).
    assert spread == pytest.approx([0.5, np.sqrt(3), np.sqrt(3) / 2, 3 * np.sqrt(3)])


def test_nothing_to_fit_is_said():
    with pytest.raises(ValueError, match="no purchase history"):
        purchase_fit.fit_purchase_process("bg_nbd", np.array([np.nan]), np.array([1.0]), np.array([2.0]))


@given(
    st.lists(st.tuples(st.integers(0, 500), st.floats(0, 1), st.floats(0, 4000)), min_size=1, max_size=20),
    st.sampled_from(["bg_nbd", "mbg_nbd"]),
    st.floats(1, 365),
)
@settings(deadline=None)
def test_any_history_has_a_probability_that_falls_with_the_horizon(cases, kind, horizon):
    x, share, age = (np.array(column, dtype=float) for column in zip(*cases, strict=True))
    process = PurchaseProcess(kind, **WORLD)
    near, far = (process.no_purchase(x, share * age, age, days) for days in (horizon, 2 * horizon))
    assert ((near >= -1e-12) & (near <= 1)).all()
    assert (far <= near + 1e-12).all()
    assert np.isfinite(process.log_odds(x, share * age, age, horizon)).all()
