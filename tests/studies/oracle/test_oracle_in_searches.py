"""An oracle in searches of maps: an evolution beside it, searches of others that are replayed, the suite of one."""

import sys
from pathlib import Path

import numpy as np
import pytest
from oracles import SHOWN, TABLE, Told, last_values, seer

from sim2seq.oracle.stopping import Rule
from studies.oracle import ending, evolution, maps, simulate, tables

sys.path.append(str(Path(__file__).parents[3] / "benchmarks"))


def test_what_was_foretold_never_stands_in_the_final_front():
    table = tables.load(TABLE)
    optimist = seer(lambda series, inputs: (series[-1, :3] * 0.9, np.full(3, 1e-6)))
    simulate.warm_up()
    seconds = 4.0  # the first 20 are whole: a second on a busy machine
    done = evolution.evolve(table, seconds, seed=1, oracle=optimist, rule=Rule(chance=0.4))
    assert sum(each.ended for each in done) > 5
    assert all(each.progress < 1 for each in done if each.ended)
    kept = [each for each in done if not each.ended]
    front = evolution.whole_front(done)
    assert len(front) == len(evolution.front_of(kept))
    # of every configuration that looked better than the front, the whole training is there, too
    again = {tuple(each.genes) for each in kept}
    for each in done:
        if each.ended and not evolution.is_dominated(each.objectives, front):
            assert tuple(each.genes) in again
    assert 0 < evolution.hypervolume(done) < 1.331


def test_genes_span_the_search_ranges():
    table = tables.load(TABLE)
    low, high = (evolution.settings_of(np.full(len(evolution.GENES), end), table) for end in (0.0, 1.0))
    assert (low.map_rows, high.map_rows, low.growth, high.growth) == (8, 15, 1.0, 35.0)
    assert (low.grid, high.grid, low.reshuffle, high.reshuffle) == ("square", "hexagonal", False, True)


def test_a_search_replayed_costs_what_its_runs_had_cost():
    from _oracle_replay import REPORTS, Board, order_of, ours, theirs

    ends = np.arange(1.0, 41.0)
    goals = ends[:, None] + 100 * (1 - np.array(REPORTS))  # every run falls alike, so the order is plain from the start
    middle, half = np.repeat(ends[:, None], len(REPORTS), 1), np.full((40, len(REPORTS)), 0.1)
    on = Board("made", goals, ends, np.tile(REPORTS, (40, 1)), np.ones(40), middle, half, [[()] * len(REPORTS)] * 40)
    import optuna

    whole = theirs(on, 0, optuna.pruners.NopPruner)
    assert (whole.saved, whole.loss, whole.ended_best) == (0.0, 0.0, 0.0)
    found = ours(on, 0, Rule(), level=0.9, answer=0.0)
    order = order_of(on, 0)
    best = np.minimum.accumulate(ends[order])
    kept = 5 + int((ends[order][5:] == best[5:]).sum())  # the first five, and each that is the best so far
    assert found.saved == pytest.approx((40 - kept) * (1 - REPORTS[0]) / 40)
    assert found.loss == 0.0
    dear = ours(on, 0, Rule(), level=0.9, answer=0.01)
    assert found.saved - dear.saved == pytest.approx(0.01 * found.asked / 40)


def test_a_replayed_search_is_the_same_in_every_call():
    """Hyperband deals trials to brackets by the name of the study, which Optuna would draw anew."""
    import optuna
    from _oracle_replay import REPORTS, Board, theirs

    draw, shape = np.random.default_rng(0), (40, len(REPORTS))
    ends = draw.uniform(1, 2, 40)
    goals = ends[:, None] + draw.normal(0, 0.2, shape)
    doubts = [[()] * len(REPORTS)] * 40
    on = Board("made", goals, ends, np.tile(REPORTS, (40, 1)), np.ones(40), goals, np.ones(shape), doubts)
    found = [theirs(on, 3, lambda: optuna.pruners.HyperbandPruner(1, len(REPORTS) + 1, 3)) for _ in range(4)]
    assert found == found[:1] * 4
    assert found[0].saved > 0


def recorded_runs(spread=1.0, errors=(0.5, 0.3)):
    """Two whole runs of 20 checkpoints, their error as it is at all of them but for the last half of the second run."""
    from _oracle_runs import Recorded

    series = np.full((2, 20, len(maps.SERIES)), 0.1)
    series[..., maps.SERIES.index("progress")] = np.arange(1, 21) / 20
    series[..., maps.SERIES.index("mqe")] = np.array(errors)[:, None]
    series[1, 10:, maps.SERIES.index("mqe")] = 9.0
    inputs = {"table_spread": np.full(2, spread)}
    seconds = np.tile(np.arange(1.0, 21), (2, 1))
    return Recorded(series, np.full(2, 20), seconds, inputs, np.array([TABLE] * 2))


class Along(Told):
    """An oracle of maps that doubts what has an error above 1, by all of its methods."""

    def doubts_of(self, series, inputs=None):
        return ("mqe is far",) if (series[:, 0] > 1).any() else ()

    def along(self, values, lengths, inputs=None):
        middle = values[..., :3]
        return middle, middle - 0.1, middle + 0.1


def test_a_replay_doubts_a_run_from_where_its_curve_is_far():
    """As the pruner would: not at its first reports, but once the curve has left what training runs had."""
    from _oracle_replay import REPORTS, Replayed, board

    oracle = Along(last_values, features=SHOWN, outputs=ending.TARGETS, inputs=("table_spread",))
    on = board(recorded_runs(), oracle)
    assert on.doubts[0] == [()] * len(REPORTS)
    far = [share > 0.5 for share in REPORTS]
    assert [bool(each) for each in on.doubts[1]] == far
    replayed = Replayed(on, 0.9)
    assert [bool(replayed.ask([0] * (place + 1), {"run": 1}).doubts) for place in range(len(REPORTS))] == far


def test_the_search_is_the_ensembles_suite_with_an_oracle():
    import yaml

    folder = Path(simulate.__file__).parent
    whole, search = (yaml.safe_load((folder / name).read_text()) for name in ("suite.yaml", "search.yaml"))
    commands = [{step["name"]: step["run"]["cmd"] for step in each["study"]} for each in (whole, search)]
    assert commands[1].pop("run-oracle") == commands[0].pop("run-oracle").rstrip() + ' --oracle "$(ORACLE)"\n'
    assert commands[1] == {name: text for name, text in commands[0].items() if name != "learn-oracle"}
