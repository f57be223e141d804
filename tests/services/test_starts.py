"""What keeps a study, a worker or a task from starting ends it with the reason, within a minute; mended, it goes on."""

import random

import pytest
import starts
from suite import Unavailable


@pytest.mark.parametrize("fault", starts.FAULTS)
def test_a_fault_at_the_start_is_said_and_nothing_is_lost(tmp_path, fault):
    try:
        outcome = starts.FAULTS[fault](tmp_path / "study", random.Random(1777))
    except Unavailable as error:
        pytest.skip(str(error))
    assert (outcome.lost, outcome.doubled, outcome.silent) == (0, 0, [])
