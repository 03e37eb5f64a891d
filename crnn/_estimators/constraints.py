"""What the parameters of the networks may be, for scikit-learn's checks."""

from numbers import Integral, Real

from sklearn.metrics import get_scorer_names

from crnn._constraints import (
    DTYPE,
    N_JOBS,
    RANDOM_STATE,
    SHARE,
    SIZE,
    Interval,
    Names,
    OneOrSeveral,
)
from crnn._core import ACTIVATIONS
from crnn._data.sequences import MOST_IDS
from crnn._layers.pooling import POOLINGS
from crnn._system.sklearn_private import StrOptions
from crnn._training.optimizers import OPTIMIZERS

PARAMETER_CONSTRAINTS = {
    "units": [OneOrSeveral(*SIZE)],
    "bidirectional": ["boolean"],
    "pooling": [OneOrSeveral(StrOptions(set(POOLINGS)), distinct=True)],
    "embedding_dim": SIZE,
    "embedding_init": ["array-like", None],
    "embedding_trainable": ["boolean"],
    "vocabulary_size": [Interval(Integral, 1, MOST_IDS, closed="both"), None],
    "bigrams": [Interval(Integral, 0, MOST_IDS, closed="both")],
    "input": [StrOptions({"auto", "tokens", "series"})],
    "activation": [StrOptions(set(ACTIVATIONS))],
    "mask_zero": ["boolean"],
    "recurrent_gain": [Interval(Real, 0, None, closed="left")],
    "token_dropout": SHARE,
    "embedding_dropout": SHARE,
    "word_dropout": SHARE,
    "bigram_dropout": SHARE,
    "dropout": SHARE,
    "optimizer": [StrOptions(set(OPTIMIZERS))],
    "learning_rate": [Interval(Real, 0, None, closed="neither")],
    "learning_rate_schedule": [StrOptions({"constant", "linear", "invscaling", "adaptive"})],
    "power_t": [Interval(Real, 0, None, closed="left")],
    "momentum": [Interval(Real, 0, 1, closed="left")],
    "nesterovs_momentum": ["boolean"],
    "alpha": [Interval(Real, 0, None, closed="left")],
    "clip_norm": [Interval(Real, 0, None, closed="neither"), None],
    "clip_value": [Interval(Real, 0, None, closed="neither"), None],
    "batch_size": [*SIZE, StrOptions({"auto"})],
    "max_iter": [*SIZE, StrOptions({"auto"})],
    "shuffle": ["boolean"],
    "validation_fraction": SHARE,
    "stratify": ["boolean"],
    "scoring": [Names(set(get_scorer_names())), dict, None],
    "early_stopping": ["boolean"],
    "n_iter_no_change": SIZE,
    "tol": [Interval(Real, 0, None, closed="left")],
    "callbacks": [list, tuple, None],
    "warm_start": ["boolean"],
    "dtype": DTYPE,
    "random_state": RANDOM_STATE,
    "n_jobs": N_JOBS,
    "verbose": [Interval(Integral, 0, None, closed="left"), "boolean"],
}
