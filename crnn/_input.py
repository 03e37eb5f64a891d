"""The input contract of the estimators: what the user passed -> packed sequences."""

from dataclasses import dataclass
from numbers import Integral

import numpy as np
from sklearn.utils.validation import _check_feature_names, _check_n_features, validate_data

from crnn._sequences import (
    check_length,
    flatten,
    is_list_of_sequences,
    offsets_of,
    series_sequences,
    token_sequences,
)


@dataclass(frozen=True)
class Raw:
    """The user's data, end to end, with scikit-learn's checks done."""

    values: np.ndarray  # (n_steps,) or (n_steps, F)
    offsets: np.ndarray  # (n_samples + 1,)
    width: int | None  # timesteps of each sample, if all came in one array

    def __len__(self):
        return len(self.offsets) - 1

    def are_tokens(self, declared):
        """By ``input="auto"``, integers are token ids and floats are series."""
        if declared == "auto":
            return self.values.dtype.kind in "iu" and self.values.ndim == 1
        return declared == "tokens"

    @property
    def n_features(self):
        """Features of a timestep of a series."""
        return 1 if self.values.ndim == 1 else self.values.shape[1]


def read(estimator, X, *, reset):
    """Check X by scikit-learn's rules.

    An array must have the width that the estimator was fitted on, if that was one width; the
    sequences of a list have any length.
    """
    if is_list_of_sequences(X):
        raw = Raw(*flatten(X), None)
        check_length(np.diff(raw.offsets).max())
        if reset:
            _set_width(estimator, X, np.diff(raw.offsets))
        else:
            _check_feature_names(estimator, X, reset=False)
        return raw
    _refuse_text(X)
    _refuse_sequences_in_a_table(X)
    if type(X) is np.ndarray and X.dtype.kind in "iu" and X.ndim == 2 and X.size:
        # Nothing is left to check but the width: a third of the time that one review takes.
        if reset or hasattr(estimator, "feature_names_in_"):
            X = validate_data(estimator, X, reset=reset, skip_check_array=True)
        else:
            _check_n_features(estimator, X, reset=False)
    else:
        integers = _holds_integers(X)
        X = validate_data(estimator, X, reset=reset, allow_nd=True)
        X = X.astype(np.int64, copy=False) if integers else X
    if X.ndim > 3:
        raise ValueError(
            f"Found array with dim {X.ndim}. X must have shape (n_samples, timesteps) or "
            "(n_samples, timesteps, features)."
        )
    if X.dtype.kind not in "biuf":
        raise ValueError(f"X has dtype {X.dtype}; pass integers (token ids) or floats (series).")
    if 0 in X.shape[1:]:
        raise ValueError(
            f"Found array with 0 timestep(s) or 0 feature(s) in a timestep (shape={X.shape}) while "
            "a minimum of 1 is required."
        )
    n, width = X.shape[:2]
    check_length(width)
    values = X.reshape(n * width, *X.shape[2:])
    return Raw(values, offsets_of(np.full(n, width)), width)


def _set_width(estimator, X, lengths):
    """The one length of a list is a width, as everywhere; a column has the width of a column."""
    for name in ("n_features_in_", "feature_names_in_"):
        vars(estimator).pop(name, None)
    if isinstance(X, (list, tuple)) and (lengths == lengths[0]).all():
        estimator.n_features_in_ = int(lengths[0])


def _holds_integers(X):
    """Whether X holds integers in a form that scikit-learn would make floats of."""
    dtypes = list(X.dtypes) if hasattr(X, "columns") else [getattr(X, "dtype", None)]
    kinds = {getattr(dtype, "kind", None) for dtype in dtypes}
    if dtypes and kinds <= {"i", "u"}:  # a data frame, maybe of nullable integers
        return True
    return kinds == {"O"} and all(isinstance(x, Integral) for x in np.asarray(X, object).flat)


def _refuse_text(X):
    known = isinstance(X, (list, tuple, np.ndarray)) or hasattr(X, "iloc")
    first = next(iter(X), None) if known and np.ndim(X) == 1 else X
    if isinstance(first, str):
        raise ValueError(
            f"X contains text ({first[:20]!r}...). Turn it into token ids first: "
            "make_pipeline(SequenceVectorizer(), SimpleRNNClassifier())."
        )


def _refuse_sequences_in_a_table(X):
    if len(getattr(X, "shape", ())) != 2 or 0 in X.shape:
        return
    objects = X.dtype == object if isinstance(X, np.ndarray) else hasattr(X, "columns")
    first = np.asarray(X[:1])[0, 0] if objects else None
    if objects and np.ndim(first) > 0:
        raise ValueError(
            f"X is a table of shape {X.shape} with a sequence in a cell; pass that column alone, "
            "as a ColumnTransformer does for a name instead of a list of names."
        )


def as_sequences(raw, *, tokens, vocabulary_size, n_features, mask_zero, dtype, keep_pads=False):
    """Packed sequences for a model of these properties."""
    if not tokens:
        if raw.n_features != n_features and len(raw.values):
            raise ValueError(
                f"X has {raw.n_features} features in a timestep, but the model was fitted with "
                f"{n_features}."
            )
        return series_sequences(raw.values, raw.offsets, dtype, n_features)
    if raw.values.ndim > 1:
        raise ValueError(
            f"X has {raw.values.shape[1]} values in a timestep, but a token is one id. "
            "Pass ids of shape (n_samples, timesteps), or set input='series'."
        )
    return token_sequences(
        raw.values,
        raw.offsets,
        vocabulary_size=vocabulary_size,
        mask_zero=mask_zero,
        keep_pads=keep_pads,
    )
