"""What all estimators share: scikit-learn's conventions around the network."""

import warnings
from collections.abc import Callable, Sequence
from typing import IO, TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import assert_all_finite
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from crnn._constraints import several
from crnn._data.containers import without_missing
from crnn._data.reader import as_sequences, read
from crnn._data.sequences import MOST_IDS, repeat_over_skipped, rows_for
from crnn._estimators.constraints import PARAMETER_CONSTRAINTS
from crnn._estimators.given_weights import agreed, named, vectors
from crnn._estimators.surprises import warn_of_surprises
from crnn._estimators.weights import FittedWeights
from crnn._layers import forecast
from crnn._layers.network import Network, Sizes, shared_network, sizes_of
from crnn._layers.parameters import as_arrays, check_shapes, draw
from crnn._layers.predictor import Predictor
from crnn._saving.checks import check_fitted
from crnn._saving.model_file import load, save
from crnn._saving.snapshot import copy_of, on_snapshot
from crnn._system import memory
from crnn._system.sklearn_callbacks import CallbackSupportMixin, with_callbacks
from crnn._system.sklearn_private import check_sample_weight
from crnn._system.streams import own_stream
from crnn._system.threads import n_threads_for
from crnn._training.fit import Fit, working_copy
from crnn._training.listeners import callbacks_of
from crnn._training.optimizers import OPTIMIZERS
from crnn._training.plan import (
    FitProgress,
    begin_plan,
    check_plan,
    fingerprint,
    n_epochs_of,
    new_training,
)
from crnn._training.trainer import Samples, Trainer
from crnn._training.validation import split
from crnn._typing import (
    Activation,
    Path,
    Pooling,
    RandomState,
    Schedule,
    Scoring,
    SequencesLike,
    quiet,
    validated,
)


class BaseSimpleRNN(FittedWeights, CallbackSupportMixin, BaseEstimator):
    """Embedding -> simple recurrent layer -> dense head, trained in epochs.

    A subclass says what its targets are: ``_check_target``, ``_learn_target``, ``_objective``, and
    sets ``out_activation_``.
    """

    n_outputs_: int
    out_activation_: Literal["logistic", "softmax", "identity"]
    n_iter_: int
    n_features_in_: int
    feature_names_in_: NDArray[Any]
    history_: dict[str, list[float]]

    if TYPE_CHECKING:  # of scikit-learn's mixins, which have no types

        def score(
            self, X: SequencesLike, y: ArrayLike, sample_weight: ArrayLike | None = None
        ) -> float: ...

    _parameter_constraints = PARAMETER_CONSTRAINTS

    def __init__(
        self,
        units: int | Sequence[int] = 32,
        *,
        bidirectional: bool = False,
        pooling: Pooling | Sequence[Pooling] = ("last", "mean", "max"),
        embedding_dim: int = 32,
        embedding_init: ArrayLike | None = None,
        embedding_trainable: bool = True,
        vocabulary_size: int | None = None,
        bigrams: int = 0,
        input: Literal["auto", "tokens", "series"] = "auto",
        activation: Activation = "tanh",
        mask_zero: bool = True,
        recurrent_gain: float = 0.5,
        token_dropout: float = 0.0,
        embedding_dropout: float = 0.0,
        word_dropout: float = 0.0,
        bigram_dropout: float = 0.7,
        dropout: float = 0.0,
        optimizer: Literal["rmsprop", "sgd", "adam"] = "adam",
        learning_rate: float = 2e-3,
        learning_rate_schedule: Schedule = "linear",
        power_t: float = 0.5,
        momentum: float = 0.0,
        nesterovs_momentum: bool = False,
        alpha: float = 0.0,
        clip_norm: float | None = None,
        clip_value: float | None = None,
        batch_size: int | Literal["auto"] = "auto",
        max_iter: int | Literal["auto"] = "auto",
        shuffle: bool = True,
        validation_fraction: float = 0.0,
        stratify: bool = False,
        scoring: Scoring = None,
        early_stopping: bool = False,
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        callbacks: Sequence[Callable[[Any], Any]] | None = None,
        warm_start: bool = False,
        dtype: Literal["float32", "float64"] = "float32",
        random_state: RandomState = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.units = units
        self.bidirectional = bidirectional
        self.pooling = pooling
        self.embedding_dim = embedding_dim
        self.embedding_init = embedding_init
        self.embedding_trainable = embedding_trainable
        self.vocabulary_size = vocabulary_size
        self.bigrams = bigrams
        self.input = input
        self.activation = activation
        self.mask_zero = mask_zero
        self.recurrent_gain = recurrent_gain
        self.token_dropout = token_dropout
        self.embedding_dropout = embedding_dropout
        self.word_dropout = word_dropout
        self.bigram_dropout = bigram_dropout
        self.dropout = dropout
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.learning_rate_schedule = learning_rate_schedule
        self.power_t = power_t
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.alpha = alpha
        self.clip_norm = clip_norm
        self.clip_value = clip_value
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.validation_fraction = validation_fraction
        self.stratify = stratify
        self.scoring = scoring
        self.early_stopping = early_stopping
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.callbacks = callbacks
        self.warm_start = warm_start
        self.dtype = dtype
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    @property
    def fit_progress_(self) -> FitProgress | None:
        """Epochs ``(done, total)`` of a fit that is running or was interrupted, else None."""
        check_is_fitted(self)
        plan = self._training["plan"]
        if plan is None:
            return None
        return FitProgress(plan["epochs_done"], plan["epochs_done"] + plan["epochs_left"])

    @validated
    def resume(
        self,
        X: SequencesLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        X_val: SequencesLike | None = None,
        y_val: ArrayLike | None = None,
    ) -> Self:
        """Finish an interrupted fit.

        A fit that was interrupted by Ctrl-C, or by weights that became NaN or infinite, leaves the
        estimator after its last complete epoch; a ``crnn.callbacks.Checkpoint`` saves that to a
        file, from where another process can go on. With the same data ``resume`` gives the weights
        that the uninterrupted fit would have given, bit for bit.

        Parameters
        ----------
        X, y, sample_weight, X_val, y_val
            As they were passed to ``fit``.

        Returns
        -------
        self : fitted estimator

        Raises
        ------
        ValueError
            If the last fit is complete, or if data or parameters have changed since it began.

        Examples
        --------
        >>> from crnn import SimpleRNNClassifier
        >>> X, y = [[3, 1, 2], [2, 3], [1, 3, 3, 2], [1, 2]] * 10, [1, 0, 1, 0] * 10
        >>> def power_cut(estimator):
        ...     if estimator.n_iter_ == 4:
        ...         raise KeyboardInterrupt
        >>> clf = SimpleRNNClassifier(8, max_iter=6, callbacks=[power_cut], random_state=0)
        >>> try:
        ...     clf.fit(X, y)
        ... except KeyboardInterrupt:
        ...     print(clf.n_iter_, "epochs are done")
        4 epochs are done
        >>> clf.set_params(callbacks=None).resume(X, y).n_iter_
        6
        """
        check_is_fitted(self)
        if self.fit_progress_ is None:
            raise ValueError(
                f"The last fit of this {type(self).__name__} is complete, so there is nothing to "
                "resume. Call fit, with warm_start=True to continue training."
            )
        return self._fit(X, y, sample_weight, X_val, y_val, resume=True)

    @on_snapshot
    def hidden_states(self, X: SequencesLike, return_sequences: bool = False) -> Any:
        """States of the last recurrent layer.

        Parameters
        ----------
        X : {array-like, list of sequences} of n_samples
            Token ids or float series, as in ``fit``.
        return_sequences : bool, default=False
            Give the state after every timestep instead of the last one. A timestep that
            ``mask_zero`` skips repeats the state before it, that of a backward reading the one
            after it.

        Returns
        -------
        states : ndarray of shape (n_samples, units), or (n_samples, timesteps, units)
            With ``return_sequences`` and a list of sequences, a list of arrays
            (timesteps, units). Two directions stand side by side, in 2 * units columns.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            If X is not of the kind, width or range that the model was fitted on.
        MemoryError
            If the states after all timesteps are more than the machine holds.
        """
        if not return_sequences:
            return self._run(X, Predictor.last_states)
        check_is_fitted(self)
        raw = read(self, X, reset=False)
        network = self._network_of(self.weights_)
        sequences = self._sequences(raw, network, keep_pads=True)
        sizes = sizes_of(self.weights_)
        memory.require(
            forecast.of_states(
                len(raw.values), sizes.n_features, sizes.n_states, np.dtype(self.dtype).itemsize
            ),
            f"States after {len(raw.values)} timesteps",
            "Pass fewer sequences at a time, or shorter ones.",
        )
        states = self._compute(network, Predictor.every_state, sequences)
        if self.mask_zero and sequences.are_tokens:
            kept = raw.values != 0
            states = states[kept] if len(states) == len(kept) else states
            states = repeat_over_skipped(states, kept, raw.offsets, sizes.units[-1])
        if raw.width is None:
            return np.split(states, raw.offsets[1:-1])
        return states.reshape(len(raw), raw.width, -1)

    @on_snapshot
    def save(self, path: Path | IO[bytes], *, optimizer: bool = True) -> None:
        """Write the fitted estimator to a file that holds no code, unlike a pickle.

        Training goes on from the loaded estimator bit for bit as from this one. ``crnn.save``
        writes pipelines, too.

        Parameters
        ----------
        path : str, bytes, path or binary file
            The file, an npz archive; an old one is replaced. A file that is open for writing gets
            the archive from where it stands.
        optimizer : bool, default=True
            Whether the file keeps the state of the training. Without it, the file is a half to a
            third as large; the loaded estimator predicts the same, ``partial_fit`` and a fit with
            ``warm_start=True`` go on with a new optimiser, and an interrupted fit cannot be
            resumed.

        Raises
        ------
        ValueError
            If a parameter is not valid, or if one or the labels are Python objects that are neither
            numbers nor text.
        TypeError
            If the file is open for text.

        Examples
        --------
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from crnn import SimpleRNNClassifier
        >>> X, y = [[3, 1, 2], [2, 3], [1, 3, 3, 2], [1, 2]], [1, 0, 1, 0]
        >>> clf = SimpleRNNClassifier(8, random_state=0).fit(X, y)
        >>> with TemporaryDirectory() as folder:
        ...     clf.save(Path(folder, "model.npz"))
        ...     again = SimpleRNNClassifier.load(Path(folder, "model.npz"))
        >>> bool((again.predict_proba(X) == clf.predict_proba(X)).all())
        True
        """
        check_is_fitted(self)
        save({type(self).__name__: type(self)}, self, path, optimizer)

    @classmethod
    @quiet
    def load(cls, path: Path | IO[bytes]) -> Self:
        """Read an estimator that ``save`` has written.

        Parameters
        ----------
        path : str, bytes, path or binary file
            The file. One that is open is read from where it stands to its end.

        Returns
        -------
        estimator : fitted estimator of this class

        Raises
        ------
        ValueError
            If the file is damaged, of another class, which ``crnn.load`` reads, or holds what
            does not belong together.
        OSError
            If the file cannot be read.
        TypeError
            If the file is open for text.
        """
        return load({cls.__name__: cls}, path, f"{cls.__name__}.load")

    @quiet
    def __setstate__(self, state):
        super().__setstate__(state)
        check_fitted(self)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.positive_only = self.input == "tokens"
        return tags

    # What fit is made of

    @with_callbacks
    def _fit(self, X, y, sample_weight, X_val, y_val, resume=False):
        model = working_copy(self)
        raw, y, weights = model._read(X, y, sample_weight, reset=not resume)
        if not resume:
            model._prepare(raw, y)
        model._check_continuation(raw)
        samples = model._samples(raw, y, weights)
        samples, validation = split(model, samples, X, raw, y, X_val, y_val)
        samples = model._weighed(samples)
        if not resume:
            begin_plan(model, n_epochs_of(self.max_iter, self.batch_size, len(samples.weights)))
        check_plan(model, fingerprint(samples, validation))
        n_epochs = model._training["plan"]["epochs_left"]
        callbacks = callbacks_of(self, X, y, sample_weight, n_epochs)
        Fit(model, samples, validation, callbacks).run(self)
        return self

    def _partial_fit(self, X, y, sample_weight, classes=None):
        """Train for one epoch on a part of the data."""
        model = working_copy(self)
        is_new = not hasattr(model, "out_activation_")
        raw, y, weights = model._read(X, y, sample_weight, reset=is_new)
        if is_new:
            model._start(raw, model._first_target(y, classes))
        model._check_continuation(raw)
        begin_plan(model, 1)
        Fit(model, model._weighed(model._samples(raw, y, weights)), has_end=False).run(self)
        return self

    def _first_target(self, y, classes):
        """The target from which a first ``partial_fit`` learns its kind."""
        return y

    def _prepare(self, raw, y):
        """Start a new model, or go on with that of the last fit."""
        if not (self.warm_start and hasattr(self, "out_activation_")):
            self._start(raw, y)
        training = self._training
        if self.stratify and self.validation_fraction and training["split_seed"] is None:
            training["split_seed"] = training["rng"].randint(MOST_IDS)

    def _read(self, X, y, sample_weight, reset):
        """Data and targets with all checks that need no model."""
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None."
            )
        raw = read(self, X, reset=reset)
        y = self._check_target(without_missing(y))
        check_consistent_length(raw, y)
        weights = check_sample_weight(sample_weight, y, dtype=np.float64)
        assert_all_finite(weights, input_name="sample_weight")
        if (weights < 0).any():
            place = np.argmax(weights < 0)
            raise ValueError(
                f"sample_weight cannot contain negative weights: sample_weight[{place}] is "
                f"{weights[place]}. Use 0 to ignore a sample."
            )
        return raw, y, weights

    def _start(self, raw, y):
        """Draw the weights of a new model."""
        self._learn_target(y)
        tokens = raw.are_tokens(self.input)
        warn_of_surprises(self, raw, y, tokens)
        rng = own_stream(self.random_state)
        vars(self).pop("weights_", None)  # those of an earlier fit do not matter
        initial = vectors(self.embedding_init, self.vocabulary_size, self.dtype, tokens)
        network = self._network(self._sizes(raw, initial), initial)
        optimizer = OPTIMIZERS[self.optimizer]
        memory.require(
            forecast.of_weights(
                network.parameters,
                np.dtype(self.dtype).itemsize,
                optimizer.n_memories,
                self.early_stopping,
            ),
            f"Training with weights of the shapes {network.shapes}",
            "Lower vocabulary_size, bigrams, embedding_dim or units.",
        )
        self._begin(draw(network.parameters, rng, self.dtype), rng)

    def _begin(self, weights, rng):
        """Be a model with these weights that has not been trained yet."""
        self.weights_ = weights
        self._training = new_training(rng, self._new_optimizer().state)
        self.history_ = {}
        self.n_iter_ = 0

    @classmethod
    @quiet
    def _from_weights(cls, weights, parameters, **target):
        """A fitted estimator with weights from elsewhere, all of which is checked first."""
        weights = named(weights, parameters.get("bidirectional"))
        estimator = cls(**agreed(weights, parameters))
        estimator._validate_params()
        weights = estimator._learn_outputs(weights, **target)
        arrays = as_arrays(weights, estimator.dtype, copy=True)
        for name, array in arrays.items():
            assert_all_finite(array, input_name=f"weights[{name!r}]")
        estimator._network_of(arrays)  # whose shapes belong together
        estimator._begin(arrays, own_stream(estimator.random_state))
        return estimator

    def _without_optimizer(self):
        """A copy of which only the random stream goes on."""
        copy, training = copy_of(self), self._training
        copy._training = new_training(training["rng"], self._new_optimizer().state)
        copy._training["split_seed"] = training["split_seed"]
        return copy

    def _sizes(self, raw, initial=None):
        """Sizes of the network that parameters and data ask for."""
        continuing = hasattr(self, "embedding_")
        V, F = None, raw.n_features
        if continuing or raw.are_tokens(self.input):
            V, F = self.vocabulary_size, self.embedding_dim
        if self.embedding_init is not None and continuing:
            F = self.embedding_.shape[1]  # that of the vectors, whatever embedding_dim is
        elif initial is not None:
            V, F = len(initial) + (V is None), initial.shape[1]
        if V is None and continuing:
            V = len(self.embedding_)
        elif V is None and raw.are_tokens(self.input):
            V = rows_for(raw.values, raw.offsets) + 1  # the last one for unknown ids
        return Sizes(
            vocabulary_size=V,
            n_features=F,
            units=several(self.units),
            n_outputs=self.n_outputs_,
            bidirectional=bool(self.bidirectional),
            bigrams=0 if V is None else int(self.bigrams),
        )

    def _network(self, sizes, initial=None):
        build = shared_network if initial is None else Network  # arrays cannot be shared by value
        return build(
            sizes,
            activation=self.activation,
            pooling=several(self.pooling),
            recurrent_gain=self.recurrent_gain,
            open_vocabulary=self.vocabulary_size is None,
            embedding_dropout=self.embedding_dropout,
            word_dropout=self.word_dropout,
            bigram_dropout=self.bigram_dropout,
            dropout=self.dropout,
            embedding_init=initial,
            embedding_trainable=self.embedding_trainable,
        )

    def _network_of(self, weights):
        """The network of these weights; parameters that have changed since the fit are refused."""
        asked = {"units": several(self.units), "bidirectional": bool(self.bidirectional)}
        network = self._network(sizes_of(weights)._replace(**asked))
        check_shapes(
            weights,
            network.shapes,
            f"The weights are not those of units={self.units!r}, "
            f"bidirectional={self.bidirectional!r} and pooling={self.pooling!r}; set the "
            "parameters back to those of the fit, or call fit.",
        )
        return network

    def _check_continuation(self, raw):
        """Whether training can go on from the weights with these parameters and data."""
        check_shapes(
            self.weights_,
            self._network(self._sizes(raw)).shapes,
            "Set the parameters back to those of the fitted model and pass data of the same kind, "
            "or call fit with warm_start=False to train a new model.",
        )
        self._warn_of_unknown(raw)

    def _warn_of_unknown(self, raw):
        """Ids that an earlier call has not seen are read as unknown, in training too."""
        if self.vocabulary_size is not None or not hasattr(self, "embedding_"):
            return
        highest, known = raw.values.max(initial=0), len(self.embedding_) - 2
        if highest > known:
            warnings.warn(
                f"X contains token ids up to {highest}, but the first call saw ids up to {known}. "
                "Higher ids are read as one unknown word that is never trained; set "
                "vocabulary_size to train them.",
                UserWarning,
                stacklevel=2,
            )

    def _new_optimizer(self):
        table = self._network_of(self.weights_).parameters
        options = {
            "alpha": self.alpha,
            "penalized": [name for name, parameter in table.items() if parameter.penalized],
            "sparse": [name for name, parameter in table.items() if parameter.sparse],
            "clip_norm": self.clip_norm,
            "clip_value": self.clip_value,
        }
        if self.optimizer == "sgd":
            options |= {"momentum": self.momentum, "nesterov": self.nesterovs_momentum}
        return OPTIMIZERS[self.optimizer](self.learning_rate, **options)

    def _samples(self, raw, y, weights):
        sequences = self._sequences(raw, self._network_of(self.weights_))
        return Samples(sequences, self._objective().encode(y, self.dtype), weights)

    def _sequences(self, raw, network, keep_pads=False):
        tokens = hasattr(self, "embedding_")
        sequences = as_sequences(
            raw,
            tokens=tokens,
            n_rows=len(self.embedding_) if tokens else None,
            open_vocabulary=self.vocabulary_size is None,
            n_features=len(self.weights_["rnn_0/kernel"]),
            mask_zero=self.mask_zero,
            dtype=self.dtype,
            keep_pads=keep_pads or not network.counts_pads,
        )
        bigrams = len(self.weights_.get("bigrams", ()))
        return sequences.with_bigrams(bigrams) if bigrams else sequences

    def _weighed(self, samples):
        """Samples as they count in training."""
        samples = self._weigh(samples)
        if not samples.weights.any():
            raise ValueError(
                "All training samples have weight zero from sample_weight or class_weight; give "
                "some of them a positive weight."
            )
        return samples.scaled(self.dtype)

    def _weigh(self, samples):
        """Samples with all weights that the user asks for multiplied."""
        return samples

    # What prediction is made of

    def _run(self, X, method):
        check_is_fitted(self)
        network = self._network_of(self.weights_)
        return self._compute(network, method, self._sequences(read(self, X, reset=False), network))

    def _compute(self, network, method, sequences):
        weights = as_arrays(self.weights_, self.dtype)
        out = method(Predictor(network, weights, n_threads_for(self.n_jobs)), sequences)
        if not np.isfinite(out).all():
            raise ValueError(
                "The network produced NaN or infinity; scale X to about unit size, or check "
                "weights_ for infinite or very large values."
            )
        return out

    def _trainer(self):
        """What trains a copy of the weights."""
        weights = as_arrays(self.weights_, self.dtype, copy=True)
        return Trainer(
            self._network_of(weights),
            weights,
            n_threads_for(self.n_jobs),
            self._objective(),
            self.token_dropout,
        )
