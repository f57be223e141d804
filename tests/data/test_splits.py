"""Every run, group or stretch of time is in one part of a split, in the shares and by the draws that were asked for."""

from dataclasses import replace
from itertools import chain

import numpy as np
import pytest
from helpers import counting_ensemble

from sim2seq.data.splits import (
    PARTS,
    SPLITS,
    Part,
    Split,
    equal_across,
    select,
    split_by_run,
    split_in_time,
    split_names,
)


@pytest.mark.parametrize("runs", [3, 4, 5, 8, 64, 1024])
def test_split_by_run_gives_every_run_to_exactly_one_part(runs):
    ensemble = counting_ensemble(runs=runs, steps=6)
    split = split_by_run(ensemble, seed=1)
    parts = [getattr(split, name).runs for name in PARTS]
    assert all(parts)
    assert sorted(chain(*parts)) == sorted(ensemble.run_ids)


def test_split_by_run_is_60_20_20_and_follows_its_seed():
    ensemble = counting_ensemble(runs=1000, steps=3)
    split = split_by_run(ensemble, seed=7)
    assert [len(getattr(split, name).runs) for name in PARTS] == [600, 200, 200]
    assert split == split_by_run(ensemble, seed=7)
    assert split != split_by_run(ensemble, seed=8)


def test_split_in_time_cuts_every_run_without_overlap():
    ensemble = counting_ensemble(runs=2, steps=400)
    split = split_in_time(ensemble)
    assert [(part.start, part.stop) for part in (split.train, split.validation, split.test)] == [
        (0, 240),
        (240, 320),
        (320, 400),
    ]
    assert split.train.runs == split.test.runs == ensemble.run_ids


@pytest.mark.parametrize("name", SPLITS)
def test_no_number_of_one_part_is_in_another(name):
    ensemble = counting_ensemble(runs=10, steps=50)  # every number occurs once in the whole ensemble
    groups = ("train", "group", "validation", "test", "train") if name != "by_name" else (*PARTS, "train", "test")
    ensemble = replace(ensemble, run_ids=tuple(f"{groups[run // 2]}_{run}" for run in range(10)))
    split = SPLITS[name](ensemble)
    seen = [set(select(ensemble, getattr(split, part)).values.ravel()) for part in PARTS]
    assert len(set.union(*seen)) == sum(map(len, seen)) == ensemble.values.size


def test_too_few_runs_or_steps_are_refused_with_the_least_number():
    with pytest.raises(ValueError, match="at least 3 runs"):
        split_by_run(counting_ensemble(runs=2))
    with pytest.raises(ValueError, match="at least 3 steps"):
        split_in_time(counting_ensemble(steps=2))
    with pytest.raises(ValueError, match="add up to 1"):
        split_by_run(counting_ensemble(), fractions=(0.6, 0.2, 0.3))


def test_a_split_that_names_an_unknown_run_is_refused():
    split = split_by_run(counting_ensemble(runs=6))
    with pytest.raises(ValueError, match="run_"):
        select(counting_ensemble(runs=3), split.train)


def test_names_are_split_with_the_draws_of_a_split_by_run():
    ensemble = counting_ensemble(runs=9, steps=4)
    for seed in range(20):
        parts = split_names(ensemble.run_ids, (0.5, 0.25, 0.25), seed=seed)
        split = split_by_run(ensemble, (0.5, 0.25, 0.25), seed=seed)
        assert parts == {name: part.runs for name, part in vars(split).items()}
    assert [len(parts[name]) for name in PARTS] == [5, 2, 2]
    # numpy.random.default_rng(7).permutation(4) is 0, 2, 1, 3
    assert split_names("abcd", seed=7) == {"train": ("a", "c"), "validation": ("b",), "test": ("d",)}
    with pytest.raises(ValueError, match="at least 3 names, one a part; got 2"):
        split_names("ab")
    with pytest.raises(ValueError, match="expected every name once; a is there more often"):
        split_names("abca")


def grouped(sizes: dict[str, int]):
    """A counting ensemble whose runs are in groups of these sizes."""
    names = tuple(f"{group}_{run}" for group, size in sizes.items() for run in range(size))
    return replace(counting_ensemble(runs=len(names), steps=5), run_ids=names)


def test_every_large_group_has_its_share_in_each_part():
    split = split_by_run(grouped({"expert": 20, "human": 10}))
    counts = {part: [sum(run.startswith(g) for run in getattr(split, part).runs) for g in ("e", "h")] for part in PARTS}
    assert counts == {"train": [12, 6], "validation": [4, 2], "test": [4, 2]}


def test_a_split_by_group_keeps_groups_whole():
    split = SPLITS["by_group"](grouped({"a": 4, "b": 4, "c": 4, "d": 4, "e": 4}))
    groups = [{run[0] for run in getattr(split, part).runs} for part in PARTS]
    assert [len(group) for group in groups] == [3, 1, 1]
    assert set.union(*groups) == set("abcde")
    with pytest.raises(ValueError, match="at least 3 names"):
        SPLITS["by_group"](grouped({"a": 4, "b": 4}))


def test_a_split_by_name_takes_groups_as_parts_and_no_other():
    kept = counting_ensemble(9, 12)
    names = ("train_1", "other_1", "test_1", "train_2", "validation_1", "test_2", "train_3", "shift_1", "validation_2")
    split = SPLITS["by_name"](replace(kept, run_ids=names))
    assert split.train.runs == ("train_1", "train_2", "train_3")
    assert split.validation.runs + split.test.runs == ("validation_1", "validation_2", "test_1", "test_2")
    with pytest.raises(ValueError, match="expects runs of a group 'train'"):
        SPLITS["by_name"](kept)


def test_equal_runs_in_two_parts_are_found():
    """Runs 0, 1 and 5 have equal numbers, 0 and 1 in one part; 2 and 3 differ at one step, 4 and 2 in their inputs."""
    plain, places = counting_ensemble(runs=6, steps=20), [0, 0, 2, 2, 2, 0]
    inputs = {name: column[places] for name, column in plain.inputs.items()}
    ensemble = replace(plain, values=plain.values[places], inputs=inputs, run_ids=tuple("abcdef"))
    ensemble.values[3, 11, 1] += 1
    ensemble.inputs["start"][4] += 1
    split = Split(*(Part(tuple(runs), 0, 20) for runs in ("abc", "d", "ef")))
    assert equal_across(ensemble, split) == [("a (train)", "f (test)")]
    assert not equal_across(ensemble, split_in_time(ensemble))
    mapped = replace(ensemble, values=ensemble.values.view(np.memmap))
    assert not equal_across(mapped, split)  # every number would be read
