"""First weights, trainer and optimiser, as the parameters of an estimator ask for them."""

import numpy as np

from crnn._layers import forecast
from crnn._layers.assembly import network_of
from crnn._layers.parameters import as_arrays, draw
from crnn._system import memory
from crnn._system.threads import n_threads_for
from crnn._training.optimizers import OPTIMIZERS
from crnn._training.trainer import Trainer


def first_weights(model, network, rng):
    """Weights drawn for a network, if the machine has the memory to train them."""
    memory.require(
        forecast.of_weights(
            network.parameters,
            np.dtype(model.dtype).itemsize,
            OPTIMIZERS[model.optimizer].n_memories,
            model.early_stopping,
        ),
        f"Training with weights of the shapes {network.shapes}",
        "Lower vocabulary_size, bigrams, embedding_dim or units.",
    )
    return draw(network.parameters, rng, model.dtype)


def trainer_of(model):
    """What trains a copy of the weights."""
    return Trainer(
        network_of(model),
        as_arrays(model.weights_, model.dtype, copy=True),
        n_threads_for(model.n_jobs),
        model._objective(),
        model.token_dropout,
    )


def optimizer_of(model):
    """A new optimiser of the weights."""
    table = network_of(model).parameters
    options = {
        "alpha": model.alpha,
        "penalized": [name for name, parameter in table.items() if parameter.penalized],
        "sparse": [name for name, parameter in table.items() if parameter.sparse],
        "clip_norm": model.clip_norm,
        "clip_value": model.clip_value,
    }
    if model.optimizer == "sgd":
        options |= {"momentum": model.momentum, "nesterov": model.nesterovs_momentum}
    return OPTIMIZERS[model.optimizer](model.learning_rate, **options)
