"""Every layer, and networks of all kinds, against central differences in double precision.

A new layer joins by a line in ``LAYERS``, a new option by one in ``random_options``.
"""

import numpy as np
import pytest

from common import central_differences
from crnn._data.batches import pack, tile_of
from crnn._data.sequences import offsets_of, series_sequences, token_sequences
from crnn._layers.bidirectional import Bidirectional
from crnn._layers.bigrams import Bigrams
from crnn._layers.dropout import Dropout
from crnn._layers.embedding import Embedding
from crnn._layers.network import Network, Sizes
from crnn._layers.pooling import POOLINGS, Pooling
from crnn._layers.recurrent import Recurrent
from crnn._layers.steps import Pass, RowGradient, Steps
from crnn._layers.workspace import Workspace
from crnn._training.losses import Labels, ManyClasses, Numbers
from crnn._training.trainer import Trainer

V, F = 6, 3
LENGTHS = [7, 0, 3, 5, 5, 1, *[4] * 25]  # several tiles


def tokens(mask_zero=True, keep_pads=False):
    ids = np.random.default_rng(0).integers(0, V, sum(LENGTHS))
    options = {"n_rows": V, "open_vocabulary": False, "mask_zero": mask_zero}
    return token_sequences(ids, offsets_of(LENGTHS), keep_pads=keep_pads, **options)


def series():
    steps = np.random.default_rng(0).normal(size=(sum(LENGTHS), F))
    return series_sequences(steps, offsets_of(LENGTHS), "float64", F)


def packed(sequences, bigrams=0):
    sequences = sequences.with_bigrams(bigrams) if bigrams else sequences
    return pack(sequences, np.arange(len(sequences)), Workspace(), 1, V, bigrams)


def steps(shared, bigrams=0):
    """Rows that several transitions read, as those of words, or one for each transition."""
    batch = packed(tokens(), bigrams)
    n, N = len(batch.ids), batch.n_transitions
    values = np.random.default_rng(1).normal(size=(n if shared else N, F))
    return Steps(batch, values, batch.rows if shared else None, learned=True)


def states():
    rng = np.random.default_rng(2)
    return {name: rng.normal(size=(4, 3)) for name in POOLINGS}


def features():
    return np.random.default_rng(2).normal(size=(4, 3))


LAYERS = {
    "embedding": (Embedding(V, F, False), lambda: packed(tokens())),
    "embedding, dropout": (Embedding(V, F, False, 0.5, 0.2), lambda: packed(tokens())),
    "bigrams": (Bigrams(7, F, 0.4), lambda: steps(True, bigrams=7)),
    "recurrent, last": (Recurrent("r", F, 4, "tanh", pooling=("last",)), lambda: steps(True)),
    "recurrent, mean": (Recurrent("r", F, 4, "tanh", pooling=("mean",)), lambda: steps(False)),
    "recurrent, max": (Recurrent("r", F, 4, "sigmoid", pooling=("max",)), lambda: steps(True)),
    "recurrent, all": (Recurrent("r", F, 4, "tanh", pooling=POOLINGS), lambda: steps(False)),
    "recurrent, ties": (
        Recurrent("r", F, 4, "tanh", pooling=POOLINGS, ties=True), lambda: steps(True)
    ),
    "recurrent, steps": (Recurrent("r", F, 4, "linear"), lambda: steps(True)),
    "bidirectional": (Bidirectional("b", F, 4, "tanh", pooling=POOLINGS), lambda: steps(True)),
    "bidirectional, series": (
        Bidirectional("b", F, 4, "tanh", pooling=("last",)), lambda: steps(False)
    ),
    "bidirectional, steps": (Bidirectional("b", F, 4, "tanh"), lambda: steps(True)),
    "bidirectional, steps of series": (Bidirectional("b", F, 4, "relu"), lambda: steps(False)),
    "pooling": (Pooling(POOLINGS), states),
    "dropout": (Dropout(0.3), features),
}  # fmt: skip


def arrays_of(x):
    """The numbers that flow between layers, by name."""
    if isinstance(x, Steps):
        return {"values": x.values}
    if isinstance(x, dict):
        return x
    return {"x": x} if isinstance(x, np.ndarray) else {}


def with_arrays(x, arrays):
    if isinstance(x, Steps):
        return x._replace(**arrays)
    return arrays if isinstance(x, dict) else arrays.get("x", x)


def dense(gradient, like):
    if not isinstance(gradient, RowGradient):
        return gradient
    out = np.zeros_like(like)
    out[gradient.ids] = gradient.rows
    return out


def assert_central_differences(function, arrays, gradients):
    """``gradients`` of ``function()`` by the arrays, which are changed in place meanwhile."""
    for name, array in arrays.items():
        numeric = central_differences(function, array)
        error = np.linalg.norm(gradients[name] - numeric)
        assert error <= 1e-7 * max(np.linalg.norm(numeric), 1e-2), (name, error)


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name):
    layer, make_input = LAYERS[name]
    rng, x = np.random.default_rng(3), make_input()
    weights = {n: rng.normal(0, 0.4, p.shape) for n, p in layer.parameters.items()}
    inputs = {n: a.copy() for n, a in arrays_of(x).items()}

    def forward():
        run = Pass(weights, Workspace(), 1, np.random.RandomState(0))
        return layer.forward(with_arrays(x, {n: a.copy() for n, a in inputs.items()}), run)

    y, backward = forward()
    factors = {n: rng.normal(size=a.shape) for n, a in arrays_of(y).items() if a.size}
    (grad_x, gradients) = backward(
        with_arrays(y, factors) if isinstance(y, dict) else _only(factors)
    )
    gradients = {n: dense(g, weights[n]).copy() for n, g in gradients.items()}
    grad_inputs = grad_x if isinstance(grad_x, dict) else dict.fromkeys(inputs, grad_x)

    def total():
        outputs = arrays_of(forward()[0])
        return sum(np.vdot(factor, outputs[n]) for n, factor in factors.items())

    assert gradients.keys() == weights.keys()
    assert_central_differences(total, weights, gradients)
    assert_central_differences(total, inputs, grad_inputs)


def _only(arrays):
    [array] = arrays.values()
    return array.copy()


def random_options(rng):
    """Options of a network, and its data."""

    def choose(*options):
        return options[rng.integers(len(options))]

    units, both = choose((4,), (3, 2), (2, 3, 2)), bool(rng.integers(2))
    pooling = choose(("last",), ("mean",), ("max", "last"), POOLINGS)
    options = {
        "activation": choose("tanh", "sigmoid", "linear"),
        "pooling": pooling,
        "embedding_dropout": choose(0, 0.5),
        "word_dropout": choose(0, 0.2),
        "bigram_dropout": choose(0, 0.4),
        "dropout": choose(0, 0.3),
    }
    objective = choose(Labels(2), ManyClasses(np.arange(3)), Numbers(1, True))
    kind = choose("tokens", "masked tokens", "series")
    n_outputs = {Labels: 2, ManyClasses: 3, Numbers: 1}[type(objective)]
    V_or_none, bigrams = (None, 0) if kind == "series" else (V, choose(0, 9))
    sizes = Sizes(V_or_none, F, units, n_outputs, both, bigrams)
    return sizes, options, objective, kind, choose(0, 0.4)


@pytest.mark.parametrize("seed", range(40))
def test_networks(seed):
    rng = np.random.default_rng(seed)
    sizes, options, objective, kind, token_dropout = random_options(rng)
    network = Network(sizes, **options)
    weights = {n: rng.normal(0, 0.5, shape) for n, shape in network.shapes.items()}
    trainer = Trainer(network, weights, 1, objective, token_dropout)
    sequences = series() if kind == "series" else tokens(
        mask_zero=kind == "masked tokens", keep_pads=not network.counts_pads
    )  # fmt: skip
    if sizes.bigrams:
        sequences = sequences.with_bigrams(sizes.bigrams)
    n, K = len(LENGTHS), sizes.n_outputs
    targets = rng.integers(0, 2, (n, K)).astype(float)
    if isinstance(objective, ManyClasses):
        targets = rng.integers(0, K, n).astype(np.int32)
    of_samples = rng.uniform(0.5, 2, n)

    def gradients():
        stream = np.random.RandomState(seed)
        batch = trainer._training_batch(sequences, np.arange(n), stream)
        return network.gradients(
            batch, trainer.start_pass(stream), objective, targets[batch.order],
            of_samples[batch.order], n,
        )  # fmt: skip

    _, got = gradients()
    assert got.keys() == weights.keys()
    got = {name: dense(gradient, weights[name]).copy() for name, gradient in got.items()}
    assert_central_differences(lambda: gradients()[0][0] / n, weights, got)


def test_tiles_that_two_threads_share_equally():
    """An even number of them, which are not too large, for batches as they occur."""
    for B in range(529):
        n_tiles = -(-B // tile_of(B))
        assert tile_of(B) <= 24
        assert n_tiles % 2 == 0 if B >= 12 else n_tiles <= 1
