"""Synthetic bars repeat with their seed and have the traits that they promise."""

import numpy as np
import pandas as pd
import pytest

from stratopt.errors import MarketDataError
from stratopt.market.bars import Bars
from stratopt.market.sessions import is_trading_time
from stratopt.market.synthetic import Regime, synthetic_bars
from stratopt.market.validation import validate

CASES = [
    ("1m", "24/7"),
    ("1m", "24/5"),
    ("5m", "XNYS"),
    ("15m", "XLON"),
    ("1h", "XTKS"),
    ("4h", "24/7"),
    ("1d", "XNYS"),
    ("1w", "24/7"),
]


@pytest.mark.parametrize(("timeframe", "calendar"), CASES)
def test_the_wanted_number_of_valid_bars_in_trading_time(timeframe, calendar):
    """Every timeframe and calendar gives exactly the bars asked for, all of them possible there."""
    bars = synthetic_bars(3000, seed=1, timeframe=timeframe, calendar=calendar)
    assert len(bars) == 3000
    assert validate(bars).ok
    if timeframe[-1] in "mh":
        assert is_trading_time(bars.open_time, bars.calendar).all()


def test_the_seed_decides():
    """Equal arguments give equal bytes, another seed other bars."""
    one, same, other = (synthetic_bars(2000, seed=s).content_hash for s in (7, 7, 8))
    assert one == same != other


def test_missing_and_silent_bars_have_their_shares():
    """Gaps and bars without volume come about as often as asked for; silent bars repeat the close before."""
    bars = synthetic_bars(100_000, seed=3, missing_share=0.02, zero_volume_share=0.05)
    span = (bars.open_time[-1] - bars.open_time[0]) // 60_000 + 1
    assert 0.01 < 1 - len(bars) / span < 0.03
    silent = bars.volume == 0
    assert 0.04 < silent.mean() < 0.06
    at = np.flatnonzero(silent)
    at = at[at > 0]
    assert np.array_equal(bars.close[at], bars.close[at - 1])
    assert np.array_equal(bars.high[at], bars.low[at])
    none = synthetic_bars(5000, seed=3, missing_share=0, zero_volume_share=0)
    assert np.all(np.diff(none.open_time) == 60_000)
    assert none.volume.min() > 0


@pytest.mark.parametrize("calendar", ["24/7", "XNYS"])
def test_volatility_and_volume_are_u_shaped_over_the_session(calendar):
    """The ends of a session move and trade more than its middle."""
    bars = synthetic_bars(
        60_000,
        seed=4,
        timeframe="5m",
        calendar=calendar,
        regimes=(Regime(annual_drift=0, annual_volatility=0.2, mean_bars=9),),
    )
    local = (
        pd.DatetimeIndex(bars.stamps).tz_localize("UTC").tz_convert("UTC" if calendar == "24/7" else "America/New_York")
    )
    minute = local.hour * 60 + local.minute
    middle, edge = ((690, 750), (0, 60)) if calendar == "24/7" else ((750, 790), (570, 600))
    inside = [np.asarray((minute >= low) & (minute < high)) for low, high in (middle, edge)]
    moves = np.abs(np.diff(np.log(bars.close), prepend=np.log(bars.close[0])))
    assert moves[inside[1]].mean() > 2 * moves[inside[0]].mean()
    assert bars.volume[inside[1]].mean() > 2 * bars.volume[inside[0]].mean()


def test_one_regime_has_its_volatility_and_several_make_clusters():
    """A year of one regime has its volatility; switching regimes leaves autocorrelated absolute returns."""
    steady = synthetic_bars(
        50_000,
        seed=5,
        timeframe="1h",
        zero_volume_share=0,
        missing_share=0,
        regimes=(Regime(annual_drift=0, annual_volatility=0.3, mean_bars=10),),
    )
    assert np.diff(np.log(steady.close)).std() * np.sqrt(365 * 24) == pytest.approx(0.3, rel=0.02)
    clustered = np.abs(np.diff(np.log(synthetic_bars(50_000, seed=5, timeframe="1d").close)))
    assert np.corrcoef(clustered[1:], clustered[:-1])[0, 1] > 0.1


def test_a_split_divides_prices_and_multiplies_volumes():
    """Both sides of the split are the series without it."""
    plain, split = synthetic_bars(100, seed=6), synthetic_bars(100, seed=6, split_at=60, split_ratio=4)
    assert np.array_equal(split.matrix[:, :60], plain.matrix[:, :60])
    assert np.array_equal(split.matrix[:4, 60:] * 4, plain.matrix[:4, 60:])
    assert np.array_equal(split.volume[60:], plain.volume[60:] * 4)


@pytest.mark.parametrize(
    "arguments",
    [
        {"bar_count": 0},
        {"bar_count": 10, "missing_share": 0.9},
        {"bar_count": 10, "zero_volume_share": -0.1},
        {"bar_count": 10, "split_at": 10},
        {"bar_count": 10, "split_at": 0},
        {"bar_count": 10, "timeframe": "1M"},
        {"bar_count": 10, "timeframe": "7m"},
    ],
)
def test_impossible_arguments_are_refused(arguments):
    """Each limit is checked before anything is drawn."""
    with pytest.raises(MarketDataError) as caught:
        synthetic_bars(seed=1, **arguments)
    assert caught.value.code == "invalid_synthetic"


def test_half_of_the_bars_may_be_missing():
    """Even with the largest share the count is exact and stamps increase."""
    bars = synthetic_bars(5000, seed=9, missing_share=0.5)
    assert len(bars) == 5000
    assert isinstance(bars, Bars)
