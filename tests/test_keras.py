"""Predictions and losses of three epochs, from the same weights as in Keras.

Two things differ where ids are masked. At a masked step Keras's ``Bidirectional`` gives zeros,
where its layers of one direction, and crnn always, repeat the state of the step read before. And
``GlobalMaxPooling1D`` ignores masks, so that those zeros, or the initial state, count.
"""

import numpy as np
import pytest

from crnn import SimpleRNNClassifier

keras = pytest.importorskip("keras", reason="keras is not installed; see `make test-interop`")
from keras import layers  # noqa: E402

V, E, T, N = 20, 6, 9, 80

PLAIN = {
    "units": 5, "pooling": "last", "token_dropout": 0, "embedding_dropout": 0, "batch_size": 16,
    "learning_rate_schedule": "constant", "shuffle": False,
}  # fmt: skip
NETWORKS = {
    "last": {},
    "both ways": {"bidirectional": True},
    "mean": {"pooling": "mean"},
    "max": {"pooling": "max"},
    "stacked": {"units": (5, 4)},
    "stacked, both ways, mean": {"units": (5, 4), "bidirectional": True, "pooling": "mean"},
    "stacked, both ways, max": {"units": (5, 4), "bidirectional": True, "pooling": "max"},
}
CASES = [(name, mask_zero, "rmsprop") for name in NETWORKS for mask_zero in (False, True)]
CASES = [case for case in CASES if case[:2] != ("stacked, both ways, max", True)]  # see above
CASES += [("stacked, both ways, mean", True, optimizer) for optimizer in ("sgd", "adam")]
OPTIMIZERS = {
    "rmsprop": lambda: keras.optimizers.RMSprop(1e-2),
    "sgd": lambda: keras.optimizers.SGD(1e-2),
    "adam": lambda: keras.optimizers.Adam(1e-2),
}

pytestmark = [
    pytest.mark.filterwarnings("ignore:Layer 'global_max_pooling1d:UserWarning"),  # drops the mask
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # of Keras
]


def data(padding):
    """Ids with zeros at one end, of none to seven."""
    rng = np.random.default_rng(0)
    X = rng.integers(1, V, (N, T))
    n_pads = (np.arange(N) % 8)[:, None]
    place = np.arange(T)
    X[place < n_pads if padding == "pre" else place >= T - n_pads] = 0
    return X, (X.sum(axis=1) % 2).astype(np.int64)


def in_keras(clf, optimizer):
    """The same network with the same weights."""
    units = np.atleast_1d(clf.units)
    chain = [layers.Input((T,), dtype="int32"), layers.Embedding(V, E, mask_zero=clf.mask_zero)]
    for i, n in enumerate(units):
        every = i < len(units) - 1 or clf.pooling != "last"
        layer = layers.SimpleRNN(int(n), return_sequences=every)
        chain.append(layers.Bidirectional(layer) if clf.bidirectional else layer)
    if clf.pooling != "last":
        pools = {"mean": layers.GlobalAveragePooling1D, "max": layers.GlobalMaxPooling1D}
        chain.append(pools[clf.pooling]())
    model = keras.Sequential([*chain, layers.Dense(1, activation="sigmoid")])
    model.compile(OPTIMIZERS[optimizer](), "binary_crossentropy")
    model.set_weights(clf.get_weights())
    return model


def network(options, **more):
    return SimpleRNNClassifier(
        **PLAIN | options | more, embedding_dim=E, vocabulary_size=V, random_state=0
    )


def unfitted(options, X, y):
    """A network with its first weights: so small a step of SGD moves nothing."""
    start = {"learning_rate": 1e-30, "optimizer": "sgd", "max_iter": 1}
    return network(options, **start).fit(X, y)


@pytest.mark.parametrize(("name", "mask_zero", "optimizer"), CASES)
def test_losses_of_three_epochs(name, mask_zero, optimizer):
    options = NETWORKS[name]
    # A maximum that ignores masks is right if padding follows, which repeats the last state.
    X, y = data("post" if mask_zero and name == "max" else "pre")
    options = options | {"mask_zero": mask_zero}
    theirs = in_keras(unfitted(options, X, y), optimizer)
    history = theirs.fit(X, y, batch_size=16, epochs=3, shuffle=False, verbose=0).history
    more = {"optimizer": optimizer, "learning_rate": 1e-2, "max_iter": 3}
    ours = network(options, **more).fit(X, y)
    np.testing.assert_allclose(ours.history_["loss"], history["loss"], rtol=0, atol=1e-4)
    assert abs(history["loss"][2] - history["loss"][0]) > 1e-4
    predicted = theirs.predict(X, verbose=0)[:, 0]
    np.testing.assert_allclose(ours.predict_proba(X)[:, 1], predicted, rtol=0, atol=1e-4)
    for array, wanted in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(array, wanted, rtol=0, atol=1e-3)


@pytest.mark.parametrize("bidirectional", [False, True], ids=["ahead", "both"])
@pytest.mark.parametrize("mask_zero", [False, True], ids=["read", "masked"])
def test_states_after_every_step(mask_zero, bidirectional):
    X, y = data("pre")
    X[::3, 4], X[::5, -1] = 0, 0
    clf = unfitted({"mask_zero": mask_zero, "bidirectional": bidirectional}, X, y)
    table, kernels = clf.embedding_, clf.get_weights()[1:-2]
    layer = layers.SimpleRNN(5, return_sequences=True)
    layer = layers.Bidirectional(layer) if bidirectional else layer
    layer.build((None, T, E))
    layer.set_weights(kernels)
    states = layer(table[X], mask=X != 0 if mask_zero else None)
    got, wanted = clf.hidden_states(X, return_sequences=True), np.asarray(states)
    if bidirectional and mask_zero:
        got, wanted = got[X != 0], wanted[X != 0]
    np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-6)


def test_maxima_of_keras_ignore_masks():
    """With padding in front, Keras's maximum is at least the initial state, 0."""
    X, y = data("pre")
    clf = unfitted({"mask_zero": True, "pooling": "max"}, X, y)
    states = [clf.hidden_states([row[row != 0]], return_sequences=True)[0] for row in X]
    maxima = np.array([s.max(axis=0) for s in states])
    theirs = np.where((X[:, :1] == 0), np.maximum(maxima, 0), maxima)
    for features, probabilities in [
        (maxima, clf.predict_proba(X)[:, 1]),
        (theirs, in_keras(clf, "sgd").predict(X, verbose=0)[:, 0]),
    ]:
        logits = features @ clf.head_kernel_[:, 0] + clf.head_bias_
        np.testing.assert_allclose(probabilities, 1 / (1 + np.exp(-logits)), rtol=0, atol=1e-6)
    assert np.abs(theirs - maxima).max() > 1e-3
