"""Studies: budgets, early ends, memory of repeats, warm start, continuation."""

from __future__ import annotations

import pytest

from stratopt.errors import ParameterSpaceError
from stratopt.search.algorithms import ALGORITHMS, make_sampler
from stratopt.search.checkpoint import Checkpoint
from stratopt.search.foreign import BAD_LOSS
from stratopt.search.importance import parameter_importance
from stratopt.search.parameter_space import ParameterSpace
from stratopt.search.parameters import Choice, FloatRange, IntRange
from stratopt.search.sampler import Suggestion
from stratopt.search.study import Limits, Outcome, Trial, run_study

SPACE = ParameterSpace({"x": FloatRange(0, 1), "n": IntRange(1, 100), "kind": Choice(["a", "b"])})


def score(params):
    return -((params["x"] - 0.3) ** 2) - ((params["n"] - 40) / 100) ** 2 - (params["kind"] == "b") * 0.1


def evaluate(points):
    return [Outcome(score=score(p)) for p in points]


class Scripted:
    """An engine that gives the points it was made with."""

    def __init__(self, points):
        self.points, self.told, self.observed = list(points), {}, []
        self.number = -1

    def ask(self, count):
        given, self.points = self.points[:count], self.points[count:]
        asked = []
        for params in given:
            self.number += 1
            asked.append(Suggestion(self.number, params))
        return asked

    def tell(self, number, losses):
        self.told[number] = list(losses)

    def observe(self, params, losses):
        self.observed.append((params, list(losses)))


def points(*xs):
    return [{"x": x, "n": 1, "kind": "a"} for x in xs]


def test_a_repeated_point_is_answered_from_memory():
    """Each distinct point is evaluated once; the engine still hears a loss for every ask."""
    engine, evaluated = Scripted(points(0.1, 0.2, 0.1, 0.1, 0.3)), []

    def count(ps):
        evaluated.extend(ps)
        return evaluate(ps)

    result = run_study(SPACE, engine, count, max_evaluations=10, batch_size=3)
    assert len(evaluated) == len(result.trials) == 3
    assert result.repeated == 2
    assert result.stopped_by == "space_exhausted"
    assert engine.told[0] == engine.told[2] == engine.told[3]


def test_an_engine_that_only_repeats_is_stopped():
    """A search cannot hang on an engine without new points."""

    class Stuck(Scripted):
        def ask(self, count):
            return [Suggestion(0, points(0.5)[0])] * count

    result = run_study(SPACE, Stuck([]), evaluate, max_evaluations=5)
    assert result.stopped_by == "repeats"
    assert len(result.trials) == 1


def test_points_without_a_score_are_told_as_bad_and_counted_by_reason():
    """Infeasible is a finite bad loss, never NaN."""
    engine = Scripted(points(0.1, 0.2, 0.3, 0.4))
    outcomes = iter(
        [Outcome(score=None, reason="no_trades"), Outcome(score=float("nan")), Outcome(score=1.0), Outcome(score=None)]
    )
    result = run_study(SPACE, engine, lambda ps: [next(outcomes) for _ in ps], max_evaluations=4)
    assert [engine.told[k] for k in range(4)] == [[BAD_LOSS], [BAD_LOSS], [-1.0], [BAD_LOSS]]
    assert result.infeasible == 3
    assert result.reasons() == {"no_trades": 1, "undefined_score": 1, "unknown": 1}
    assert result.best.number == 2


def test_the_search_ends_after_rounds_without_improvement():
    """early_stop_rounds counts evaluations since the best one."""
    engine = Scripted(points(0.9, 0.5, 0.3, 0.6, 0.7, 0.8, 0.31))
    result = run_study(SPACE, engine, evaluate, limits=Limits(max_evaluations=9, early_stop_rounds=3))
    assert result.stopped_by == "early_stop_rounds"
    assert len(result.trials) == 6


def test_the_search_ends_at_the_target():
    """A score that is good enough ends it."""
    engine = Scripted(points(0.9, 0.3, 0.5))
    result = run_study(SPACE, engine, evaluate, limits=Limits(max_evaluations=9, target_score=-0.2))
    assert result.stopped_by == "target_score"
    assert len(result.trials) == 2


def test_the_search_ends_when_its_time_is_over():
    """The clock is read between batches."""
    now = iter(range(100))
    engine = Scripted(points(*(k / 50 for k in range(40))))
    limits = Limits(max_evaluations=40, max_seconds=3)
    result = run_study(SPACE, engine, evaluate, limits=limits, batch_size=2, clock=lambda: next(now))
    assert result.stopped_by == "max_seconds"
    assert len(result.trials) == 6


def test_the_seconds_of_an_interrupted_run_count():
    """Two points a second: twelve fit into six seconds, whether the study is interrupted after four of them or not."""
    paper, kept = Checkpoint(SPACE, "scripted", 0), []

    def run(known=(), spent_seconds=0.0):
        asked = []
        result = run_study(
            SPACE,
            Scripted(points(*(k / 50 for k in range(40)))),
            lambda ps: asked.extend(ps) or evaluate(ps),
            limits=Limits(max_evaluations=40, max_seconds=6),
            batch_size=2,
            known=known,
            spent_seconds=spent_seconds,
            on_batch=lambda trials, seconds: kept.append(paper.write(trials, seconds)),
            clock=lambda: len(asked) / 2,
        )
        return result, len(asked)

    whole, _ = run()
    assert len(whole.trials) == 12
    left = paper.read(kept[1])
    assert (len(left.trials), left.seconds) == (4, 2.0)
    resumed, evaluated = run(left.trials, left.seconds)
    assert (resumed.stopped_by, resumed.seconds) == ("max_seconds", 6.0)
    assert paper.write(resumed.trials) == paper.write(whole.trials)
    assert evaluated == 8


def test_a_search_that_had_used_up_its_time_ends_where_it_ended():
    """What it had found is repeated whole, and nothing is added."""
    limits = Limits(max_evaluations=40, max_seconds=3)
    now = iter(range(100))
    engine = Scripted(points(*(k / 50 for k in range(40))))
    whole = run_study(SPACE, engine, evaluate, limits=limits, batch_size=2, clock=lambda: next(now))

    def nothing(asked):
        raise AssertionError(asked)

    engine = Scripted(points(*(k / 50 for k in range(40))))
    known, spent = whole.trials, whole.seconds
    again = run_study(SPACE, engine, nothing, limits=limits, batch_size=2, known=known, spent_seconds=spent)
    assert (again.trials, again.stopped_by) == (whole.trials, "max_seconds")


def test_first_points_are_evaluated_and_told_before_the_engine_is_asked():
    """A warm start costs budget and is learned; points outside the constraints are left out."""
    space = ParameterSpace(SPACE.parameters, ["x < 0.85"])
    engine = Scripted(points(0.1, 0.2, 0.4))
    result = run_study(space, engine, evaluate, max_evaluations=4, first_points=points(0.3, 0.9, 0.35))
    assert [t.params["x"] for t in result.trials] == [0.3, 0.35, 0.1, 0.2]
    assert [p["x"] for p, _ in engine.observed] == [0.3, 0.35]


def test_a_warm_start_helps_the_default_engine():
    """The model starts from the observed points: the search stays at least as good."""
    best = {"x": 0.3, "n": 40, "kind": "a"}
    result = run_study(SPACE, make_sampler("tpe", SPACE, seed=0), evaluate, max_evaluations=30, first_points=[best])
    assert result.best.params == best


def test_the_convergence_curve_has_every_new_best():
    """Numbers ascend, scores ascend, the last one is the best."""
    result = run_study(SPACE, make_sampler("random", SPACE, seed=0), evaluate, max_evaluations=200)
    curve = result.improvements()
    assert curve == sorted(curve)
    assert [s for _, s in curve] == sorted({s for _, s in curve})
    assert curve[-1] == (result.best.number, result.best.outcome.score)


@pytest.mark.parametrize("name", ["tpe", "random", "qmc", "grid", "hyperopt_tpe", "hyperopt_anneal", "optuna_tpe"])
@pytest.mark.parametrize("stop_at", [1, 13, 24])
def test_an_interrupted_study_continues_byte_for_byte(name, stop_at):
    """A checkpoint cut at any batch, read again, gives the same trials as the study that was not interrupted."""
    paper = Checkpoint(SPACE, name, 4, {"batch": 3})
    kept = []

    def run(**more):
        sampler = make_sampler(name, SPACE, seed=4, startup_trials=8, budget=40)
        return run_study(SPACE, sampler, evaluate, max_evaluations=40, batch_size=3, **more)

    whole = run(on_batch=lambda trials, _: kept.append(paper.write(trials)) if len(trials) <= stop_at + 2 else None)
    known = paper.read(kept[-1]).trials
    evaluated = []
    resumed = run_study(
        SPACE,
        make_sampler(name, SPACE, seed=4, startup_trials=8, budget=40),
        lambda ps: evaluated.extend(ps) or evaluate(ps),
        max_evaluations=40,
        batch_size=3,
        known=known,
    )
    assert paper.write(resumed.trials) == paper.write(whole.trials)
    assert len(evaluated) == len(whole.trials) - len(known)
    assert 0 < len(known) < len(whole.trials)


def test_a_checkpoint_of_another_study_is_refused():
    """Seed, space, engine and settings belong to it; damage is noticed."""
    paper = Checkpoint(SPACE, "tpe", 4)
    data = paper.write([Trial(number=0, params=points(0.1)[0], outcome=Outcome(score=1.0))])
    assert paper.read(data).trials[0].outcome.score == 1.0
    for other in (
        Checkpoint(SPACE, "tpe", 5),
        Checkpoint(SPACE, "random", 4),
        Checkpoint(SPACE, "tpe", 4, {"batch": 2}),
        Checkpoint(ParameterSpace({"x": FloatRange(0, 2)}), "tpe", 4),
    ):
        with pytest.raises(ParameterSpaceError, match="another study"):
            other.read(data)
    for damaged in (b"", b"{}", data[:-3], b'{"version":2,"study":"x","seconds":0.0,"trials":[[1]]}'):
        with pytest.raises(ParameterSpaceError, match="damaged"):
            paper.read(damaged)


def test_the_pareto_front_has_what_nothing_else_beats():
    """With two objectives a point stays if no other is at least as good in both."""
    pairs = [(1, 5), (2, 4), (1, 4), (3, 1), (2, 4)]
    engine = Scripted(points(*(k / 10 for k in range(5))))
    outcomes = iter([Outcome(score=a, scores=(a, b)) for a, b in pairs])
    result = run_study(SPACE, engine, lambda ps: [next(outcomes) for _ in ps], max_evaluations=5, objectives=2)
    assert [t.number for t in result.pareto_front()] == [0, 1, 3, 4]
    assert engine.told[0] == [-1, -5]


def test_evolution_finds_a_front():
    """NSGA-II spreads over the trade-off of two opposed objectives."""
    space = ParameterSpace({"x": FloatRange(0, 1)})

    def both(ps):
        return [Outcome(score=p["x"], scores=(p["x"], 1 - p["x"] ** 2)) for p in ps]

    sampler = make_sampler("optuna_nsga2", space, seed=1, startup_trials=10, objectives=2)
    front = run_study(space, sampler, both, max_evaluations=40, batch_size=10, objectives=2).pareto_front()
    assert len(front) >= 30


def test_importance_ranks_parameters_by_what_they_move():
    """The parameter that moves the score most has the largest share; one that does nothing has almost none."""
    space = ParameterSpace(
        {"idle": FloatRange(0, 1), "strong": IntRange(0, 100), "weak": FloatRange(0, 1), "kind": Choice(["a", "b"])}
    )

    def measured(ps):
        return [Outcome(score=p["strong"] / 10 + p["weak"] + (p["kind"] == "b") * 4) for p in ps]

    study = run_study(space, make_sampler("random", space, seed=1), measured, max_evaluations=200)
    shares = parameter_importance(space, study)
    assert list(shares)[:2] == ["strong", "kind"]
    assert sum(shares.values()) == pytest.approx(1.0)
    assert shares["idle"] < 0.02 < shares["kind"]
    assert parameter_importance(space, study) == shares


def test_importance_is_unknown_from_few_or_equal_trials():
    """No share is invented."""
    few = run_study(SPACE, make_sampler("random", SPACE, seed=1), evaluate, max_evaluations=19)
    flat = run_study(
        SPACE, make_sampler("random", SPACE, seed=1), lambda ps: [Outcome(score=1.0) for _ in ps], max_evaluations=50
    )
    assert parameter_importance(SPACE, few) is None
    assert parameter_importance(SPACE, flat) is None


def test_every_engine_has_a_summary():
    """The list of engines can be shown."""
    assert all(algorithm.summary for algorithm in ALGORITHMS.values())


def test_the_result_does_not_depend_on_the_order_within_a_batch():
    """Workers may finish in any order: tells in reverse give the same next points."""
    forward, backward = (make_sampler("tpe", SPACE, seed=2, startup_trials=8) for _ in range(2))
    for _ in range(6):
        a, b = forward.ask(5), backward.ask(5)
        assert a == b
        for s in a:
            forward.tell(s.number, [-score(s.params)])
        for s in reversed(b):
            backward.tell(s.number, [-score(s.params)])
