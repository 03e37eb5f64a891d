from collections.abc import Iterable
from typing import Self, final

import numpy as np
from numpy.typing import NDArray
from typing_extensions import disjoint_base

START: int
OUT_OF_VOCABULARY: int
FIRST_WORD: int
PUNCTUATION: str

@disjoint_base
class Reader:
    def read(
        self, documents: Iterable[str], lowercase: bool
    ) -> tuple[NDArray[np.int32], NDArray[np.int64]]: ...

@final
class HashingReader(Reader):
    def __new__(cls, n_features: int) -> Self: ...

@disjoint_base
class RememberingReader(Reader): ...

@final
class LearningReader(RememberingReader):
    def learned(self) -> list[str]: ...

@final
class VocabularyReader(RememberingReader):
    def __new__(cls, vocabulary: dict[str, int]) -> Self: ...

def pad(
    items: NDArray[np.uint8],
    ends: NDArray[np.int64],
    pad_first: bool,
    cut_first: bool,
    out: NDArray[np.uint8],
) -> None: ...
