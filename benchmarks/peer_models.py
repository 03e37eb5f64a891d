"""The IMDB model in crnn and in each peer, behind one small interface.

A model is made from the same weights, {"embedding": (V, E), "kernel": (E, H), "recurrent_kernel":
(H, H), "bias": (H,), "head_kernel": (H, 1), "head_bias": (1,)}, and has ``train(X, y)``, one step
of RMSprop that returns the loss before it, and ``predict(X)``, the probabilities. X is a matrix of
ids, padded in front. Nothing is imported before it is used: each model runs in a process of its
own.
"""

import os

import numpy as np


class Crnn:
    def __init__(self, weights, threads):
        from crnn import SimpleRNNClassifier

        self.clf = SimpleRNNClassifier(
            weights["bias"].size,
            embedding_dim=weights["embedding"].shape[1],
            vocabulary_size=len(weights["embedding"]),
            warm_start=True,
            n_jobs=threads,
        )
        X = np.zeros((2, 1), np.int32)
        self.clf.fit(X, [0, 1])
        for name in ("embedding", "kernel", "recurrent_kernel", "bias"):
            setattr(self.clf, f"{name}_", weights[name].copy())
        self.clf.coef_, self.clf.intercept_ = weights["head_kernel"].T, weights["head_bias"].copy()
        self.clf._optimizer = self.clf._new_optimizer()
        self.clf.set_params(batch_size=10**6, max_iter=1, shuffle=False)
        self.clf.n_features_in_ = None
        # The step inside of fit, without the checks and copies that a fit makes once.
        self.trainer = self.clf._trainer(copy=True)

    def train(self, X, y):
        from crnn._sequences import offsets_of, token_sequences
        from crnn._threads import single_threaded_blas
        from crnn._training import Samples

        n, T = X.shape
        V = self.trainer.vocabulary_size
        offsets = offsets_of(np.full(n, T))
        sequences = token_sequences(X.ravel(), offsets, vocabulary_size=V, mask_zero=False)
        samples = Samples(sequences, y[:, None].astype("f4"), np.ones(n, "f4"))
        with single_threaded_blas():
            return self.trainer.train_epoch(samples, np.arange(n), n, self.clf._optimizer)[0]

    def predict(self, X):
        self.clf.n_features_in_ = X.shape[1]
        return self.clf.predict_proba(X)[:, 1]


class Keras:
    backend = "jax"

    def __init__(self, weights, threads):
        os.environ["KERAS_BACKEND"] = self.backend
        import keras

        V, E = weights["embedding"].shape
        self.model = keras.Sequential(
            [
                keras.layers.Embedding(V, E),
                keras.layers.SimpleRNN(weights["bias"].size),
                keras.layers.Dense(1, activation="sigmoid"),
            ]
        )
        self.model.build((None, 500))
        self.model.set_weights(list(weights.values()))
        self.model.compile(keras.optimizers.RMSprop(1e-3), "binary_crossentropy")

    def train(self, X, y):
        return float(self.model.train_on_batch(X, y[:, None].astype("f4")))

    def predict(self, X):
        return self.model.predict(X, batch_size=128, verbose=0)[:, 0]


class KerasTensorflow(Keras):
    backend = "tensorflow"


class Torch:
    packed = False

    def __init__(self, weights, threads):
        import torch

        torch.set_num_threads(threads)
        self.torch = torch
        H, (V, E) = weights["bias"].size, weights["embedding"].shape
        self.embedding = torch.nn.Embedding(V, E)
        self.rnn = torch.nn.RNN(E, H, batch_first=True)
        self.head = torch.nn.Linear(H, 1)
        arrays = [
            weights["embedding"], weights["kernel"].T, weights["recurrent_kernel"].T,
            weights["bias"], np.zeros(H, "f4"), weights["head_kernel"].T, weights["head_bias"],
        ]  # fmt: skip
        self.parameters = [p for m in (self.embedding, self.rnn, self.head) for p in m.parameters()]
        with torch.no_grad():
            for parameter, array in zip(self.parameters, arrays, strict=True):
                parameter.copy_(torch.from_numpy(array.copy()))
        self.rnn.bias_hh_l0.requires_grad_(False)  # the model has one bias
        # The epsilon stands outside of the root here, so only the first loss is the same.
        trained = [p for p in self.parameters if p.requires_grad]
        self.optimizer = torch.optim.RMSprop(trained, 1e-3, alpha=0.9)

    def logits(self, X):
        ids = self.torch.from_numpy(np.ascontiguousarray(X, dtype=np.int64))
        embedded = self.embedding(ids)
        if self.packed:
            # Without its paddings: not the same model, since the state then starts from zero.
            lengths = self.torch.from_numpy((X != 0).sum(axis=1).clip(1))
            shifted = self.torch.stack(
                [row.roll(int(n), 0) for row, n in zip(embedded, lengths, strict=True)]
            )
            embedded = self.torch.nn.utils.rnn.pack_padded_sequence(
                shifted, lengths, batch_first=True, enforce_sorted=False
            )
        return self.head(self.rnn(embedded)[1][0])[:, 0]

    def train(self, X, y):
        target = self.torch.from_numpy(y.astype("f4"))
        loss = self.torch.nn.functional.binary_cross_entropy_with_logits(self.logits(X), target)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def predict(self, X):
        with self.torch.no_grad():
            parts = [self.logits(X[i : i + 128]) for i in range(0, len(X), 128)]
            return self.torch.sigmoid(self.torch.cat(parts)).numpy()


class OnnxRuntime:
    """Prediction only: one Gather, RNN and Gemm node each."""

    train = None

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

    def predict(self, X):
        X = np.ascontiguousarray(X, dtype=np.int32)
        parts = [self.session.run(None, {"ids": X[i : i + 128]})[0] for i in range(0, len(X), 128)]
        return np.concatenate(parts)[:, 0]


class TorchPacked(Torch):
    packed = True


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
