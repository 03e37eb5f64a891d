"""Classification: one label per sequence, or several."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.base import ClassifierMixin
from sklearn.utils import assert_all_finite, compute_class_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import column_or_1d

from crnn._constraints import ClassWeights
from crnn._docs import documented
from crnn._estimators.base import BaseSimpleRNN
from crnn._estimators.docs import TEXTS
from crnn._estimators.given_weights import fitted_estimator
from crnn._estimators.prediction import logits
from crnn._saving.snapshot import on_snapshot
from crnn._system.sklearn_private import StrOptions
from crnn._training.losses import Labels, ManyClasses, TwoClasses, TwoOutputs
from crnn._typing import (
    Activation,
    Floats,
    Pooling,
    RandomState,
    Schedule,
    Scoring,
    SequencesLike,
    validated,
)


@documented(TEXTS)
class SimpleRNNClassifier(ClassifierMixin, BaseSimpleRNN):
    """Classify sequences with an embedding, a simple recurrent layer and a dense head.

    Reads token ids or float series step by step, ``h_t = f(x_t W + b + h_{t-1} U)``, and classifies
    by the pooled states: one sigmoid output for two classes, a softmax for more, and a sigmoid for
    each label of multilabel y. The network of the book and its training are ``pooling="last",
    mask_zero=False, recurrent_gain=1.0, token_dropout=0.0, embedding_dropout=0.0,
    optimizer="rmsprop", learning_rate=1e-3, learning_rate_schedule="constant", batch_size=128,
    max_iter=10``.

    Parameters
    ----------
    {parameters}
    class_weight : dict, "balanced" or None, default=None
        Weight of each class in the loss, multiplied by ``sample_weight``; not applied to
        held-out samples.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The class labels; for multilabel y the indices of its columns.
    {attributes}

    See Also
    --------
    crnn.SimpleRNNRegressor : The same network for regression.
    crnn.SimpleRNNTransformer : Last states of the network as features.
    crnn.preprocessing.SequenceVectorizer : Turns text into token ids.
    crnn.TrainingHistoryDisplay : Draws ``history_``.

    References
    ----------
    Elman (1990), Finding structure in time. Werbos (1990), Backpropagation through time: what it
    does and how to do it. Chollet, Deep Learning with Python, on SimpleRNN and IMDB.

    Examples
    --------
    >>> from crnn import SimpleRNNClassifier
    >>> X = [[3, 1, 2], [2, 3], [1, 3, 3, 2], [1, 2]] * 10  # does a 3 precede the 2?
    >>> y = [1, 0, 1, 0] * 10
    >>> clf = SimpleRNNClassifier(8, max_iter=40, random_state=0).fit(X, y)
    >>> clf.predict([[1, 3, 2], [2, 1, 3]])
    array([1, 0])
    """

    classes_: NDArray[Any]

    _parameter_constraints = {
        **BaseSimpleRNN._parameter_constraints,
        "class_weight": [ClassWeights(), StrOptions({"balanced"}), None],
    }

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
        token_dropout: float = 0.3,
        embedding_dropout: float = 0.5,
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
        class_weight: Mapping[Any, float] | Literal["balanced"] | None = None,
    ) -> None:
        super().__init__(
            units,
            bidirectional=bidirectional,
            pooling=pooling,
            embedding_dim=embedding_dim,
            embedding_init=embedding_init,
            embedding_trainable=embedding_trainable,
            vocabulary_size=vocabulary_size,
            bigrams=bigrams,
            input=input,
            activation=activation,
            mask_zero=mask_zero,
            recurrent_gain=recurrent_gain,
            token_dropout=token_dropout,
            embedding_dropout=embedding_dropout,
            word_dropout=word_dropout,
            bigram_dropout=bigram_dropout,
            dropout=dropout,
            optimizer=optimizer,
            learning_rate=learning_rate,
            learning_rate_schedule=learning_rate_schedule,
            power_t=power_t,
            momentum=momentum,
            nesterovs_momentum=nesterovs_momentum,
            alpha=alpha,
            clip_norm=clip_norm,
            clip_value=clip_value,
            batch_size=batch_size,
            max_iter=max_iter,
            shuffle=shuffle,
            validation_fraction=validation_fraction,
            stratify=stratify,
            scoring=scoring,
            early_stopping=early_stopping,
            n_iter_no_change=n_iter_no_change,
            tol=tol,
            callbacks=callbacks,
            warm_start=warm_start,
            dtype=dtype,
            random_state=random_state,
            n_jobs=n_jobs,
            verbose=verbose,
        )
        self.class_weight = class_weight

    @validated
    def fit(
        self,
        X: SequencesLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        X_val: SequencesLike | None = None,
        y_val: ArrayLike | None = None,
    ) -> Self:
        """Train on sequences X with class labels y.

        Parameters
        ----------
        {X_train}
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Class labels, or a column of 0 and 1 for each of several labels.
        {sample_weight}
        {validation_data}

        Returns
        -------
        self : SimpleRNNClassifier

        Raises
        ------
        {fit_errors}
        """
        return self._fit(X, y, sample_weight, X_val, y_val)

    @validated
    def partial_fit(
        self,
        X: SequencesLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Train for one epoch on part of the data.

        Parameters
        ----------
        {X_train}
        y : array-like of shape (n_samples,)
            Class labels.
        classes : array-like of shape (n_classes,), default=None
            All classes that will ever occur. Required in the first call, optional afterwards.
        {sample_weight_of_part}

        Returns
        -------
        self : SimpleRNNClassifier

        Raises
        ------
        {partial_fit_errors}
        """
        if self.class_weight == "balanced":
            raise ValueError(
                "class_weight='balanced' needs all of y at once, but partial_fit gets only "
                "a part; set class_weight to a dict, or pass sample_weight."
            )
        if classes is not None:
            classes = np.unique(np.asarray(classes))
            known = getattr(self, "classes_", classes)
            if not np.array_equal(classes, known):
                raise ValueError(
                    f"classes={classes!r} is not the same as on the last call to partial_fit, "
                    f"which was {known!r}. Pass the same classes, or None."
                )
        return self._partial_fit(X, y, sample_weight, classes)

    @classmethod
    def from_weights(
        cls,
        weights: Mapping[str, ArrayLike] | Sequence[ArrayLike],
        classes: ArrayLike | None,
        **parameters: Any,
    ) -> Self:
        """Make a fitted classifier of weights that were trained elsewhere.

        Parameters
        ----------
        {given_weights}
        classes : array-like of shape (n_classes,) or None
            The label of each output, or of both sides of a single one, the negative first. None
            means independent labels, as those of multilabel y. ``classes_`` are sorted, and the
            head with them.
        {parameters_of_weights}

        Returns
        -------
        self : SimpleRNNClassifier
            ``n_iter_`` is 0, and X may have any width. ``partial_fit``, and ``fit`` with
            ``warm_start=True``, train these weights further with a new optimiser.

        Raises
        ------
        {from_weights_errors}

        Examples
        --------
        >>> from crnn import SimpleRNNClassifier
        >>> embedding = [[0.0], [1.0], [-1.0]]  # padding, a good word, a bad one
        >>> weights = [embedding, [[1.0]], [[0.5]], [0.0], [[1.0]], [0.0]]
        >>> clf = SimpleRNNClassifier.from_weights(weights, ["bad", "good"], pooling="last")
        >>> clf.predict([[1, 1], [1, 2]]).tolist()
        ['good', 'bad']
        """
        return fitted_estimator(cls, weights, parameters, classes=classes)

    @on_snapshot
    def decision_function(self, X: SequencesLike) -> Floats:
        """Compute the logits of the samples.

        Parameters
        ----------
        {X}

        Returns
        -------
        logits : ndarray of shape (n_samples,), or (n_samples, n_classes)
            One column per class or label; for two classes only the logit of the second one, which
            is predicted if it is above 0.

        Raises
        ------
        {errors}
        """
        outputs = logits(self, X)
        return self._objective().decide(outputs)

    @on_snapshot
    def predict(self, X: SequencesLike) -> NDArray[Any]:
        """Predict the most probable class of each sample, or the value of each label.

        Parameters
        ----------
        {X}

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_labels)

        Raises
        ------
        {errors}
        """
        decisions = self.decision_function(X)
        return self._objective().predict(decisions)

    @on_snapshot
    def predict_proba(self, X: SequencesLike) -> Floats:
        """Compute the probability of each class or label.

        Parameters
        ----------
        {X}

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``.

        Raises
        ------
        {errors}
        """
        decisions = self.decision_function(X)
        return self._objective().proba(decisions)

    @on_snapshot
    def predict_log_proba(self, X: SequencesLike) -> Floats:
        """Compute the logarithm of ``predict_proba``, accurate where probabilities underflow.

        Parameters
        ----------
        {X}

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``.

        Raises
        ------
        {errors}
        """
        decisions = self.decision_function(X)
        return self._objective().log_proba(decisions)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    # What fit calls

    def _check_target(self, y):
        y = y.toarray() if issparse(y) else y
        if np.asarray(y).dtype.kind == "f":
            assert_all_finite(y, input_name="y")
        if type_of_target(y, input_name="y") == "multilabel-indicator":
            y = np.asarray(y)
            if not np.isin(y, (0, 1)).all():
                raise ValueError(
                    f"y has several columns with the values {np.unique(y).tolist()}; multilabel y "
                    "must have columns of 0 and 1. Use sklearn.preprocessing.MultiLabelBinarizer."
                )
            return y.astype(int)  # a frame of nullable integers gives an array of objects
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        return y

    def _first_target(self, y, classes):
        if y.ndim == 2:
            return y
        if classes is None:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        return classes

    def _learn_target(self, y):
        multilabel = y.ndim == 2
        if multilabel:
            self.classes_ = np.arange(y.shape[1])
        else:
            self.classes_ = np.unique(y)
            if len(self.classes_) < 2:
                raise ValueError(
                    f"{type(self).__name__} needs samples of at least two classes, but y contains "
                    f"only one class: {self.classes_.tolist()[0]!r}. Add samples of another class."
                )
        many = len(self.classes_) > 2
        self.out_activation_ = "softmax" if many and not multilabel else "logistic"
        self.n_outputs_ = len(self.classes_) if many or multilabel else 1

    def _learn_outputs(self, weights, classes):
        """Learn classes that are given in the order of the outputs; give weights in their order."""
        K = len(weights["head/bias"])
        if classes is None:
            self._learn_target(np.zeros((1, K), int))
            return weights
        given = column_or_1d(classes)
        if len(set(given.tolist())) < len(given) or len(given) != max(K, 2):
            raise ValueError(
                f"classes={classes!r} must be {max(K, 2)} different labels, as the head has {K} "
                "output(s); pass one for each output, two for a single one."
            )
        self._learn_target(given)
        if K == 2:  # a softmax over both
            self.out_activation_, self.n_outputs_ = "softmax", 2
        order = np.argsort(given)
        kernel, bias = (np.asarray(weights[f"head/{name}"]) for name in ("kernel", "bias"))
        if K > 1:
            kernel, bias = kernel[..., order], bias[order]
        elif order[0] == 1:
            kernel, bias = -kernel, -bias
        return weights | {"head/kernel": kernel, "head/bias": bias}

    def _objective(self):
        if self.out_activation_ == "softmax":
            return (TwoOutputs if self.n_outputs_ == 2 else ManyClasses)(self.classes_)
        # Two classes share an output; labels have one each.
        shared = self.n_outputs_ < len(self.classes_)
        return TwoClasses(self.classes_) if shared else Labels(self.n_outputs_)

    def _weigh(self, samples):
        if self.class_weight is None:
            return samples
        if isinstance(self._objective(), Labels):
            raise ValueError(
                f"class_weight={self.class_weight!r} needs one label per sample, but y has several "
                "columns; set class_weight=None, and pass sample_weight if needed."
            )
        places = samples.targets.astype(int).ravel()
        missing = set(range(len(self.classes_))) - set(places.tolist())
        if missing and self.class_weight == "balanced":
            raise ValueError(
                "class_weight='balanced' needs training samples of every class, but there are "
                f"none of class {self.classes_.tolist()[missing.pop()]!r}. If they were held out, "
                "set stratify=True; otherwise set class_weight to a dict."
            )
        factors = compute_class_weight(
            self.class_weight, classes=self.classes_, y=self.classes_[places]
        )
        if not (np.isfinite(factors).all() and (factors >= 0).all()):
            raise ValueError(
                f"class_weight={self.class_weight!r} contains weights that are negative or not "
                "finite; give each class a weight of zero or more."
            )
        # Factors of at most 1 cannot overflow, and the scale of the product does not matter.
        parts = samples.weights, factors[places]
        return samples._replace(weights=np.prod([w / (w.max() or 1) for w in parts], axis=0))
