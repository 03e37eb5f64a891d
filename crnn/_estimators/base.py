"""What all estimators share: scikit-learn's conventions around the network."""

from collections.abc import Callable, Sequence
from typing import IO, TYPE_CHECKING, Any, Literal, Self

from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from crnn._estimators.constraints import PARAMETER_CONSTRAINTS
from crnn._estimators.given_weights import given_vectors
from crnn._estimators.prediction import every_state, last_states
from crnn._estimators.surprises import warn_of_surprises, warn_of_unknown_ids
from crnn._estimators.weights import FittedWeights
from crnn._layers.assembly import check_continuation, new_network
from crnn._saving.checks import check_fitted
from crnn._saving.model_file import load, save
from crnn._saving.snapshot import copy_of, on_snapshot
from crnn._system.sklearn_callbacks import CallbackSupportMixin, with_callbacks
from crnn._system.streams import own_stream
from crnn._training.builders import first_weights
from crnn._training.fit import Fit, working_copy
from crnn._training.listeners import callbacks_of
from crnn._training.plan import (
    FitProgress,
    begin_plan,
    check_plan,
    fingerprint,
    n_epochs_of,
    new_training,
)
from crnn._training.samples import read_data, samples_of, weighed
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

    A subclass defines its targets by ``_check_target``, ``_learn_target`` and ``_objective``, and
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
        return every_state(self, X) if return_sequences else last_states(self, X)

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

    def __sklearn_is_fitted__(self):  # found faster than by the names of all attributes
        return hasattr(self, "weights_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.positive_only = self.input == "tokens"
        return tags

    @with_callbacks
    def _fit(self, X, y, sample_weight, X_val, y_val, resume=False):
        model = working_copy(self)
        data = read_data(model, X, y, sample_weight, reset=not resume)
        if not (resume or (self.warm_start and hasattr(self, "out_activation_"))):
            model._start(data.raw, data.y)
        samples = model._samples(data)
        samples, validation = split(model, samples, data, X_val, y_val)
        samples = weighed(model, samples)
        content = fingerprint(samples, validation)
        if resume:
            check_plan(model, content)
        else:
            begin_plan(model, n_epochs_of(model, len(samples.weights)), content)
        callbacks = callbacks_of(self, X, y, sample_weight, model._training["plan"]["epochs_left"])
        Fit(model, samples, validation, callbacks).run(self)
        return self

    def _partial_fit(self, X, y, sample_weight, classes=None):
        """Train for one epoch on a part of the data."""
        model = working_copy(self)
        is_new = not hasattr(model, "out_activation_")
        data = read_data(model, X, y, sample_weight, reset=is_new)
        if is_new:
            model._start(data.raw, model._first_target(data.y, classes))
        samples = weighed(model, model._samples(data))
        begin_plan(model, 1)
        Fit(model, samples, has_end=False).run(self)
        return self

    def _first_target(self, y, classes):
        """The target from which a first ``partial_fit`` learns its kind."""
        return y

    def _start(self, raw, y):
        """Draw the weights of a new model."""
        self._learn_target(y)
        warn_of_surprises(self, raw, y)
        rng = own_stream(self.random_state)
        network = new_network(self, raw, given_vectors(self, raw))
        self._begin(first_weights(self, network, rng), rng)

    def _begin(self, weights, rng):
        """Become a model with these weights that has not been trained yet."""
        self.weights_ = weights
        self._training = new_training(self, rng)
        self.history_ = {}
        self.n_iter_ = 0

    def _without_optimizer(self):
        """A copy whose training goes on from the random stream only."""
        copy, training = copy_of(self), self._training
        copy._training = new_training(self, training["rng"], training["split_seed"])
        return copy

    def _samples(self, data):
        """Samples for training that goes on from the weights."""
        check_continuation(self, data.raw)
        warn_of_unknown_ids(self, data.raw)
        return samples_of(self, data)

    def _weigh(self, samples):
        """Samples with all weights that the user asks for multiplied."""
        return samples
