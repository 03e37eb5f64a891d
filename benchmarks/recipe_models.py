"""The network of the text recipe in crnn and in its peers, behind the interface of ``peer_models``.

Paddings are masked, and the head reads the last state, the mean and the maximum side by side. The
dropouts of the recipe are off: each framework would draw them in its own way. The peers get their
paddings at the end, where no later step reads them, so that only the poolings need a mask.
"""

import numpy as np
from peer_models import Crnn, Keras, Torch

BATCH, RATE = 64, 2e-3
POOLINGS = ("last", "mean", "max")


def with_paddings_last(X):
    """The rows of X, whose paddings stand in front, with them at the end."""
    lengths = np.count_nonzero(X, axis=1)
    return np.stack([np.roll(row, length) for row, length in zip(X, lengths, strict=True)])


class CrnnRecipe(Crnn):
    def __init__(self, weights, threads):
        super().__init__(weights, threads)
        self.clf.set_params(
            mask_zero=True, pooling=POOLINGS, token_dropout=0.0, embedding_dropout=0.0,
            optimizer="adam", learning_rate=RATE,
        )  # fmt: skip


class KerasRecipe(Keras):
    def network(self, keras, weights):
        from keras import ops

        ids = keras.layers.Input((None,), dtype="int32")
        words = keras.layers.Embedding(*weights["embedding"].shape)(ids)
        states = keras.layers.SimpleRNN(weights["bias"].size, return_sequences=True)(words)
        read = ops.expand_dims(ids != 0, -1)
        lengths = ops.sum(ops.cast(read, "int32"), axis=1, keepdims=True)
        pooled = [
            ops.squeeze(ops.take_along_axis(states, lengths - 1, axis=1), 1),
            ops.sum(ops.where(read, states, 0.0), axis=1) / ops.cast(lengths[:, 0], "float32"),
            ops.max(ops.where(read, states, -1.0), axis=1),  # no tanh is less
        ]
        probability = keras.layers.Dense(1, activation="sigmoid")(ops.concatenate(pooled, axis=1))
        return keras.Model(ids, probability)

    def new_optimizer(self, optimizers):
        return optimizers.Adam(RATE)

    def load(self, X, y):
        super().load(with_paddings_last(X), y)


class TorchRecipe(Torch):
    def new_optimizer(self, parameters):
        return self.torch.optim.Adam(parameters, RATE, eps=1e-7)

    def load(self, X, y):
        super().load(with_paddings_last(X), y)

    def states(self, X, lengths):
        return self.rnn(self.embedding(X))[0]

    def logits(self, X):
        read = X != 0
        lengths = read.sum(axis=1)
        states = self.states(X, lengths)
        pooled = [
            states[self.torch.arange(len(X)), lengths - 1],
            (states * read[:, :, None]).sum(axis=1) / lengths[:, None],
            states.masked_fill(~read[:, :, None], -1.0).amax(axis=1),  # no tanh is less
        ]
        return self.head(self.torch.cat(pooled, dim=1))[:, 0]


class TorchRecipePacked(TorchRecipe):
    def states(self, X, lengths):
        rnn = self.torch.nn.utils.rnn
        packed = rnn.pack_padded_sequence(
            self.embedding(X), lengths, batch_first=True, enforce_sorted=False
        )
        return rnn.pad_packed_sequence(
            self.rnn(packed)[0], batch_first=True, total_length=X.shape[1]
        )[0]


RECIPE_MODELS = {
    "crnn": CrnnRecipe,
    "Keras on JAX": KerasRecipe,
    "PyTorch": TorchRecipe,
    "PyTorch packed": TorchRecipePacked,
}
