"""The estimator: scikit-learn's conventions around the network."""

from contextlib import contextmanager
from copy import deepcopy
from numbers import Integral, Real

import numpy as np
from scipy.special import expit, log_expit, log_softmax, softmax
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.utils import assert_all_finite, check_random_state, compute_class_weight
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_sample_weight,
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
)

from crnn._core import ACTIVATIONS
from crnn._input import as_sequences, read
from crnn._network import Network
from crnn._optimizers import SGD, Adam, RMSprop
from crnn._parameters import check_shapes, draw, from_attributes, shapes, to_attributes
from crnn._sequences import integer_ids, repeat_over_skipped
from crnn._threads import n_threads_for, single_threaded_blas
from crnn._training import Samples, Trainer
from crnn._workspace import Workspace

OPTIMIZERS = {"rmsprop": RMSprop, "sgd": SGD, "adam": Adam}


class SimpleRNNClassifier(ClassifierMixin, BaseEstimator):
    """Classify sequences with an embedding, a simple recurrent layer and a dense head.

    Reads token ids or float series step by step, ``h_t = f(x_t W + b + h_{t-1} U)``, and classifies
    by the last state: one sigmoid output for two classes, a softmax for more. The defaults are
    those of Keras's SimpleRNN.

    Parameters
    ----------
    units : int, default=32
        Size of the recurrent state, H.
    embedding_dim : int, default=32
        Size of the vector learned for each token, E. Float series have no embedding.
    vocabulary_size : int, default=None
        Number of token ids, V: ids run from 0 (padding) to V - 1. None takes the largest id seen
        by ``fit``, plus one.
    input : {"auto", "tokens", "series"}, default="auto"
        How to read X. "auto" takes integers (arrays of shape (n_samples, timesteps), or lists of
        integer sequences) as token ids and floats (arrays of shape (n_samples, timesteps) or
        (n_samples, timesteps, features), or lists of 1-D or 2-D arrays) as series.
    activation : {"tanh", "relu", "sigmoid", "linear"}, default="tanh"
        The function f.
    mask_zero : bool, default=False
        Skip each token 0, the state carries through. If False, paddings are read like any token,
        so that the state is not zero where the text begins.
    optimizer : {"rmsprop", "sgd", "adam"}, default="rmsprop"
        How weights follow the gradient.
    learning_rate : float, default=1e-3
        Size of the steps of the optimiser.
    momentum : float, default=0.0
        Share of the last step that SGD makes again, in [0, 1).
    nesterovs_momentum : bool, default=False
        Whether SGD with momentum looks ahead.
    batch_size : int or "auto", default="auto"
        Samples for each step of the optimiser. "auto" is n_samples / 50, at least 4 and at most
        128: so small data get enough steps, and 6,400 samples or more the usual 128.
    max_iter : int, default=10
        Number of epochs, the passes over the data.
    shuffle : bool, default=True
        Draw a new order of the samples for each epoch.
    validation_fraction : float, default=0.0
        Share of the samples, in [0, 1), that is held out to measure ``val_loss`` and
        ``val_accuracy`` after each epoch. As in Keras it is the tail of X, taken before shuffling.
    class_weight : dict, "balanced" or None, default=None
        Weight of each class in the loss, multiplied into ``sample_weight``.
    warm_start : bool, default=False
        Let ``fit`` continue from the fitted attributes as they stand.
    dtype : {"float32", "float64"}, default="float32"
        Precision of weights and computation.
    random_state : int, RandomState instance or None, default=None
        Source of the initial weights and of the order of the samples.
    n_jobs : int, default=None
        Number of threads. None is 1 unless in a ``joblib.parallel_config``, -1 all processors. The
        result does not depend on it.
    verbose : int, default=0
        Print a line an epoch if not 0.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    n_iter_ : int
        Epochs done, over all calls that continued one another.
    n_features_in_ : int
        Width of X, if it was an array.
    history_ : dict of str -> list of float
        ``loss`` and ``accuracy`` of each epoch, the mean over the samples while the weights
        change; with validation data ``val_loss`` and ``val_accuracy`` at its end.
    embedding_ : ndarray of shape (vocabulary_size, embedding_dim)
        For token ids only.
    kernel_ : ndarray of shape (embedding_dim or features, units)
    recurrent_kernel_ : ndarray of shape (units, units)
    bias_ : ndarray of shape (units,)
    coef_ : ndarray of shape (n_outputs, units)
        Weights of the head; one output for two classes.
    intercept_ : ndarray of shape (n_outputs,)

    References
    ----------
    Elman (1990), Finding structure in time. Werbos (1990), Backpropagation through time: what it
    does and how to do it. Chollet, Deep Learning with Python, on SimpleRNN and IMDB.

    Examples
    --------
    >>> from crnn import SimpleRNNClassifier
    >>> X = [[3, 1, 2], [2, 3], [1, 3, 3, 2], [1, 2]] * 10  # does a 3 come before the 2?
    >>> y = [1, 0, 1, 0] * 10
    >>> clf = SimpleRNNClassifier(8, max_iter=40, random_state=0).fit(X, y)
    >>> clf.predict([[1, 3, 2], [2, 1, 3]])
    array([1, 0])
    """

    _parameter_constraints = {
        "units": [Interval(Integral, 1, None, closed="left")],
        "embedding_dim": [Interval(Integral, 1, None, closed="left")],
        "vocabulary_size": [Interval(Integral, 1, None, closed="left"), None],
        "input": [StrOptions({"auto", "tokens", "series"})],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "mask_zero": ["boolean"],
        "optimizer": [StrOptions(set(OPTIMIZERS))],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "momentum": [Interval(Real, 0, 1, closed="left")],
        "nesterovs_momentum": ["boolean"],
        "batch_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "shuffle": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "warm_start": ["boolean"],
        "dtype": [StrOptions({"float32", "float64"})],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        units=32,
        *,
        embedding_dim=32,
        vocabulary_size=None,
        input="auto",
        activation="tanh",
        mask_zero=False,
        optimizer="rmsprop",
        learning_rate=1e-3,
        momentum=0.0,
        nesterovs_momentum=False,
        batch_size="auto",
        max_iter=10,
        shuffle=True,
        validation_fraction=0.0,
        class_weight=None,
        warm_start=False,
        dtype="float32",
        random_state=None,
        n_jobs=None,
        verbose=0,
    ):
        self.units = units
        self.embedding_dim = embedding_dim
        self.vocabulary_size = vocabulary_size
        self.input = input
        self.activation = activation
        self.mask_zero = mask_zero
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.validation_fraction = validation_fraction
        self.class_weight = class_weight
        self.warm_start = warm_start
        self.dtype = dtype
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, X_val=None, y_val=None):
        """Train on sequences X and their classes y.

        Parameters
        ----------
        X : {array-like, list of sequences} of n_samples
            Token ids or float series, see ``input``.
        y : array-like of shape (n_samples,)
            Class labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each sample in the loss.
        X_val, y_val : like X and y, default=None
            Validation data, measured after each epoch; instead of ``validation_fraction``.

        Returns
        -------
        self : SimpleRNNClassifier

        Raises
        ------
        ValueError
            If the data do not fit the parameters; the estimator is left as it was.
        """
        with _unchanged_on_error(self):
            raw, y, weights = self._read(X, y, sample_weight, reset=True)
            if self.warm_start and hasattr(self, "classes_"):
                check_shapes(self, self._shapes(raw))
            else:
                self._start(raw, np.unique(y))
            samples = self._samples(raw, y, weights)
            train, validation = self._split(samples, X_val, y_val)
            self._train(self._with_class_weights(train), validation, self.max_iter)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Train for one epoch on a part of the data.

        Parameters
        ----------
        X : {array-like, list of sequences} of n_samples
            Token ids or float series, see ``input``.
        y : array-like of shape (n_samples,)
            Class labels.
        classes : array-like of shape (n_classes,), default=None
            All classes that will ever occur. Needed at the first call, optional afterwards.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each sample in the loss.

        Returns
        -------
        self : SimpleRNNClassifier

        Raises
        ------
        ValueError
            If the data do not fit the parameters or earlier calls; the estimator is left as it was.
        """
        with _unchanged_on_error(self):
            if self.class_weight == "balanced":
                raise ValueError(
                    "class_weight='balanced' needs all of y at once; pass partial_fit the weights "
                    "as a dict of class_weight, or as sample_weight."
                )
            started = hasattr(self, "classes_")
            raw, y, weights = self._read(X, y, sample_weight, reset=not started)
            if not started:
                if classes is None:
                    raise ValueError("classes must be passed on the first call to partial_fit.")
                self._start(raw, np.unique(classes))
            elif classes is not None and not np.array_equal(np.unique(classes), self.classes_):
                raise ValueError(
                    f"classes={classes!r} is not the same as on the last call to partial_fit, "
                    f"which was {self.classes_!r}."
                )
            samples = self._samples(raw, y, weights)
            self._train(self._with_class_weights(samples), None, 1)
        return self

    def decision_function(self, X):
        """Logits of the samples.

        Parameters
        ----------
        X : {array-like, list of sequences} of n_samples
            Token ids or float series, as in ``fit``.

        Returns
        -------
        logits : ndarray of shape (n_samples,), or (n_samples, n_classes) for more than two classes
            For two classes the second is predicted where the logit is above 0.

        Raises
        ------
        ValueError
            If X is not of the kind, width or range that the model was fitted on.
        """
        logits = self._run(X, Trainer.logits)
        return logits[:, 0] if logits.shape[1] == 1 else logits

    def predict(self, X):
        """The most probable class of each sample.

        Parameters
        ----------
        X : {array-like, list of sequences} of n_samples
            Token ids or float series, as in ``fit``.

        Returns
        -------
        y : ndarray of shape (n_samples,)
        """
        logits = self.decision_function(X)
        return self.classes_[
            (logits > 0).astype(int) if logits.ndim == 1 else logits.argmax(axis=1)
        ]

    def predict_proba(self, X):
        """Probability of each class.

        Parameters
        ----------
        X : {array-like, list of sequences} of n_samples
            Token ids or float series, as in ``fit``.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``.
        """
        logits = self.decision_function(X)
        if logits.ndim == 1:
            return expit(np.column_stack([-logits, logits]))
        return softmax(logits, axis=1)

    def predict_log_proba(self, X):
        """Logarithm of the probability of each class, exact where the probability underflows.

        Parameters
        ----------
        X : {array-like, list of sequences} of n_samples
            Token ids or float series, as in ``fit``.

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``.
        """
        logits = self.decision_function(X)
        if logits.ndim == 1:
            return log_expit(np.column_stack([-logits, logits]))
        return log_softmax(logits, axis=1)

    def hidden_states(self, X, return_sequences=False):
        """States of the recurrent layer.

        Parameters
        ----------
        X : {array-like, list of sequences} of n_samples
            Token ids or float series, as in ``fit``.
        return_sequences : bool, default=False
            Give the state after every timestep instead of the last one. A timestep that
            ``mask_zero`` skips repeats the state before it.

        Returns
        -------
        states : ndarray of shape (n_samples, units), or (n_samples, timesteps, units)
            With ``return_sequences`` and a list of sequences, a list of arrays
            (timesteps, units).
        """
        if not return_sequences:
            return self._run(X, Trainer.last_states)
        check_is_fitted(self)
        raw = read(self, X, reset=False)
        sequences = self._sequences(raw, keep_pads=True)
        with single_threaded_blas():
            paths = self._trainer().paths(sequences)
        if len(paths) < len(raw.values):
            paths = repeat_over_skipped(paths, raw.values != 0, raw.offsets)
        if raw.width is None:
            return np.split(paths, raw.offsets[1:-1])
        return paths.reshape(len(raw), raw.width, -1)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    # What fit is made of

    def _read(self, X, y, sample_weight, reset):
        """Everything the user passed, checked as far as it needs no model."""
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None."
            )
        raw = read(self, X, reset=reset)
        y = column_or_1d(y, warn=True)
        if y.dtype.kind == "f":
            assert_all_finite(y, input_name="y")
        check_classification_targets(y)
        check_consistent_length(raw, y)
        weights = _check_sample_weight(sample_weight, y, copy=True)
        with np.errstate(over="ignore"):  # an error says it better than a warning
            weights = weights.astype(self.dtype, copy=False)
        assert_all_finite(weights, input_name="sample_weight")
        if (weights < 0).any():
            raise ValueError("sample_weight cannot contain negative weights.")
        return raw, y, weights

    def _start(self, raw, classes):
        """Draw the weights of a new model."""
        if len(classes) < 2:
            raise ValueError(
                f"{type(self).__name__} needs samples of at least two classes, but y contains "
                f"only one class: {classes.tolist()[0]!r}."
            )
        self.classes_ = classes
        self._rng = check_random_state(self.random_state)
        vars(self).pop("embedding_", None)  # that of an earlier fit says nothing of this one
        to_attributes(self, draw(self._rng, self._shapes(raw), self.dtype))
        self._optimizer = self._new_optimizer()
        self.history_ = {}
        self.n_iter_ = 0

    def _shapes(self, raw):
        """Shapes of the weights that parameters and data ask for."""
        continuing = hasattr(self, "embedding_")
        V, F = None, raw.n_features
        if continuing or raw.are_tokens(self.input):
            V, F = self.vocabulary_size, self.embedding_dim
        if V is None and continuing:
            V = len(self.embedding_)
        elif V is None and raw.are_tokens(self.input):
            V = int(integer_ids(raw.values).max(initial=0)) + 1
        n_classes = len(self.classes_)
        return shapes(
            vocabulary_size=V,
            n_features=F,
            units=self.units,
            n_outputs=n_classes if n_classes > 2 else 1,
        )

    def _new_optimizer(self):
        options = {}
        if self.optimizer == "sgd":
            options = {"momentum": self.momentum, "nesterov": self.nesterovs_momentum}
        return OPTIMIZERS[self.optimizer](self.learning_rate, **options)

    def _samples(self, raw, y, weights):
        sequences = self._sequences(raw)
        numbers = {label: number for number, label in enumerate(self.classes_.tolist())}
        labels = y.tolist()
        unknown = [label for label in labels if label not in numbers]
        if unknown:
            raise ValueError(
                f"y contains the label {unknown[0]!r}, which is not among the classes of the "
                f"model: {list(numbers)}."
            )
        places = np.array([numbers[label] for label in labels])
        if len(self.classes_) == 2:
            return Samples(sequences, places[:, None].astype(self.dtype), weights)
        return Samples(sequences, places.astype(np.int32), weights)

    def _sequences(self, raw, keep_pads=False):
        tokens = hasattr(self, "embedding_")
        return as_sequences(
            raw,
            tokens=tokens,
            vocabulary_size=len(self.embedding_) if tokens else None,
            n_features=len(self.kernel_),
            mask_zero=self.mask_zero,
            dtype=self.dtype,
            keep_pads=keep_pads,
        )

    def _split(self, samples, X_val, y_val):
        """Samples to train on, and those to validate on or None."""
        if (X_val is None) != (y_val is None):
            raise ValueError("X_val and y_val must be passed together, or neither of them.")
        if X_val is not None:
            if self.validation_fraction:
                raise ValueError(
                    f"validation_fraction={self.validation_fraction} and X_val both ask for "
                    "validation; set validation_fraction=0 to use X_val."
                )
            return samples, self._samples(*self._read(X_val, y_val, None, reset=False))
        if self.validation_fraction == 0:
            return samples, None
        n_train = int(np.floor(len(samples.weights) * (1 - self.validation_fraction)))
        if n_train == 0:
            raise ValueError(
                f"validation_fraction={self.validation_fraction} leaves none of the "
                f"{len(samples.weights)} samples to train on; lower it."
            )
        return Samples(*(a[:n_train] for a in samples)), Samples(*(a[n_train:] for a in samples))

    def _with_class_weights(self, samples):
        places = samples.targets.astype(int).ravel()
        if self.class_weight is None:
            return samples
        missing = set(range(len(self.classes_))) - set(places.tolist())
        if missing and self.class_weight == "balanced":
            raise ValueError(
                "class_weight='balanced' needs samples of each class to train on, but there is "
                f"none of class {self.classes_.tolist()[missing.pop()]!r}."
            )
        factors = compute_class_weight(
            self.class_weight, classes=self.classes_, y=self.classes_[places]
        )
        return samples._replace(weights=samples.weights * factors[places].astype(self.dtype))

    def _train(self, samples, validation, n_epochs):
        """Train copies, so that an error leaves what is there, and put them in place."""
        trainer = self._trainer(copy=True)
        optimizer = self._new_optimizer()
        if type(optimizer) is type(self._optimizer):
            optimizer.state = deepcopy(self._optimizer.state)
        batch_size = self.batch_size
        if batch_size == "auto":
            batch_size = min(max(len(samples.weights) // 50, 4), 128)
        history = deepcopy(self.history_)
        with single_threaded_blas():
            for row in trainer.train(
                samples,
                validation,
                range(self.n_iter_ + 1, self.n_iter_ + n_epochs + 1),
                batch_size,
                optimizer,
                self._rng if self.shuffle else None,
                self.verbose,
            ):
                _append(history, row)
        to_attributes(self, trainer.network.parameters)
        self._optimizer = optimizer
        self.history_ = history
        self.n_iter_ += n_epochs

    # What prediction is made of

    def _run(self, X, method):
        check_is_fitted(self)
        sequences = self._sequences(read(self, X, reset=False))
        with single_threaded_blas():
            return method(self._trainer(), sequences)

    def _trainer(self, copy=None):
        """The network with the fitted attributes as its weights."""
        n_threads = n_threads_for(self.n_jobs)
        parameters = from_attributes(self, copy=copy)
        return Trainer(Network(parameters, self.activation, n_threads, Workspace()), n_threads)


def _append(history, row):
    """One more epoch; NaN stands for what an epoch did not measure."""
    n_epochs = len(history.get("loss", []))
    for name in history | row:
        history.setdefault(name, [np.nan] * n_epochs).append(row.get(name, np.nan))


@contextmanager
def _unchanged_on_error(estimator):
    """Give the estimator its attributes back if the block fails."""
    attributes = dict(vars(estimator))
    stream = estimator._rng.get_state() if "_rng" in attributes else None
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(attributes)
        if stream is not None:
            estimator._rng.set_state(stream)
        raise
