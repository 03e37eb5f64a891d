"""The layer: literal cases of the peers, Keras semantics, gradients, errors."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from common import central_differences
from crnn import SimpleRNN

DTYPES = ["float32", "float64"]
MASK = np.array([[1, 1, 0, 1], [1, 0, 0, 1]], bool)


def constant_layer(features, units, dtype, **options):
    layer = SimpleRNN(units, dtype=dtype, **options)
    weights = np.full((features, units), 0.01), np.full((units, units), 0.02), np.full(units, 0.03)
    return layer.set_weights(weights)


def assert_units(got, values):
    """Each row of the output has one value in all its units, as the peers print it."""
    wanted = np.broadcast_to(np.array(values)[..., None], np.shape(got))
    np.testing.assert_allclose(got, wanted, atol=1e-6, rtol=0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("backwards", "values"), [(False, [0.405432, 0.736053]), (True, [0.111447, 0.552889])]
)
def test_keras_output(backwards, values, dtype):
    layer = constant_layer(3 + 1, 4, dtype, go_backwards=backwards)
    assert_units(layer(np.arange(24.0).reshape(2, 3, 4)), values)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("backwards", "values"), [(False, [0.336216, 0.626264]), (True, [0.073444, 0.430436])]
)
def test_keras_initial_state(backwards, values, dtype):
    layer = constant_layer(3, 4, dtype, go_backwards=backwards)
    state = np.arange(8.0).reshape(2, 4)
    assert_units(layer(np.arange(24.0).reshape(2, 4, 3), initial_state=state), values)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("backwards", "values"), [(False, [0.329516, 0.617995]), (True, [0.073762, 0.436451])]
)
def test_keras_mask(backwards, values, dtype):
    layer = constant_layer(3, 4, dtype, go_backwards=backwards)
    assert_units(layer(np.arange(24.0).reshape(2, 4, 3), mask=MASK), values)


@pytest.mark.parametrize("dtype", DTYPES)
def test_keras_mask_sequences(dtype):
    layer = constant_layer(3, 2, dtype, return_sequences=True)
    got = layer(np.arange(24.0).reshape(2, 4, 3), mask=MASK)
    assert_units(
        got,
        [[0.059928, 0.151228, 0.151228, 0.323946], [0.396930, 0.396930, 0.396930, 0.608085]],
    )


@pytest.mark.parametrize("dtype", DTYPES)
def test_onnx_node(dtype):
    layer = SimpleRNN(4, dtype=dtype)
    layer.set_weights([np.full((2, 4), 0.1), np.full((4, 4), 0.1), np.zeros(4)])
    got = layer(np.array([[[1.0, 2]], [[3, 4]], [[5, 6]]]))
    assert_units(got, [0.291313, 0.604368, 0.800499])


def test_single_sequence_is_the_loop_of_the_book():
    layer = SimpleRNN(64, random_state=0, dtype="float64", return_sequences=True)
    inputs = np.random.default_rng(0).random((100, 32))
    outputs = layer(inputs)
    state = np.zeros(64)
    for x, output in zip(inputs, outputs, strict=True):
        state = np.tanh(x @ layer.kernel_ + state @ layer.recurrent_kernel_ + layer.bias_)
        np.testing.assert_allclose(output, state, rtol=1e-12, atol=1e-14)


def test_shapes_and_state():
    X = np.random.default_rng(0).normal(size=(5, 3, 2))
    layer = SimpleRNN(4, random_state=0, return_sequences=True, return_state=True)
    sequences, state = layer(X)
    assert sequences.shape == (5, 3, 4)
    assert sequences.dtype == np.float32
    np.testing.assert_array_equal(sequences[:, -1], state)
    layer.return_sequences = False
    np.testing.assert_array_equal(layer(X)[0], state)
    one, one_state = layer(X[1])
    assert one.shape == one_state.shape == (4,)
    np.testing.assert_allclose(one, state[1], rtol=1e-6)


def test_go_backwards_is_the_reversed_input():
    X = np.random.default_rng(0).normal(size=(5, 7, 2))
    mask = np.random.default_rng(1).random((5, 7)) > 0.5
    forward = SimpleRNN(4, random_state=0, return_sequences=True)
    wanted = forward(X[:, ::-1], mask=mask[:, ::-1])
    backward = SimpleRNN(4, return_sequences=True, go_backwards=True)
    np.testing.assert_array_equal(backward.set_weights(forward.get_weights())(X, mask=mask), wanted)


def test_state_carries_through_a_leading_mask():
    X, state = np.ones((1, 3, 2)), np.full((1, 4), 0.5, np.float32)
    layer = SimpleRNN(4, random_state=0, return_sequences=True)
    got = layer(X, initial_state=state, mask=[[False, False, True]])
    np.testing.assert_array_equal(got[:, :2], np.stack([state, state], axis=1))
    assert not np.array_equal(got[:, 2], state)


@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid", "linear"])
@pytest.mark.parametrize("return_sequences", [False, True])
@pytest.mark.parametrize("go_backwards", [False, True])
def test_backward_against_central_differences(activation, return_sequences, go_backwards):
    rng = np.random.default_rng(0)
    X, state = rng.normal(size=(3, 4, 2)), rng.normal(size=(3, 5))
    mask = np.array([[1, 1, 1, 1], [0, 1, 0, 1], [0, 0, 0, 0]], bool)
    layer = SimpleRNN(
        5,
        activation=activation,
        return_sequences=return_sequences,
        go_backwards=go_backwards,
        random_state=1,
        dtype="float64",
    )
    output = layer(X, initial_state=state, mask=mask)
    direction = rng.normal(size=output.shape)
    gradients = layer.backward(direction)

    def loss():
        return np.sum(layer(X, initial_state=state, mask=mask) * direction)

    for name, array in [
        ("inputs", X),
        ("initial_state", state),
        ("kernel", layer.kernel_),
        ("recurrent_kernel", layer.recurrent_kernel_),
        ("bias", layer.bias_),
    ]:
        numeric = central_differences(loss, array)
        np.testing.assert_allclose(gradients[name], numeric, rtol=1e-7, atol=1e-8)


def test_initial_weights():
    layer = SimpleRNN(20, random_state=0)
    layer(np.zeros((1, 1, 10)))
    again = SimpleRNN(20, random_state=0)
    again(np.zeros((1, 1, 10)))
    for a, b in zip(layer.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    product = layer.recurrent_kernel_ @ layer.recurrent_kernel_.T
    np.testing.assert_allclose(product, np.eye(20), atol=1e-6)
    limit = np.sqrt(6 / 30)
    assert 0.9 * limit < np.abs(layer.kernel_).max() <= limit
    assert not layer.bias_.any()


@pytest.mark.parametrize(
    "options",
    [
        {"units": 0},
        {"units": 2.0},
        {"units": True},
        {"units": 10**400},
        {"activation": "gelu"},
        {"dtype": "int32"},
        {"n_jobs": "all"},
        {"n_jobs": True},
        {"random_state": True},
        {"return_sequences": "yes"},
    ],
    ids=repr,
)
def test_bad_parameters(options):
    ((name, value),) = options.items()
    message = f"The '{name}' parameter of SimpleRNN.* must be .* Got {value!r} instead"
    with pytest.raises(ValueError, match=message):
        SimpleRNN(**{"units": 2} | options)


def test_bad_calls_leave_the_layer_as_it_was():
    layer = constant_layer(3, 2, "float32")
    weights = layer.get_weights()
    X = np.ones((2, 4, 3))
    with pytest.raises(ValueError, match="call the layer first"):
        layer.backward(np.ones((2, 2)))
    for call, message in [
        (lambda: layer(np.ones(3)), r"got \(3,\)"),
        (lambda: SimpleRNN(2)(np.ones((2, 4, 0))), r"\(2, 4, 0\), .* at least one feature"),
        (lambda: SimpleRNN(2)(np.ones((4, 0))), "at least one feature"),
        (lambda: layer.set_weights([np.ones((0, 2)), np.ones((2, 2)), np.ones(2)]), "weights must"),
        (lambda: layer(np.ones((2, 4, 5))), "inputs has 5 features, .* weights for 3"),
        (lambda: layer(X, initial_state=np.ones((2, 3))), r"initial_state must have .*\(2, 2\)"),
        (lambda: layer(X, mask=np.ones((2, 3))), r"mask must have shape \(2, 4\), got \(2, 3\)"),
        (lambda: layer.set_weights([np.ones((3, 2))]), "weights must be"),
        (lambda: (layer(X), layer.backward(np.ones((2, 3)))), r"grad_output must have"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()
    for a, b in zip(layer.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_finite_numbers_that_overflow_are_refused():
    layer = constant_layer(3, 2, "float32")
    X, kernel = np.ones((2, 4, 3)), np.ones((3, 2))
    X[1, 2, 0] = kernel[2, 1] = 1e300
    place = r"is 1e\+300, which is too large for float32. Scale"
    for call, message in [
        (lambda: layer(X), rf"inputs\[1, 2, 0\] {place}"),
        (lambda: layer(X[1].tolist()), rf"inputs\[2, 0\] {place}"),
        (lambda: layer(X[:, :2], initial_state=[[0, 0], [0, -1e39]]), r"state\[1, 1\] is -1e\+39"),
        (lambda: layer.set_weights([kernel, np.eye(2), [0, 0]]), rf"weights\[0\]\[2, 1\] {place}"),
        (lambda: (layer(X[:, :2]), layer.backward(X[:, 2, :2])), rf"output\[1, 0\] {place}"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()
    assert layer.get_weights()[0].max() == np.float32(0.01)
    assert np.isfinite(SimpleRNN(2, dtype="float64")(X)).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_nan_and_infinity_are_computed_with(dtype):
    layer = SimpleRNN(1, dtype=dtype).set_weights([[[1.0]], [[0.0]], [0.0]])
    got = layer(np.array([[[np.inf]], [[-np.inf]], [[np.nan]]]))
    np.testing.assert_array_equal(got, [[1], [-1], [np.nan]])
    start = layer([[[0.5]]], initial_state=[[np.nan]])
    np.testing.assert_array_equal(start, [[np.nan]])
    layer.set_weights([[[np.inf]], [[0.0]], [0.0]])
    np.testing.assert_array_equal(layer([[[2.0]]]), [[1]])


@pytest.mark.parametrize("shape", [(0, 3, 2), (2, 0, 2)])
def test_nothing_to_read(shape):
    layer = SimpleRNN(4, random_state=0)
    np.testing.assert_array_equal(layer(np.zeros(shape)), np.zeros((shape[0], 4)))


def test_pickles_hold_the_weights_and_no_call():
    X = np.random.default_rng(0).normal(size=(50, 30, 3))
    layer = SimpleRNN(8, return_sequences=True, go_backwards=True, dtype="float64", random_state=0)
    outputs = layer(X)
    data = pickle.dumps(layer)
    assert len(data) < 4000
    again = pickle.loads(data)
    np.testing.assert_array_equal(again(X), outputs)
    with pytest.raises(ValueError, match="call the layer first"):
        pickle.loads(data).backward(np.ones_like(outputs))
    assert pickle.loads(pickle.dumps(SimpleRNN(8))).get_weights() == []
    layer.kernel_ = layer.kernel_[:, :3]
    with pytest.raises(ValueError, match="weights must be"):
        pickle.loads(pickle.dumps(layer))


def test_no_gradients_of_a_call_that_failed():
    layer = SimpleRNN(4, random_state=0)
    layer(np.ones((2, 3, 5)))
    layer.recurrent_kernel_ = np.ones((3, 3), np.float32)
    with pytest.raises(ValueError, match="must"):
        layer(np.ones((2, 3, 5)))
    with pytest.raises(ValueError, match="call the layer first"):
        layer.backward(np.ones((2, 4)))


def test_a_call_keeps_what_its_gradients_need():
    X = np.random.default_rng(0).normal(size=(6, 5, 3))
    layer = SimpleRNN(4, random_state=0, dtype="float64")
    states = layer(X)
    kept = states.copy()
    wanted = layer.backward(np.ones((6, 4)))
    again = layer.backward(np.ones((6, 4)))
    np.testing.assert_array_equal(wanted.kernel, again.kernel)
    np.testing.assert_array_equal(states, kept)


@pytest.mark.parametrize("go_backwards", [False, True])
def test_what_is_changed_after_a_call_does_not_change_its_gradients(go_backwards):
    rng = np.random.default_rng(0)
    X, start, mask = rng.normal(size=(6, 5, 3)), rng.normal(size=(6, 4)), rng.random((6, 5)) > 0.3
    options = {"random_state": 0, "dtype": "float64", "go_backwards": go_backwards}

    def called():
        layer = SimpleRNN(4, **options, return_sequences=True)
        arrays = {"inputs": X.copy(), "initial_state": start.copy(), "mask": mask.copy()}
        return layer, arrays, layer(**arrays)

    layer, _, output = called()
    wanted = layer.backward(output)
    changes = {
        name: lambda layer, arrays, name=name: np.multiply(
            getattr(layer, name), 0, out=getattr(layer, name)
        )
        for name in ("kernel_", "recurrent_kernel_", "bias_")
    }
    changes |= {
        name: lambda layer, arrays, name=name: arrays[name].fill(0)
        for name in ("inputs", "initial_state", "mask")
    }
    changes["a setting"] = lambda layer, arrays: vars(layer).update(
        go_backwards=not go_backwards, return_sequences=False, units=9
    )
    for what, change in changes.items():
        layer, arrays, output = called()
        change(layer, arrays)
        got = layer.backward(output)
        for name in wanted:
            np.testing.assert_array_equal(got[name], wanted[name], err_msg=f"{what}, {name}")


@pytest.mark.parametrize("B", [1, 2])
def test_one_sequence_backwards(B):
    X = np.random.default_rng(0).normal(size=(B, 5, 3))
    layer = SimpleRNN(4, go_backwards=True, random_state=0)
    turned = SimpleRNN(4, random_state=0)
    np.testing.assert_array_equal(layer(X), turned(X[:, ::-1]))
    grad = np.ones((B, 4))
    np.testing.assert_array_equal(
        layer.backward(grad).inputs, turned.backward(grad).inputs[:, ::-1]
    )


def test_pickles_keep_what_a_subclass_has():
    class Named(SimpleRNN):
        pass

    layer = Named(3, random_state=0)
    layer.name, layer._own = "encoder", [1]
    layer(np.ones((1, 2, 2)))
    again = copy.deepcopy(layer)
    assert (again.name, again._own) == ("encoder", [1])
    np.testing.assert_array_equal(again.kernel_, layer.kernel_)


def test_first_calls_from_several_threads():
    X = np.ones((2, 3, 5))
    wanted = SimpleRNN(300, random_state=0)(X)
    for _ in range(5):
        layer = SimpleRNN(300, random_state=0)
        with ThreadPoolExecutor(4) as pool:
            for got in pool.map(layer, [X] * 4):
                np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"units": True}, "'units' parameter"),
        ({"activation": "x"}, "'activation' parameter"),
        ({"n_jobs": "2"}, "'n_jobs' parameter"),
        ({"units": None}, "'units'"),
        ({"kernel_": None}, "weights must be"),
    ],
)
def test_pickles_that_are_not_what_they_say(change, message):
    layer = SimpleRNN(3, random_state=0)
    layer(np.ones((1, 2, 2)))
    with pytest.raises(ValueError, match=message):
        SimpleRNN(1).__setstate__(layer.__getstate__() | change)


@pytest.mark.parametrize("name", ["units", "n_jobs", "kernel_", "bias_"])
def test_pickles_that_lack_something(name):
    layer = SimpleRNN(3, random_state=0)
    layer(np.ones((1, 2, 2)))
    state = layer.__getstate__()
    del state[name]
    with pytest.raises(ValueError, match=rf"lacks \['{name}'\]"):
        SimpleRNN(1).__setstate__(state)


def test_a_stream_beyond_its_words():
    stream = np.random.RandomState(np.random.Philox(0))
    state = stream.get_state(legacy=False)
    state["buffer_pos"] = -(2**30)
    stream._bit_generator.state = state
    with pytest.raises(ValueError, match="the random stream has the position"):
        copy.deepcopy(SimpleRNN(3, random_state=stream))
