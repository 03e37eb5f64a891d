"""The network of an estimator: what its parameters ask for, with its weights and its data."""

from crnn._constraints import several
from crnn._data.sequences import rows_for
from crnn._layers.network import Network, Sizes, shared_network, sizes_of
from crnn._layers.parameters import check_shapes


def network_of(estimator):
    """The network of the weights; parameters that have changed since the fit are refused."""
    asked = {"units": several(estimator.units), "bidirectional": bool(estimator.bidirectional)}
    network = _network(estimator, sizes_of(estimator.weights_)._replace(**asked))
    check_shapes(
        estimator.weights_,
        network.shapes,
        f"The weights are not those of units={estimator.units!r}, "
        f"bidirectional={estimator.bidirectional!r} and pooling={estimator.pooling!r}; set the "
        "parameters back to those of the fit, or call fit.",
    )
    return network


def new_network(estimator, raw, vectors):
    """The network for new data, whose embedding starts from vectors (V, E) unless they are None."""
    known = None if vectors is None else (len(vectors) + 1, vectors.shape[1])
    return _network(estimator, _sizes(estimator, raw, known), vectors)


def check_continuation(estimator, raw):
    """Refuse parameters and data with which training cannot go on from the weights."""
    weights = estimator.weights_
    known = weights["embedding"].shape if "embedding" in weights else None
    check_shapes(
        weights,
        _network(estimator, _sizes(estimator, raw, known)).shapes,
        "Set the parameters back to those of the fitted model and pass data of the same kind, "
        "or call fit with warm_start=False to train a new model.",
    )


def _sizes(estimator, raw, known):
    """Sizes of the network; ``known`` is the shape of an open embedding that there is already."""
    V, F = None, raw.n_features
    if known or raw.are_tokens(estimator.input):
        V, F = estimator.vocabulary_size, estimator.embedding_dim
        if known and estimator.embedding_init is not None:
            F = known[1]  # that of the vectors, whatever embedding_dim is
        if V is None:  # the last row is for unknown ids
            V = known[0] if known else rows_for(raw.values, raw.offsets) + 1
    return Sizes(
        vocabulary_size=V,
        n_features=F,
        units=several(estimator.units),
        n_outputs=estimator.n_outputs_,
        bidirectional=bool(estimator.bidirectional),
        bigrams=0 if V is None else int(estimator.bigrams),
    )


def _network(estimator, sizes, vectors=None):
    build = shared_network if vectors is None else Network  # arrays cannot be shared by value
    return build(
        sizes,
        activation=estimator.activation,
        pooling=several(estimator.pooling),
        recurrent_gain=estimator.recurrent_gain,
        open_vocabulary=estimator.vocabulary_size is None,
        embedding_dropout=estimator.embedding_dropout,
        word_dropout=estimator.word_dropout,
        bigram_dropout=estimator.bigram_dropout,
        dropout=estimator.dropout,
        embedding_init=vectors,
        embedding_trainable=estimator.embedding_trainable,
    )
