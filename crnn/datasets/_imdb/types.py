"""Types of the arguments and results of `fetch_imdb`."""

import os
from typing import Generic, Literal, TypeAlias, TypedDict, TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch

T = TypeVar("T")
Ids: TypeAlias = NDArray[np.int32]


class Reviews(Bunch, Generic[T]):
    """Result of `fetch_imdb`; `T` is the type of a review."""

    data: list[T]
    target: NDArray[np.int64]
    target_names: list[str]
    word_index: dict[str, int] | None
    DESCR: str


class Options(TypedDict, total=False):
    """Arguments of `fetch_imdb` that do not affect the type of its result."""

    data_home: str | os.PathLike[str] | None
    subset: Literal["train", "test", "all"]
    num_words: int | None
    maxlen: int | None
    download_if_missing: bool
    n_retries: int
    delay: float
