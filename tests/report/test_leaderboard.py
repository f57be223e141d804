import numpy as np
import pytest

from sim2seq import ranking
from sim2seq.report.leaderboard import PODIUM, leaderboard
from sim2seq.sweep import ERROR

LOSSES = {"loss": [3.0, 2.0, 1.0], "val_loss": [3.0, 2.0, 1.5]}


def board_of(errors, **options):
    """Bars and curves of trainings at windows 1, 2, ..."""
    settings = {"window": [str(1 + place) for place in range(len(errors))]}
    return leaderboard(settings, errors, [LOSSES] * len(errors), **options).axes


def test_a_bar_is_as_long_as_its_error():
    board, _ = board_of([1.0, 2.0, 4.0, float("inf")])
    assert [bar.get_width() for bar in board.patches] == [1, 2, 4, 0]
    assert [text.get_text() for text in board.texts] == ["1.00", "2.00", "4.00", "diverged"]
    assert board.get_xlabel() == "rollout RMSE, validation runs"
    assert board.get_title() == "leaderboard"


def test_standard_errors_are_drawn_as_error_bars():
    """Of 1 and 2 with standard errors of 0.25 and none."""
    board, _ = board_of([1.0, 2.0], errors_of=[0.25, None])
    (bar,) = board.containers[1:2]
    (segments,) = [lines.get_segments() for lines in bar.lines[2]]
    np.testing.assert_allclose(segments[0][:, 0], [0.75, 1.25])
    assert len(board.collections) == 1


def test_a_board_says_what_it_ranks_by():
    board, _ = board_of([1.0, 2.0, 3.0], shown=2, title="expert", axis_label="hits a minute")
    assert board.get_title() == "expert, the best 2 of 3"
    assert board.get_xlabel() == "hits a minute"


def test_a_wide_range_is_logarithmic_and_below_zero_is_not():
    assert board_of([1.0, 30.0])[0].get_xscale() == "log"
    board, _ = board_of([-30.0, -1.0, 2.0])
    assert board.get_xscale() == "linear"
    assert [bar.get_width() for bar in board.patches] == [-30, -1, 2]
    assert board.get_xlim()[0] < -30


@pytest.mark.parametrize("count", [1, 3, 200])
def test_losses_of_all_trainings_are_drawn_and_three_stand_out(count):
    _, curves = board_of(list(range(1, 1 + count)))
    assert [line.get_color() for line in curves.lines] == [colour for colour, _ in reversed(PODIUM[:count])]
    (others,) = curves.collections
    assert len(others.get_segments()) == max(0, count - 3)
    assert curves.get_ylim()[0] < 1.5 < 3 < curves.get_ylim()[1]


def test_a_training_without_losses_leaves_the_others():
    losses = [LOSSES, {"val_loss": []}, {"val_loss": [float("nan")]}, {"val_loss": [2.0]}]
    _, curves = leaderboard({}, [1.0, 2.0, 3.0, 4.0], losses).axes
    assert curves.lines[0].get_ydata().tolist() == [2.0]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"ranked_by": ERROR, "measure": "cross-entropy"}, "cross-entropy on validation runs"),
        ({"ranked_by": ERROR}, "RMSE on validation runs"),  # recorded before the measure was
        ({"ranked_by": "hits", "measure": "RMSE"}, "hits"),
    ],
)
def test_the_word_for_an_error_is_its_tasks_own(data, said):
    points = ranking.points_of([ranking.Result("a", {ERROR: 1.0, "hits": 2.0, **data}, {})])
    assert ranking.table(points).title == f"{said}, best first"
    assert ranking.figure(points).axes[0].get_xlabel() == said
