"""The same model in crnn and in each peer, behind one small interface.

A model is made from weights, {"embedding": (V, E), "kernel": (F, H), "recurrent_kernel": (H, H),
"bias": (H,), "head_kernel": (P, 1), "head_bias": (1,)}, P the width after pooling, without
"embedding" for float series, and has

- ``load(X, y)``: take the data, ids (n, T) or series (n, T, F), in the form that it likes best;
- ``train(part)``: one step of the optimiser on a slice of the data; returns the loss before it;
- ``predict(part)``: the probabilities of a slice;
- ``fit(epochs)``: train on 80 % of the data in batches of 128, and validate on the rest.

``train`` and ``fit`` are None where a peer has none. Nothing is imported before it is used: each
model runs in a process of its own. Here is the network of the book; ``recipe_models`` has that of
the text recipe.
"""

import os

import numpy as np

BATCH = 128


def parts(n, size=BATCH):
    return [slice(i, min(i + size, n)) for i in range(0, n, size)]


class Crnn:
    def __init__(self, weights, threads):
        from machine import BOOK

        from crnn import SimpleRNNClassifier

        self.weights, n_units = weights, weights["bias"].size
        self.clf = SimpleRNNClassifier(
            n_units, batch_size=BATCH, max_iter=1, shuffle=False, n_jobs=threads, **BOOK
        )
        if "embedding" in weights:
            V, E = weights["embedding"].shape
            self.clf.set_params(vocabulary_size=V, embedding_dim=E)

    def load(self, X, y):
        from machine import RNG, training

        self.X, self.y = X, y
        self.clf.set_params(warm_start=False, max_iter=1).fit(X[:2], [0, 1])
        self.clf.set_weights(list(self.weights.values()))
        # The step inside of fit, without what a fit does once, or once an epoch.
        self.trainer, self.samples, self.optimizer = training(self.clf, X, y)
        self.rng = RNG

    def train(self, part):
        indices = np.arange(part.start, part.stop)
        sums = self.trainer.train_step(*self.samples, indices, self.optimizer, self.rng)
        return sums[0] / len(indices)

    def predict(self, part):
        return self.clf.predict_proba(self.X[part])[:, 1]

    def fit(self, epochs):
        self.clf.set_params(warm_start=True, max_iter=epochs, validation_fraction=0.2, shuffle=True)
        self.clf.fit(self.X, self.y)
        return max(self.clf.history_["val_accuracy"][-epochs:])


class Keras:
    backend = "jax"

    def __init__(self, weights, threads):
        os.environ["KERAS_BACKEND"] = self.backend
        import keras

        if self.backend == "tensorflow":
            import tensorflow

            tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
        self.model = self.network(keras, weights)
        self.model.set_weights(list(weights.values()))
        self.model.compile(
            self.new_optimizer(keras.optimizers), "binary_crossentropy", metrics=["accuracy"]
        )

    def network(self, keras, weights):
        layers, shape = [], (None, len(weights["kernel"]))
        if "embedding" in weights:
            layers, shape = [keras.layers.Embedding(*weights["embedding"].shape)], (None,)
        layers += [
            keras.layers.SimpleRNN(weights["bias"].size),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
        return keras.Sequential([keras.layers.Input(shape), *layers])

    def new_optimizer(self, optimizers):
        return optimizers.RMSprop(1e-3)

    def load(self, X, y):
        self.X, self.y = X, y[:, None].astype("f4")

    def train(self, part):
        return float(self.model.train_on_batch(self.X[part], self.y[part])[0])

    def predict(self, part):
        return self.model.predict(self.X[part], batch_size=BATCH, verbose=0)[:, 0]

    def fit(self, epochs):
        history = self.model.fit(
            self.X, self.y, batch_size=BATCH, epochs=epochs, validation_split=0.2, verbose=0
        )
        return max(history.history["val_accuracy"])


class KerasTensorflow(Keras):
    backend = "tensorflow"


class Torch:
    packed = False
    fit = None

    def __init__(self, weights, threads):
        import torch

        torch.set_num_threads(threads)
        self.torch = torch
        F, H = weights["kernel"].shape
        arrays = [
            weights["kernel"].T, weights["recurrent_kernel"].T, weights["bias"],
            np.zeros(H, "f4"), weights["head_kernel"].T, weights["head_bias"],
        ]  # fmt: skip
        self.rnn = torch.nn.RNN(F, H, batch_first=True)
        self.head = torch.nn.Linear(*weights["head_kernel"].shape)
        modules, self.embedding = [self.rnn, self.head], None
        if "embedding" in weights:
            self.embedding = torch.nn.Embedding(*weights["embedding"].shape)
            modules, arrays = [self.embedding, *modules], [weights["embedding"], *arrays]
        parameters = [p for module in modules for p in module.parameters()]
        with torch.no_grad():
            for parameter, array in zip(parameters, arrays, strict=True):
                parameter.copy_(torch.from_numpy(array.copy()))
        self.rnn.bias_hh_l0.requires_grad_(False)  # the model has one bias
        self.optimizer = self.new_optimizer([p for p in parameters if p.requires_grad])

    def new_optimizer(self, parameters):
        # The epsilon stands outside of the root here, so only the first loss is the same.
        return self.torch.optim.RMSprop(parameters, 1e-3, alpha=0.9)

    def load(self, X, y):
        tokens = self.embedding is not None
        self.X = self.torch.from_numpy(np.ascontiguousarray(X, dtype="i8" if tokens else "f4"))
        self.y = self.torch.from_numpy(y.astype("f4"))

    def logits(self, X):
        inputs = X if self.embedding is None else self.embedding(X)
        if self.packed:
            # Without its paddings: not the same model, since the state then starts from zero.
            lengths = (X != 0).sum(axis=1).clip(1)
            shifted = self.torch.stack(
                [row.roll(int(n), 0) for row, n in zip(inputs, lengths, strict=True)]
            )
            inputs = self.torch.nn.utils.rnn.pack_padded_sequence(
                shifted, lengths, batch_first=True, enforce_sorted=False
            )
        return self.head(self.rnn(inputs)[1][0])[:, 0]

    def train(self, part):
        loss = self.torch.nn.functional.binary_cross_entropy_with_logits(
            self.logits(self.X[part]), self.y[part]
        )
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def predict(self, part):
        X = self.X[part]
        with self.torch.no_grad():
            logits = self.torch.cat([self.logits(X[batch]) for batch in parts(len(X))])
            return self.torch.sigmoid(logits).numpy()


class TorchPacked(Torch):
    packed = True


class OnnxRuntime:
    """Prediction only: one Gather, RNN and Gemm node each."""

    train = fit = None

    def __init__(self, weights, threads):
        import onnx
        import onnxruntime
        from onnx import TensorProto, helper, numpy_helper

        H = weights["bias"].size
        initial = {
            "E": weights["embedding"],
            "W": weights["kernel"].T[None],
            "R": weights["recurrent_kernel"].T[None],
            "B": np.concatenate([weights["bias"], np.zeros(H, "f4")])[None],
            "C": weights["head_kernel"],
            "c": weights["head_bias"],
            "axis": np.array([0]),
        }
        graph = helper.make_graph(
            [
                helper.make_node("Gather", ["E", "ids"], ["embedded"]),
                helper.make_node("Transpose", ["embedded"], ["steps"], perm=[1, 0, 2]),
                helper.make_node("RNN", ["steps", "W", "R", "B"], ["", "states"], hidden_size=H),
                helper.make_node("Squeeze", ["states", "axis"], ["last"]),
                helper.make_node("Gemm", ["last", "C", "c"], ["logits"]),
                helper.make_node("Sigmoid", ["logits"], ["probabilities"]),
            ],
            "imdb",
            [helper.make_tensor_value_info("ids", TensorProto.INT32, ["B", "T"])],
            [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["B", 1])],
            [
                numpy_helper.from_array(np.ascontiguousarray(array), name)
                for name, array in initial.items()
            ],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        model.ir_version = 9
        onnx.checker.check_model(model)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    def load(self, X, y):
        self.X = np.ascontiguousarray(X, dtype=np.int32)

    def predict(self, part):
        X = self.X[part]
        if len(X) <= BATCH:
            return self.session.run(None, {"ids": X})[0][:, 0]
        return np.concatenate(
            [self.session.run(None, {"ids": X[batch]})[0] for batch in parts(len(X))]
        )[:, 0]


MODELS = {
    "crnn": Crnn,
    "Keras on JAX": Keras,
    "Keras on TensorFlow": KerasTensorflow,
    "PyTorch": Torch,
    "PyTorch packed": TorchPacked,
    "ONNX Runtime": OnnxRuntime,
}
NEEDS = {
    "crnn": ["crnn"],
    "Keras on JAX": ["keras", "jax"],
    "Keras on TensorFlow": ["keras", "tensorflow"],
    "PyTorch": ["torch"],
    "PyTorch packed": ["torch"],
    "ONNX Runtime": ["onnxruntime", "onnx"],
}
