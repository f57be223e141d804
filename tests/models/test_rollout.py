import sys
import time
from functools import partial
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from helpers import bouncing_counters, count_on, counting_ensemble, counting_model
from keras import layers, ops

from sim2seq.data.windows import Scaling
from sim2seq.models import stepping
from sim2seq.models.builders import MODELS, Sizes, physical
from sim2seq.models.one_step import one_step
from sim2seq.models.rollout import FEWEST, is_causal, rollout
from sim2seq.models.stepping import STEPPERS, Stepper, stepper_of

CLOSE = {"float32": 1e-5, "float64": 1e-9}
FEATURES, CONTROLS, CONDITIONS = 2, 3, 1


def scaling(size):
    return Scaling(np.full(size, 0.5), np.full(size, 2.0))


def attention(known):
    """Causal attention over learned features of each step."""
    hidden = layers.Dense(6)(known)
    return layers.MultiHeadAttention(2, 3)(hidden, hidden, use_causal_mask=True)


def convolution(known):
    return layers.Conv1D(5, 3, padding="causal", activation="tanh", dilation_rate=2)(known)


def mean_so_far(known):
    """The mean of what was known at each step up to each step: no layer that anybody would know."""
    return ops.cumsum(known, axis=1) / ops.cumsum(ops.ones_like(known), axis=1)


def deep(known):
    hidden = layers.LayerNormalization()(layers.Dense(5, activation="tanh")(known))
    hidden = layers.RNN([layers.GRUCell(4), layers.LSTMCell(3)], return_sequences=True)(layers.Dropout(0.5)(hidden))
    return layers.Activation("tanh")(hidden)


RECURRENT = {
    "lstm": lambda known: layers.LSTM(4, return_sequences=True)(known),
    "gru": lambda known: layers.GRU(4, return_sequences=True)(known),
    "simple_rnn": lambda known: layers.SimpleRNN(4, return_sequences=True)(known),
    "deep": deep,
}
REREAD = {"attention": attention, "convolution": convolution, "mean": mean_so_far}
AHEAD = {"both_ways": lambda known: layers.Bidirectional(layers.GRU(4, return_sequences=True))(known)}
NETWORKS = RECURRENT | REREAD | AHEAD

plain = partial(rollout, jit=False)  # XLA, which takes a second for each loop, is tried with one of each kind of loop


def core_with(name, *, controls=0, conditions=0, dtype="float32", lookback=None, seed=0, **last) -> keras.Model:
    """A core with the network of this name between what is known at each step and a Dense layer."""
    keras.utils.set_random_seed(seed)
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype)
    given = [keras.Input((None, FEATURES + controls), name="series", dtype=dtype)]
    if conditions:
        given.append(keras.Input((conditions,), name="inputs", dtype=dtype))
    known = ops.concatenate([given[0], *(ops.ones_like(given[0][..., :1]) * x[:, None] for x in given[1:])], axis=-1)
    before = keras.Model(given, known, name="before")
    inner = keras.Input((None, known.shape[-1]), dtype=dtype)
    network = keras.Model(inner, layers.Dense(FEATURES, **last)(NETWORKS[name](inner)), name="network")
    core = keras.Model(given, network(before(given)), name=f"{name}_core")
    keras.config.set_dtype_policy(policy)
    core.lookback, core.error_unit = lookback, 1.0
    return core


def model_with(name, window=None, *, controls=0, conditions=0, **options) -> keras.Model:
    """A model in physical units around such a core."""
    core = core_with(name, controls=controls, conditions=conditions, **options)
    scalings = {"controls": controls, "conditions": conditions}
    return physical(core, window, scaling(FEATURES), **{k: scaling(size) for k, size in scalings.items() if size})


def arrays(runs=3, window=6, steps=7, *, controls=0, conditions=0):
    """A context, and as keywords what else a model is told of `steps` steps after it."""
    draw = np.random.default_rng(0).normal
    told = {"controls": draw(size=(runs, window + steps, controls))} if controls else {}
    told |= {"conditions": draw(size=(runs, conditions))} if conditions else {}
    return draw(size=(runs, window, FEATURES)), told


def rereading(model, context, steps, *, conditions=None, controls=None, window=None):
    """The rollout by hand: at each step the model is called with everything so far, or the last `window` steps."""
    series, dtype = np.asarray(context), model.inputs[0].dtype
    for _ in range(steps):
        first = series.shape[1] - (window or series.shape[1])
        given = [series[:, first:]]
        given += [] if controls is None else [controls[:, first + 1 : series.shape[1] + 1]]
        given += [] if conditions is None else [conditions]
        given = [each.astype(dtype) for each in given]
        answer = ops.convert_to_numpy(model(given if len(given) > 1 else given[0]))
        series = np.concatenate([series, answer[:, None]], axis=1)
    return series[:, context.shape[1] :]


def small(name, window, sizes, *, units=(4,), values=None, conditions=None):
    """One of the package's models, scaled by 5 and 2, with weights at which its network matters."""
    keras.utils.set_random_seed(0)
    core = MODELS[name](sizes, SimpleNamespace(units=units), values=values, conditions=conditions)
    core.set_weights([w + 0.02 * (w.ndim > 0) if np.ndim(w) < 3 else w for w in core.get_weights()])
    of_run = Scaling(np.zeros(sizes.conditions), np.ones(sizes.conditions)) if sizes.conditions else None
    return physical(core, window, Scaling(np.full(3, 5.0), np.full(3, 2.0)), conditions=of_run)


def lstm(window, features, *, units):
    """The stacked LSTM without scaling."""
    core = MODELS["stacked_lstm"](Sizes(features, features), SimpleNamespace(units=units))
    return physical(core, window, Scaling(np.zeros(features), np.ones(features)))


# what all models share


@pytest.mark.parametrize("model", [count_on, counting_model(window=5)], ids=["simulator", "model"])
def test_a_rollout_counts_on_from_its_window(model):
    values = counting_ensemble(runs=3, steps=20).values
    np.testing.assert_array_equal(rollout(model, values[:, :5], 15), values[:, 5:])


def test_a_rollout_uses_the_weights_of_the_moment():
    model = lstm(5, 2, units=(3,))
    context = np.ones((1, 5, 2))
    before = rollout(model, context, 2)
    model.set_weights([weights * 0 + 1 for weights in model.get_weights()])
    assert not np.allclose(before, rollout(model, context, 2))


def test_runs_do_not_influence_each_other():
    model = lstm(5, 2, units=(3,))
    context = np.random.default_rng(0).normal(size=(4, 5, 2))
    np.testing.assert_allclose(plain(model, context, 6)[2:3], plain(model, context[2:3], 6), rtol=1e-4)


def test_a_float64_model_is_fed_and_answers_in_float64():
    contexts = keras.Input((2, 1), dtype="float64")
    model = keras.Model(contexts, contexts[:, -1] + 1e-9)
    values = 1 + 1e-9 * np.arange(12.0)[None, :, None]
    np.testing.assert_allclose(rollout(model, values[:, :2], 10), values[:, 2:], rtol=0, atol=1e-14)
    np.testing.assert_allclose(one_step(model, values, 2), values[:, 2:], rtol=0, atol=1e-14)


@pytest.mark.parametrize(("window", "runs"), [(30, 13), (None, 200)])
def test_370_steps_take_at_most_a_second(window, runs):
    model, context = lstm(window, 3, units=(64, 32, 16, 8)), np.zeros((runs, 30, 3))
    rollout(model, context, 370)
    start = time.process_time()  # whatever else the machine does
    rollout(model, context, 370)
    assert time.process_time() - start <= 1.0


# a state, or everything again: the same numbers


@pytest.mark.parametrize(
    ("name", "dtype", "jit"),
    [
        *((name, "float32", name in ("gru", "convolution")) for name in RECURRENT | REREAD),
        ("gru", "float64", False),
        ("convolution", "float64", False),
    ],
)
def test_a_rollout_equals_rereading_everything(name, dtype, jit):
    model, (context, _) = model_with(name, dtype=dtype), arrays()
    forecast = rollout(model, context, 7, jit=jit)
    assert forecast.dtype == dtype
    np.testing.assert_allclose(forecast, rereading(model, context, 7), rtol=0, atol=CLOSE[dtype])
    assert np.ptp(forecast[..., 0]) > 0.01


@pytest.mark.parametrize("name", ["gru", "convolution"])
def test_controls_and_conditions_are_read_again_alike(name):
    sizes = {"controls": CONTROLS, "conditions": CONDITIONS}
    model, (context, told) = model_with(name, **sizes), arrays(**sizes)
    forecast = plain(model, context, 7, **told)
    np.testing.assert_allclose(forecast, rereading(model, context, 7, **told), rtol=0, atol=1e-5)
    other = told["controls"].copy()
    other[:, 10] += 1
    changed = np.abs(plain(model, context, 7, **told | {"controls": other}) - forecast).max(axis=(0, 2))
    assert (changed[:4] == 0).all()  # steps 6 to 9
    assert (changed[4:] > 1e-4).all()


@pytest.mark.parametrize(("name", "steps"), [("gru", 3), ("convolution", 3), ("convolution", 1)])
def test_a_context_may_have_a_single_step(name, steps):
    model, (context, _) = model_with(name), arrays(window=1)
    by_hand = rereading(model, context, steps)
    np.testing.assert_allclose(plain(model, context, steps), by_hand, rtol=0, atol=1e-5)


def test_more_runs_than_fit_in_a_call_are_forecast_in_parts():
    model, (context, _) = model_with("convolution"), arrays(runs=70)
    np.testing.assert_allclose(plain(model, context, 2), rereading(model, context, 2), rtol=0, atol=1e-5)


def test_a_forecast_too_large_to_be_copied_at_each_step_is_not(monkeypatch):
    """Such a graph alone took 25 s for 200 steps of 40 runs and 1000 features, by XLA 1 s."""
    model, (context, _), asked = model_with("gru"), arrays(), []
    module = sys.modules["sim2seq.models.rollout"]
    real = module.compiled_loop
    monkeypatch.setattr(module, "compiled_loop", lambda *told: asked.append(told[-1]) or real(*told))
    small = plain(model, context, 3)
    monkeypatch.setattr(module, "COPIED", 0)
    np.testing.assert_allclose(plain(model, context, 3), small, rtol=0, atol=1e-5)
    assert asked == [False, True]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("conditions", [0, 2])
def test_carrying_the_state_equals_reading_everything_again(name, conditions):
    values = bouncing_counters(runs=4, steps=30)
    given = np.random.default_rng(0).normal(size=(4, conditions)) if conditions else None
    sizes = Sizes(3, 3, conditions=conditions)
    model = small(name, None, sizes, units=(5, 4), values=values, conditions=given)
    for runs in (4, 1):
        told = {"conditions": given if given is None else given[:runs]}
        forecast = plain(model, values[:runs, :6], 8, **told)
        np.testing.assert_allclose(forecast, rereading(model, values[:runs, :6], 8, **told), rtol=1e-4, atol=1e-4)
        assert np.ptp(forecast) > 0.1


@pytest.mark.parametrize("name", MODELS)
def test_the_models_of_the_package_carry_a_state(name):
    core = stepping.core_of(small(name, None, Sizes(3, 3), values=bouncing_counters(runs=4, steps=30)))
    assert stepper_of(core) is not None


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_steps_when_all_its_layers_do(name):
    assert (stepper_of(core_with(name)) is not None) == (name in RECURRENT)


def test_a_loaded_model_rolls_out_as_the_one_that_was_saved(tmp_path):
    model, (context, told) = model_with("gru", controls=CONTROLS), arrays(controls=CONTROLS)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(plain(loaded, context, 7, **told), plain(model, context, 7, **told))
    assert stepper_of(stepping.core_of(loaded)) is not None


def test_a_state_is_left_where_a_model_sees_the_last_steps_only():
    """A GRU told to look back 4 steps: its state after a longer context would know more."""
    model, (context, _) = model_with("gru", lookback=4), arrays(window=8)
    by_hand = rereading(model, context, 5)
    np.testing.assert_allclose(plain(model, context, 5), by_hand, rtol=0, atol=1e-5)
    assert np.abs(plain(model_with("gru"), context, 5) - by_hand).max() > 1e-4
    np.testing.assert_allclose(one_step(model, context, 6)[:, :1], rereading(model, context[:, :6], 1), atol=1e-5)


def test_what_is_made_of_the_answers_is_made_at_each_step():
    """A core whose answers are decoded before they are scaled back, as `core.decode` does."""
    core = core_with("lstm")
    core.decode = lambda answer: ops.tanh(answer) ** 2
    model, (context, _) = physical(core, None, scaling(FEATURES)), arrays()
    forecast = plain(model, context, 4)
    np.testing.assert_allclose(forecast, rereading(model, context, 4), rtol=0, atol=1e-5)
    assert forecast.min() >= 0.5  # 2 tanh^2 + 0.5
    np.testing.assert_allclose(
        one_step(model, context, 5)[:, 0], ops.convert_to_numpy(model(context[:, :5])), atol=1e-5
    )


@pytest.mark.parametrize("told", [{}, {"controls": CONTROLS, "conditions": CONDITIONS}], ids=["alone", "told"])
def test_a_foreign_model_of_any_length_is_read_again(told):
    sizes, (context, told) = told, arrays(**told)
    keras.utils.set_random_seed(0)
    window = keras.Input((None, FEATURES))
    others = [keras.Input((None, CONTROLS)), keras.Input((CONDITIONS,))] if sizes else []
    hidden = layers.GRU(4)(layers.Concatenate()([window, others[0]]) if others else window)
    hidden = layers.Concatenate()([hidden, others[1]]) if others else hidden
    model = keras.Model([window, *others] if others else window, layers.Dense(FEATURES)(hidden))
    forecast = rollout(model, context, 7, **told)
    np.testing.assert_allclose(forecast, rereading(model, context, 7, **told), rtol=0, atol=1e-6)


def test_a_context_may_be_of_any_length_where_the_model_allows():
    model, values = lstm(None, 3, units=(4,)), bouncing_counters(runs=2, steps=10)
    longer, shorter = (plain(model, values[:, :length], 4) for length in (9, 5))
    assert longer.shape == shorter.shape == (2, 4, 3)
    np.testing.assert_allclose(plain(model, values[:, :9], 4), longer)


# a network that says how it steps


def mean_stepper(calls: list, *, start=0.0):
    """How `mean_so_far` and the Dense layer after it step: from the sum and the count so far."""

    def of(core):
        (dense,) = (layer for layer in stepping.network_of(core).layers if isinstance(layer, layers.Dense))

        def step(known, state):
            calls.append(known.shape)
            total, count = state[0] + known, state[1] + 1
            return dense(total / count), (total, count)

        return Stepper(lambda runs: (ops.zeros((runs, FEATURES)), ops.full((runs, 1), start)), step)

    return of


def test_a_declared_stepper_is_used_and_equals_rereading():
    model, (context, _), calls = model_with("mean"), arrays(), []
    stepper = mean_stepper(calls)(stepping.core_of(model))
    by_hand = rereading(model, context, 7)
    np.testing.assert_allclose(plain(model, context, 7, stepper=stepper), by_hand, rtol=0, atol=1e-5)
    assert (FEWEST, FEATURES) in calls  # of three runs, padded


def test_a_stepper_in_the_table_is_used(monkeypatch):
    model, (context, _), calls = model_with("mean", seed=1), arrays(), []
    monkeypatch.setitem(STEPPERS, "mean_core", mean_stepper(calls))
    np.testing.assert_allclose(plain(model, context, 7), rereading(model, context, 7), rtol=0, atol=1e-5)
    assert (FEWEST, FEATURES) in calls


def test_a_stepper_that_answers_otherwise_is_refused():
    model, (context, _) = model_with("mean"), arrays()
    with pytest.raises(ValueError, match="mean_core: expected a stepper that answers as the model does"):
        rollout(model, context, 7, stepper=mean_stepper([], start=1.0)(stepping.core_of(model)))
    with pytest.raises(ValueError, match="stepper: expected a model of any length"):
        rollout(counting_model(), np.zeros((1, 5, 2)), 3, stepper=mean_stepper([])(stepping.core_of(model)))


# who sees ahead


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("last", ["glorot_uniform", "zeros"])
def test_only_what_reads_both_ways_is_not_causal(name, last):
    """Weights of 0, as of a network on a linear part before its training, hide nothing."""
    assert is_causal(core_with(name, kernel_initializer=last)) == (name not in AHEAD)


def test_a_small_part_that_reads_both_ways_is_found():
    """Its weight beside a causal linear part is a millionth, as where the linear part fits well."""
    series, answer = keras.Input((None, FEATURES)), keras.Input((None, FEATURES), name="answer")
    both = core_with("both_ways")
    before = keras.Model(series, [series, series * 0.9], name="before")
    following = keras.Input((None, FEATURES))
    after = keras.Model([following, answer], following + 1e-6 * answer, name="after")
    known, linear = before(series)
    core = keras.Model(series, after([linear, stepping.network_of(both)(known)]), name="residual")
    assert not is_causal(core)


def test_reading_both_ways_is_refused_at_any_length():
    model, (context, _) = model_with("both_ways"), arrays()
    for forecast in (lambda: rollout(model, context, 3), lambda: one_step(model, context, 3)):
        with pytest.raises(ValueError, match=r"both_ways_core: expected a fixed window.*bidirectional"):
            forecast()


def test_reading_both_ways_is_allowed_in_a_fixed_window():
    model, (context, _) = model_with("both_ways", 6), arrays()
    by_hand = rereading(model, context, 7, window=6)
    np.testing.assert_allclose(plain(model, context, 7), by_hand, rtol=0, atol=1e-5)
    as_callable = plain(lambda window: ops.convert_to_numpy(model(window.astype("float32"))), context, 7)
    np.testing.assert_allclose(as_callable, by_hand, rtol=0, atol=1e-5)


# controls: the sum of all but the first is exact, and no other alignment gives it


def summing(window) -> keras.Model:
    """The last value plus the control of the next step, in physical units."""
    values, controls = keras.Input((window, 1), name="window"), keras.Input((window, 1), name="controls")
    return keras.Model([values, controls], (values + controls)[:, -1])


def summing_core(network, weights) -> keras.Model:
    """The same by a network with these weights, which is given the value and the control of the next step."""
    network.set_weights(weights)
    series, nothing = keras.Input((None, 2), name="series"), Scaling(np.zeros(1), np.ones(1))
    core = keras.Model(series, network(series), name="summing")
    core.lookback = None
    return physical(core, None, nothing, controls=nothing)


def built(layer) -> keras.Model:
    known = keras.Input((None, 2))
    return keras.Model(known, layer(known), name="network")


def state_of_controls() -> keras.Model:
    """The sum of the controls so far, in the state of a layer that does not look at the values."""
    layer = layers.SimpleRNN(1, activation=None, use_bias=False, return_sequences=True)
    return summing_core(built(layer), [np.array([[0.0], [1.0]]), np.ones((1, 1))])


SUMMING = {
    "simulator": lambda: lambda window, controls: window[:, -1] + controls[:, -1],
    "fixed window": lambda: summing(4),
    "any length": lambda: summing(None),
    "no state": lambda: summing_core(built(layers.Dense(1, use_bias=False)), [np.ones((2, 1))]),
    "state": state_of_controls,
    "read again": lambda: summing_core(built(layers.Conv1D(1, 1, use_bias=False)), [np.ones((1, 2, 1))]),
}


@pytest.mark.parametrize("kind", SUMMING)
def test_a_control_acts_on_its_own_step(kind):
    model, controls = SUMMING[kind](), np.array([1, 3])[:, None, None] * 2.0 ** np.arange(12)[None, :, None]
    values = np.cumsum(controls, axis=1) - controls[:, :1]  # 0, 2, 6, 14, ... and three times that
    np.testing.assert_array_equal(rollout(model, values[:, :4], 8, controls=controls), values[:, 4:])
    if isinstance(model, keras.Model):
        np.testing.assert_array_equal(one_step(model, values, 4, controls=controls), values[:, 4:])


# one step


def test_one_step_is_fed_the_truth():
    values = counting_ensemble(runs=3, steps=20).values
    np.testing.assert_array_equal(one_step(counting_model(window=5), values, 5), values[:, 5:])


def test_one_step_of_more_windows_than_a_batch_is_in_order():
    values = counting_ensemble(runs=30, steps=60).values  # 30 times 55 windows
    np.testing.assert_array_equal(one_step(counting_model(window=5), values, 5), values[:, 5:])


@pytest.mark.parametrize("name", ["stacked_lstm", "residual_lstm"])
def test_one_step_with_a_state_knows_the_run_from_its_start(name):
    values = bouncing_counters(runs=4, steps=12)
    model = small(name, None, Sizes(3, 3), values=values)
    fed = values.astype(model.inputs[0].dtype)
    by_hand = np.stack([ops.convert_to_numpy(model(fed[:, :end])) for end in range(5, 12)], axis=1)
    np.testing.assert_allclose(one_step(model, values, 5), by_hand, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("name", "window"), [("gru", None), ("attention", None), ("gru", 4)])
def test_one_step_is_told_controls_and_conditions(name, window):
    sizes = {"controls": CONTROLS, "conditions": CONDITIONS}
    model, (values, told) = model_with(name, window, **sizes), arrays(window=9, steps=0, **sizes)
    for step in range(4, 9):
        cut = told | {"controls": told["controls"][:, : step + 1]}
        by_hand = rereading(model, values[:, :step], 1, window=window, **cut)
        np.testing.assert_allclose(one_step(model, values, 4, **told)[:, [step - 4]], by_hand, rtol=0, atol=1e-5)


# what does not fit


@pytest.mark.parametrize("shape", [(3, 4, 2), (3, 5, 1), (5, 2)])
def test_a_window_or_features_that_do_not_fit_are_refused(shape):
    with pytest.raises(ValueError, match="expect"):
        rollout(counting_model(window=5, features=2), np.zeros(shape), 3)


def test_a_simulator_that_returns_a_wrong_shape_is_refused():
    with pytest.raises(ValueError, match=r"\(runs, features\) = \(3, 2\)"):
        rollout(lambda window: window, np.zeros((3, 5, 2)), 3)
    with pytest.raises(ValueError, match="at least 1"):
        rollout(count_on, np.zeros((3, 5, 2)), 0)


def test_a_model_that_answers_with_other_features_is_refused():
    window = keras.Input((5, 2))
    with pytest.raises(ValueError, match=r"expected answers \(runs, features\)"):
        rollout(keras.Model(window, window[:, -1, :1]), np.zeros((3, 5, 2)), 2)


def test_conditions_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"conditions: the model expects none; got \(3, 1\)"):
        rollout(counting_model(window=5), np.zeros((3, 5, 2)), 2, conditions=np.zeros((3, 1)))
    with pytest.raises(ValueError, match=r"conditions: the model expects \(3, 1\); got none"):
        rollout(model_with("gru", 5, conditions=1), np.zeros((3, 5, 2)), 2)


@pytest.mark.parametrize("kind", ["simulator", "fixed window"])
def test_controls_that_end_before_the_forecast_are_refused(kind):
    with pytest.raises(ValueError, match=r"controls: .*expect.*\(?2, 9, .*got \(2, 8, 1\)"):
        rollout(SUMMING[kind](), np.zeros((2, 4, 1)), 5, controls=np.zeros((2, 8, 1)))


def test_a_context_shorter_than_the_lags_is_refused():
    model = small("autoregression", None, Sizes(3, 3), values=bouncing_counters(runs=4, steps=30))
    with pytest.raises(ValueError, match="context: autoregression expects more than 2 steps"):
        rollout(model, np.zeros((1, 2, 3)), 4)


def test_a_simulator_is_given_the_conditions_of_its_runs():
    forecast = rollout(lambda window, pace: window[:, -1] + pace, np.zeros((2, 5, 1)), 3, conditions=[[1], [2]])
    np.testing.assert_array_equal(forecast[..., 0], [[1, 2, 3], [2, 4, 6]])
