"""Networks as modules of PyTorch, and their parameters as estimators."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from crnn._system.extras import require
from crnn.interop._description import Description, describe, estimator_of

ACTIVATIONS = ("tanh", "relu")
OF_RNN = re.compile(r"(?:.*\.)?(weight|bias)_(ih|hh|hr)_l(\d+)(_reverse)?")


def to_torch(estimator: Any) -> Any:
    """Build a PyTorch module with the network and the weights of a fitted estimator.

    The parameters have the names of PyTorch: ``embedding.weight``, ``rnn.weight_ih_l0``,
    ``rnn.weight_hh_l0``, ``rnn.bias_ih_l0``, ``rnn.bias_hh_l0``, with ``_reverse`` those of the
    second direction, ``head.weight`` and ``head.bias``. Of the two biases of PyTorch the first has
    that of crnn, the second is zero. Dropout is left out.

    Parameters
    ----------
    estimator : SimpleRNNClassifier or SimpleRNNRegressor
        A fitted estimator without bigrams, with ``activation`` "tanh" or "relu", and layers of the
        same number of units, as ``torch.nn.RNN`` has them.

    Returns
    -------
    module : torch.nn.Module
        ``module(x, lengths=None)`` reads ids (n_samples, timesteps), or series (n_samples,
        timesteps, features) of which ``lengths`` may say how long each is, and gives logits
        (n_samples, n_outputs), as losses of PyTorch take them; those of a regressor are its
        predictions. Its class is part of crnn; the ``state_dict`` is not.

    Raises
    ------
    ImportError
        If PyTorch is not installed.
    TypeError
        If the estimator is not a network of crnn.
    ValueError
        If it has something that ``torch.nn.RNN`` does not support.
    NotFittedError
        If it is not fitted.

    Examples
    --------
    >>> from crnn import SimpleRNNClassifier
    >>> from crnn.interop import to_torch
    >>> X, y = [[3, 1, 2], [2, 3], [1, 3, 3, 2], [1, 2]], [1, 0, 1, 0]
    >>> clf = SimpleRNNClassifier(8, random_state=0).fit(X, y)
    >>> module = to_torch(clf)  # doctest: +SKIP
    >>> module(torch.tensor([[0, 3, 1, 2]])).sigmoid()  # doctest: +SKIP
    """
    description = describe(estimator, "to_torch")
    units = description.sizes.units
    if description.activation not in ACTIVATIONS:
        raise ValueError(
            f"activation={description.activation!r}: torch.nn.RNN has only {list(ACTIVATIONS)}."
        )
    if len(set(units)) > 1:
        raise ValueError(f"units={units}: all layers of a torch.nn.RNN have the same hidden_size.")
    torch = require("torch", "to_torch", "torch")
    from crnn.interop._torch_module import SimpleRNNModule

    module = SimpleRNNModule(description)
    weights = estimator.weights_
    state = {name: torch.zeros_like(array) for name, array in module.state_dict().items()}
    for name, theirs in _names(description).items():
        array = weights[name]
        transposed = array.T if name.endswith("kernel") else array
        state[theirs] = torch.from_numpy(np.array(transposed, order="C"))
    module.load_state_dict(state)
    return module


def from_torch(
    state_dict: Any,
    classes: ArrayLike | None = None,
    *,
    multilabel: bool = False,
    **parameters: Any,
) -> Any:
    """Make a fitted estimator of the parameters of a PyTorch module.

    The module must consist of an ``nn.Embedding`` (not for series), one ``nn.RNN`` of any number of
    layers, and one ``nn.Linear`` that reads its pooled states; their names do not matter. The two
    biases of ``nn.RNN`` are added.

    Parameters
    ----------
    state_dict : mapping of str to tensor, or torch.nn.Module
        The parameters, or the module whose ``state_dict`` to read. It is not changed.
    classes : array-like of shape (n_classes,), default=None
        The label of each output, or of both sides of a single one, the negative first. None makes
        a regressor.
    multilabel : bool, default=False
        Whether the outputs are independent labels; leave ``classes`` out then.
    **parameters : dict
        Further parameters of the estimator. What a state_dict does not show must be passed:
        ``pooling="last"`` if the head reads the last state, ``activation="relu"`` unless it is
        "tanh", and ``mask_zero=False`` if the module reads paddings like other tokens. A module
        that ``to_torch`` has built carries them.

    Returns
    -------
    estimator : SimpleRNNClassifier or SimpleRNNRegressor
        Fitted, with these weights; see their ``from_weights``.

    Raises
    ------
    TypeError
        If it is neither a mapping nor a module.
    ValueError
        If parameters are those of another layer or have other shapes, are not finite, or disagree
        with a parameter; the message names them.

    Examples
    --------
    >>> from crnn.interop import from_torch
    >>> import torch  # doctest: +SKIP
    >>> state_dict = torch.load("model.pt", weights_only=True)  # doctest: +SKIP
    >>> clf = from_torch(state_dict, ["neg", "pos"], pooling="last")  # doctest: +SKIP
    """
    if hasattr(state_dict, "state_dict"):
        description = getattr(state_dict, "description", None)
        if isinstance(description, Description):
            parameters = description.settings | parameters
        state_dict = state_dict.state_dict()
    if not isinstance(state_dict, Mapping):
        raise TypeError(
            f"from_torch takes a state_dict or a module, not a {type(state_dict).__name__}."
        )
    weights = _weights({name: _array(name, tensor) for name, tensor in state_dict.items()})
    if multilabel and classes is not None:
        raise ValueError(
            f"classes={classes!r} and multilabel=True: labels that are independent have no "
            "classes. Leave one of them out."
        )
    K, kind = len(weights["head/bias"]), "sigmoid" if multilabel else "linear"
    if kind == "sigmoid" and K == 1:
        raise ValueError("multilabel=True, but there is one output; pass classes for it.")
    return estimator_of(weights, K, kind, classes, parameters)


def _names(description):
    """The names of PyTorch for the weights of a network."""
    sizes = description.sizes
    names = {} if sizes.vocabulary_size is None else {"embedding": "embedding.weight"}
    for i in range(len(sizes.units)):
        for ours, theirs in (("", ""), ("/backward", "_reverse"))[: 1 + sizes.bidirectional]:
            names |= {
                f"rnn_{i}{ours}/kernel": f"rnn.weight_ih_l{i}{theirs}",
                f"rnn_{i}{ours}/recurrent_kernel": f"rnn.weight_hh_l{i}{theirs}",
                f"rnn_{i}{ours}/bias": f"rnn.bias_ih_l{i}{theirs}",
            }
    return names | {"head/kernel": "head.weight", "head/bias": "head.bias"}


def _array(name, tensor):
    array = tensor.detach().cpu() if hasattr(tensor, "detach") else tensor
    try:
        array = np.asarray(array)
    except TypeError as error:  # such as bfloat16
        raise ValueError(f"{name} has dtype {tensor.dtype}; convert it to float32.") from error
    if array.dtype.kind != "f" or not np.isfinite(array).all():
        raise ValueError(f"{name}, of dtype {array.dtype}, must be finite floats.")
    return array


def _weights(state):
    """Weights by the names of crnn; refuse parameters of other layers, by name."""
    rnn, others = {}, {}
    for name, array in state.items():
        match = OF_RNN.fullmatch(name)
        if match is None:
            others[name] = array
        else:
            kind, side, layer, reverse = match.groups()
            rnn[int(layer), bool(reverse), f"{kind}_{side}"] = array
    readings = sorted({key[:2] for key in rnn})
    if not readings:
        raise ValueError(f"There are no parameters of an nn.RNN among {list(state)}.")
    numbers = sorted({layer for layer, _ in readings})
    if numbers != list(range(len(numbers))):
        raise ValueError(f"There are parameters of the layers {numbers}, which must count from 0.")
    embedding, head_weight, head_bias = _around(others)
    weights = {} if embedding is None else {"embedding": embedding}
    for layer, reverse in readings:
        place = f"rnn_{layer}/backward" if reverse else f"rnn_{layer}"
        own = {key[2]: array for key, array in rnn.items() if key[:2] == (layer, reverse)}
        weights |= _of_reading(place, f"l{layer}{'_reverse' if reverse else ''}", own)
    return weights | {"head/kernel": head_weight.T, "head/bias": head_bias}


def _of_reading(place, suffix, own):
    ih, hh = own.pop("weight_ih", None), own.pop("weight_hh", None)
    if ih is None or hh is None or "weight_hr" in own:
        raise ValueError(f"weight_ih_{suffix} and weight_hh_{suffix} are not those of an nn.RNN.")
    if hh.ndim != 2 or hh.shape[0] != hh.shape[1]:
        raise ValueError(
            f"weight_hh_{suffix} has shape {hh.shape}, but that of an nn.RNN is square; crnn has "
            "no LSTM or GRU."
        )
    biases = [own[name] for name in ("bias_ih", "bias_hh") if name in own]
    if any(bias.shape != hh.shape[:1] for bias in biases):
        raise ValueError(f"The biases of {suffix} have shapes {[bias.shape for bias in biases]}.")
    bias = np.sum(biases, axis=0, dtype=hh.dtype) if biases else np.zeros(len(hh), hh.dtype)
    return {f"{place}/kernel": ih.T, f"{place}/recurrent_kernel": hh.T, f"{place}/bias": bias}


def _around(others):
    """The parameters of an embedding, or None, and of a linear layer."""
    heads = [name.removesuffix("bias") for name in others if name.endswith("bias")]
    embeddings = [
        name for name in others if name.endswith("weight") and name[: -len("weight")] not in heads
    ]
    known = {*embeddings, *(f"{head}{kind}" for head in heads for kind in ("weight", "bias"))}
    if len(heads) != 1 or len(embeddings) > 1 or known != set(others):
        raise ValueError(
            f"Beside an nn.RNN there are {list(others)}; crnn has the weight of at most one "
            "embedding, and weight and bias of one nn.Linear."
        )
    embedding = others[embeddings[0]] if embeddings else None
    return embedding, others[f"{heads[0]}weight"], others[f"{heads[0]}bias"]
