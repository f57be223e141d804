"""The rule that says when a run is worth finishing, and who follows it: a pruner, a callback."""

import math
from types import SimpleNamespace

import numpy as np
import optuna
import pytest
from oracles import Told

from sim2seq.oracle.pruning import OraclePruner, report
from sim2seq.oracle.stopping import GO_ON, NOT_SURE, STOP, Answer, Goal, Rule, chance_below

optuna.logging.set_verbosity(optuna.logging.ERROR)


def answer(middle, half, **options) -> Answer:
    middle, half = np.array([middle]), np.array([half])
    return Answer(("loss_final",), middle, middle - half, middle + half, 0.9, **options)


def test_the_interval_is_the_middle_90_percent_of_a_normal_error():
    assert chance_below([-1.0], [0.1], [[-1.1]], 0.9) == pytest.approx(0.05)
    assert chance_below([1.0], [0.1], [[1.0]], 0.9) == 0.5


def test_errors_of_a_goal_above_0_are_factors():
    # one standard deviation is 1 in 1: half of 1 is as far as half of 10
    assert chance_below([1.0], [1.6448536], [[0.5]], 0.9) == pytest.approx(0.1586553)
    assert chance_below([10.0], [16.448536], [[5.0]], 0.9) == pytest.approx(0.1586553)


def test_against_a_front_the_hardest_point_counts():
    # half a chance in each of two goals against the first point is 3/4 for at least one; the second is out of reach
    chances = [chance_below([1, 1], [0.1, 0.1], bar, 0.9) for bar in ([[1, 1]], [[1, 1], [0, 0]])]
    assert chances == pytest.approx([0.75, 0.0])


def test_an_interval_without_an_end_ends_no_run():
    assert chance_below([9.0], [math.inf], [[1.0]], 0.9) == 1.0
    assert chance_below([9.0], [0.0], [[1.0]], 0.9) == 0.0


def test_a_run_is_ended_where_its_interval_ends_above_the_best():
    words = [Rule().decide(answer(m, 0.1), Goal({"loss_final": 1.0}), [1, 2, 3, 4, 5]).word for m in (0.9, 1.08, 1.11)]
    assert words == [GO_ON, NOT_SURE, STOP]


def test_no_run_is_ended_before_enough_are_whole():
    decision = Rule(begin=5).decide(answer(9, 0.1), Goal({"loss_final": 1.0}), [1, 2, 3, 4], runs=40)
    assert decision.word == GO_ON
    assert "none is ended before 5" in decision.reason


def test_the_bar_is_the_worst_of_the_best_share_of_all_runs():
    finished = [5.0, 1.0, 4.0, 2.0, 3.0]
    assert [Rule(share=0.1).bar(finished, runs) for runs in (5, 10, 30, 60)] == [1.0, 1.0, 3.0, math.inf]


def test_what_lies_outside_the_training_is_not_sure():
    doubtful = answer(9, 0.1, doubts=("size 7 is outside the range",))
    decision = Rule().decide(doubtful, Goal({"loss_final": 1.0}), [1] * 5)
    assert (decision.word, decision.reason[:6]) == (NOT_SURE, "size 7")
    assert Rule(bold=True).decide(doubtful, Goal({"loss_final": 1.0}), [1] * 5).word == STOP


def test_doubts_end_once_whole_runs_came_out_as_was_foretold():
    doubtful, goal, ends = answer(9, 0.1, doubts=("size 7 is outside the range",)), Goal({"loss_final": 1.0}), [1.0] * 5
    right, once = [[True] * 4] * 5, [[True, False], *[[True, True]] * 4]
    words = [Rule().decide(doubtful, goal, ends, held=held).word for held in (right[:4], right, once)]
    assert words == [NOT_SURE, STOP, STOP]
    assert Rule().decide(doubtful, goal, ends, held=[*once, [False], [False]]).word == NOT_SURE


@pytest.mark.parametrize("off", [0.0, 0.2])
def test_the_pruner_learns_whether_its_oracle_can_be_doubted(off):
    """Told how each trial ends, but for `off`, four half-widths, it ends trials of a kind that training had not."""
    seer = Told(lambda series, inputs: (series[-1, 0] - (4 - len(series)) / 4 + off, 0.05), doubts=("size 7",))
    study = search(OraclePruner(seer, {"loss_final": 1.0}))
    ended = [trial.number for trial in study.trials if trial.state == optuna.trial.TrialState.PRUNED]
    assert (len(ended) >= 25 and min(ended) >= 5) if off == 0 else not ended


def test_a_goal_of_two_outputs_adds_their_errors_as_independent():
    both = Answer(("a", "b"), np.array([1.0, 2.0]), np.array([0.7, 1.6]), np.array([1.3, 2.4]), 0.9)
    assert Goal({"a": 1.0, "b": 1.0}).foretold(both) == pytest.approx((3.0, 0.5))
    with pytest.raises(ValueError, match="expected some of a, b; got c"):
        Goal({"c": 1.0}).foretold(both)


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ({"a": math.nan}, "weight of a: expected 0 to 1e+30, as lower is better; got nan"),
        ({"a": 1.0, "b": -1.0}, "weight of b: expected 0 to 1e+30, as lower is better; got -1.0"),
        ({"a": 1e308}, "weight of a: expected 0 to 1e+30, as lower is better; got 1e+308"),
        ({"a": 0.0, "b": 0.0}, "goal: expected a weight above 0; got a, b with none"),
        ({}, "goal: expected a weight above 0; got no output with none"),
    ],
)
def test_weights_that_no_goal_can_have_are_refused(weights, said):
    with pytest.raises(ValueError, match="expected") as refused:
        Goal(weights)
    assert str(refused.value) == said


def test_an_interval_is_shown_as_far_as_the_truth_can_be():
    wide = answer(0.1, 0.3, least=np.array([0.0]), most=np.array([1.0]))
    assert wide.shown() == {"loss_final": pytest.approx([0.1, 0.0, 0.4])}
    assert answer(-0.5, 0.3).shown() == {"loss_final": pytest.approx([-0.5, -0.8, -0.2])}
    assert Goal({"loss_final": 1.0}).foretold(wide) == pytest.approx((0.1, 0.3))  # the rule knows the whole width


@pytest.mark.parametrize("bad", [{"chance": 0}, {"chance": 0.5}, {"share": 1.0}, {"begin": 0}])
def test_a_rule_that_cannot_be_is_refused(bad):
    (name,) = bad
    with pytest.raises(ValueError, match=f"^{name} .*: expected a number"):
        Rule(**bad)


def search(pruner, *, several=False) -> optuna.Study:
    """40 runs whose loss falls from 1 + x to x, x from 0 to 1 in a fixed order; four reports each."""
    study = optuna.create_study(pruner=pruner, sampler=optuna.samplers.RandomSampler(seed=3))

    def objective(trial):
        end = trial.suggest_float("x", 0, 1)
        for step in range(1, 5):
            loss = end + (4 - step) / 4
            report(trial, {"loss": loss, "rate": 0.1}, step, goal=loss) if several else trial.report(loss, step)
            if trial.should_prune():
                raise optuna.TrialPruned
        return end

    study.optimize(objective, n_trials=40)
    return study


@pytest.mark.parametrize("several", [False, True])
def test_the_pruner_keeps_the_best_and_ends_the_rest(several):
    seer = Told(lambda series, inputs: (series[-1, 0] - (4 - len(series)) / 4, 0.05))
    seer.features = ("loss", "rate") if several else ("loss",)
    pruner = OraclePruner(seer, {"loss_final": 1.0})
    pruned, whole = search(pruner, several=several), search(optuna.pruners.NopPruner())
    assert pruned.best_value == whole.best_value
    ended = [trial for trial in pruned.trials if trial.state == optuna.trial.TrialState.PRUNED]
    assert len(ended) >= 25
    assert all(pruner.said[trial.number][-1].middle[0] == pytest.approx(trial.params["x"]) for trial in ended)


def test_a_trial_that_diverges_ends_and_a_longer_one_goes_on():
    """As with MedianPruner; of more reports than any training run had, the oracle has nothing to say."""
    pruner = OraclePruner(Told(lambda series, inputs: (0, 1)), {"loss_final": 1.0}, rule=Rule(begin=1))
    study = optuna.create_study(pruner=pruner)
    study.tell(study.ask(), 0.5)
    for bad in (math.nan, math.inf):
        trial = study.ask()
        trial.report(1.0, 1)
        assert not trial.should_prune()
        trial.report(bad, 2)
        assert trial.should_prune()
    pruner.oracle.surrogate.scores = SimpleNamespace(steps=1)
    trial, asked = study.ask(), pruner.oracle.asked
    for step in (1, 2):
        trial.report(1.0, step)
    assert (trial.should_prune(), pruner.oracle.asked) == (False, asked)


def test_the_pruner_says_what_it_was_not_told():
    seer = Told(lambda series, inputs: (0, 1), features=("loss", "rate"))
    with pytest.raises(ValueError, match=r"step 1: the oracle sees loss, rate, too: use sim2seq.oracle.pruning.report"):
        search(OraclePruner(seer, {"loss_final": 1.0}, rule=Rule(begin=1)))
    with pytest.raises(ValueError, match="goal: expected some of loss_final; got mqe"):
        OraclePruner(seer, {"mqe": 1.0})


def test_the_pruner_tells_progress_and_the_inputs_of_a_trial():
    heard = []
    seer = Told(lambda series, inputs: heard.append((series.tolist(), inputs)) or (0, 1), inputs=("x", "size"))
    seer.features = ("progress", "loss")
    search(OraclePruner(seer, {"loss_final": 1.0}, steps=4, fixed={"size": 7.0}))
    assert [row[0] for row in heard[3][0]] == [0.25, 0.5, 0.75, 1.0]
    assert set(heard[3][1]) == {"x", "size"}


def test_a_keras_training_that_is_not_worth_it_ends():
    import keras

    from sim2seq.oracle.ending import OracleStopping

    seer = Told(lambda series, inputs: (series[-1, 1], 0.1), features=("progress", "loss"))
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(loss="mse", optimizer="sgd")
    x = np.ones((4, 1))
    for best, epochs in ((1e9, 5), (-1e9, 2)):
        callback = OracleStopping(seer, {"loss_final": 1.0}, [best] * 5, every=2)
        history = model.fit(x, x, epochs=5, verbose=0, callbacks=[callback])
        assert len(history.epoch) == epochs
    assert (callback.ended, callback.decision.word) == (2, STOP)
    assert callback.seen[0][0] == 0.2
    callback = OracleStopping(seer, {"loss_final": 1.0}, [1e9] * 5)
    history = model.fit(x, np.full((4, 1), np.nan), epochs=5, verbose=0, callbacks=[callback])
    assert (len(history.epoch), callback.ended, callback.decision) == (1, 1, None)
