"""skfolio for splits and ratios, slow twins for what no library has."""

import itertools

import numpy as np
import pytest
from scipy.stats import rankdata
from skfolio.model_selection import CombinatorialPurgedCV, WalkForward

from stratopt.evaluation.combinatorial_splits import CombinatorialPurgedSplits
from stratopt.evaluation.pbo import block_totals, overfitting, overfitting_by_group
from stratopt.evaluation.splits import walk_forward


@pytest.mark.parametrize(("groups", "tested", "length"), [(6, 2, 600), (10, 2, 1000), (8, 4, 400)])
def test_combinatorial_tests_and_paths_equal_skfolio(groups, tested, length):
    """The same test blocks in the same order, the same paths."""
    theirs = CombinatorialPurgedCV(n_folds=groups, n_test_folds=tested, purged_size=0, embargo_size=0)
    ours = CombinatorialPurgedSplits(length=length, groups=groups, test_groups=tested)
    for (train, tests), split in zip(theirs.split(np.zeros((length, 1))), ours, strict=True):
        assert split.train.tolist() == list(train)
        assert [list(range(a, b)) for _, a, b in split.tests] == [list(t) for t in tests]
    assert ours.path_count == theirs.n_test_paths
    assert sorted(map(sorted, ours.paths().tolist())) == sorted(
        sorted(column) for column in theirs.recombined_paths.T.tolist()
    ) or ours.paths().shape == (theirs.n_test_paths, groups)


@pytest.mark.parametrize(("purge", "embargo"), [(0, 5), (3, 0), (4, 6)])
def test_purged_and_embargoed_training_rows_equal_skfolio(purge, embargo):
    """Nothing is trained on next to a test block."""
    theirs = CombinatorialPurgedCV(n_folds=6, n_test_folds=2, purged_size=purge, embargo_size=embargo)
    ours = CombinatorialPurgedSplits(length=300, groups=6, test_groups=2, purge=purge, embargo=embargo)
    for (train, _), split in zip(theirs.split(np.zeros((300, 1))), ours, strict=True):
        assert split.train.tolist() == list(train)


def test_every_path_tests_every_group_once():
    """A path takes each group from a split that tests it, and no test is used twice."""
    splits = CombinatorialPurgedSplits(length=120, groups=6, test_groups=3)
    tested = [tuple(group for group, _, _ in split.tests) for split in splits]
    used = [(int(number), group) for path in splits.paths() for group, number in enumerate(path)]
    assert len(set(used)) == len(used) == splits.path_count * 6
    assert all(group in tested[number] for number, group in used)


@pytest.mark.parametrize("anchored", [True, False])
def test_walk_forward_equals_skfolio(anchored):
    """Growing and rolling windows."""
    folds = walk_forward(0, 1000, out_of_sample_ratio=0.6, folds=6, anchored=anchored)
    theirs = WalkForward(test_size=100, train_size=400, expand_train=anchored)
    expected = [(t[0], t[-1] + 1, s[0], s[-1] + 1) for t, s in theirs.split(np.zeros((1000, 1)))]
    assert [(f.train_start, f.train_stop, f.test_start, f.test_stop) for f in folds] == expected


def naive_cscv(returns, blocks):
    """The definition, one split at a time."""
    parts = np.split(returns, blocks)
    ranks, losses = [], []
    for chosen in itertools.combinations(range(blocks), blocks // 2):
        inside = np.concatenate([parts[b] for b in chosen])
        outside = np.concatenate([parts[b] for b in range(blocks) if b not in chosen])
        best = int(np.argmax(inside.mean(axis=0) / inside.std(axis=0, ddof=1)))
        sharpe = outside.mean(axis=0) / outside.std(axis=0, ddof=1)
        ranks.append(rankdata(sharpe)[best] / (returns.shape[1] + 1))
        losses.append(sharpe[best] < 0)
    return np.mean(np.array(ranks) <= 0.5), np.mean(losses)


@pytest.mark.parametrize("seed", range(4))
def test_cscv_equals_the_definition(seed):
    """Random matrices, some with identical columns (ties)."""
    returns = np.random.default_rng(seed).standard_normal((240, 9)) * 0.01
    if seed % 2:
        returns[:, 4] = returns[:, 2]
    found = overfitting(returns, blocks=8)
    assert (found.pbo, found.loss_probability) == pytest.approx(naive_cscv(returns, 8), abs=1e-12)


def test_groups_in_one_pass_equal_groups_alone():
    """The batch's value and each strategy's own, as if computed one by one."""
    returns = np.random.default_rng(1).standard_normal((320, 12)) * 0.01
    sums, squares, rows = block_totals(returns, 8)
    together = overfitting_by_group(sums, squares, rows, groups=[5, 3, 4])
    alone = [overfitting(returns[:, a:b], blocks=8) for a, b in ((0, 5), (5, 8), (8, 12), (0, 12))]
    for one, other in zip(together, alone, strict=True):
        assert vars(one) == pytest.approx(vars(other), abs=1e-12)


def test_noise_gives_a_half_and_skill_gives_nothing():
    """The null of PBO is 0.5, with a deviation near 0.21; one much better column gives 0."""
    rng = np.random.default_rng(0)
    values = [overfitting(rng.standard_normal((480, 20)), blocks=8).pbo for _ in range(60)]
    assert np.mean(values) == pytest.approx(0.5, abs=0.08)
    skilled = rng.standard_normal((480, 20))
    skilled[:, 7] += 0.4
    assert overfitting(skilled, blocks=8).pbo == 0.0
