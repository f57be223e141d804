"""Settings of a training: parsed by the type of their default, recipes and sizes, refused in one line."""

import pytest

from sim2seq.training.settings import DEBUG, Settings


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("epoch=2", r"unknown setting 'epoch'; known: model, budget, units, window, inputs, controls, members, loss"),
        ("epochs=two", "setting epochs: expected int, like 20; got 'two'"),
        ("epochs=0", "setting epochs: expected a number above 0"),
        ("jit_compile=yes", "setting jit_compile: expected bool"),
        ("units=8,x", "setting units: expected numbers with commas between"),
        ("model=transformer", "unknown model 'transformer'; known: combined, stacked_lstm, autoregression, residual"),
        ("members=3", "setting members: of one model alone, such as model:stacked_lstm"),
        ("window=2 model=autoregression", "setting window: autoregression needs 3 steps or more; got 2"),
        ("split=random", "unknown split 'random'; known: by_run, by_group, by_name, in_time"),
        ("size=huge", "unknown size 'huge'; known: full, stacked_lstm, autoregression, debug"),
        ("recipe=lstm", "unknown recipe 'lstm'; known: full, stacked_lstm, autoregression, debug"),
        ("epochs", "expected name:value; got 'epochs'"),
    ],
)
def test_an_impossible_setting_is_refused_in_one_line(assignment, said):
    with pytest.raises(ValueError, match=said) as refusal:
        Settings.parse(assignment.split())
    assert "\n" not in str(refusal.value)


def test_settings_are_parsed_by_the_type_of_their_default():
    settings = Settings.parse(["epochs=2", "units=8,4", "learning_rate=1e-4", "jit_compile=false", "split=in_time"])
    assert settings == Settings(epochs=2, units=(8, 4), learning_rate=1e-4, jit_compile=False, split="in_time")
    assert Settings.parse(["seed:0"]).seed == 0  # Merlin takes no second equals sign in --vars
    assert Settings.parse(["size=debug"]) == DEBUG
    assert Settings.parse(["size=debug", "epochs=3"]).units == DEBUG.units


def test_a_recipe_is_a_ready_set_and_the_size_goes_over_it():
    whole, small = (Settings.parse(["recipe:autoregression", *more]) for more in ([], ["size:debug", "epochs=3"]))
    assert (whole.model, whole.units) == ("autoregression", (16, 16))
    assert (small.model, small.units, small.epochs) == ("autoregression", (8,), 3)
    assert small.learning_rate == whole.learning_rate
    assert Settings.parse(["recipe=autoregression"], base=Settings(seed=5)) == Settings(**{**vars(whole), "seed": 5})
