"""Files of estimators, vectorizers, and pipelines of them."""

from typing import IO, Any

from sklearn.pipeline import Pipeline

from crnn._estimators.classifier import SimpleRNNClassifier
from crnn._estimators.regressor import SimpleRNNRegressor
from crnn._estimators.transformer import SimpleRNNTransformer
from crnn._saving import model_file
from crnn._typing import Path, quiet
from crnn.preprocessing import (
    HashingSequenceVectorizer,
    SequenceVectorizer,
    SeriesLayout,
    SeriesPatches,
    SeriesScaler,
)

CLASSES = {
    cls.__name__: cls
    for cls in (
        SimpleRNNClassifier,
        SimpleRNNRegressor,
        SimpleRNNTransformer,
        SequenceVectorizer,
        HashingSequenceVectorizer,
        SeriesLayout,
        SeriesPatches,
        SeriesScaler,
        Pipeline,
    )
}


def save(estimator: Any, path: Path | IO[bytes], *, optimizer: bool = True) -> None:
    """Write a fitted estimator or pipeline to a file that holds no code, unlike a pickle.

    Parameters
    ----------
    estimator : estimator of crnn, vectorizer, transformer of series, or Pipeline of these
        What to save. A vectorizer keeps its vocabulary and its settings.
    path : str, bytes, path or binary file
        The file, an npz archive; an old one is replaced. A file that is open for writing gets the
        archive from where it stands.
    optimizer : bool, default=True
        Whether the file keeps the state of the training, so that it goes on bit for bit. Without
        it, files are a half to a third as large, and training goes on with a new optimiser.

    Raises
    ------
    ValueError
        If a step, a parameter or a label is neither of crnn nor numbers or text, such as a
        function; the message names it.
    NotFittedError
        If the estimator or a step is not fitted.
    TypeError
        If the file is open for text.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import crnn
    >>> from crnn.preprocessing import SequenceVectorizer
    >>> from sklearn.pipeline import make_pipeline
    >>> texts, y = ["good film", "bad film"] * 4, [1, 0] * 4
    >>> pipeline = make_pipeline(SequenceVectorizer(), crnn.SimpleRNNClassifier(random_state=0))
    >>> with TemporaryDirectory() as folder:
    ...     crnn.save(pipeline.fit(texts, y), Path(folder, "model.npz"))
    ...     again = crnn.load(Path(folder, "model.npz"))
    >>> bool((again.predict_proba(texts) == pipeline.predict_proba(texts)).all())
    True
    """
    model_file.save(CLASSES, estimator, path, optimizer)


@quiet
def load(path: Path | IO[bytes]) -> Any:
    """Read whatever estimator or pipeline ``crnn.save`` or a method ``save`` has written.

    Parameters
    ----------
    path : str, bytes, path or binary file
        The file. One that is open is read from where it stands to its end.

    Returns
    -------
    estimator : estimator of the class that was saved

    Raises
    ------
    ValueError
        If the file is damaged or holds what does not belong together.
    OSError
        If the file cannot be read.
    TypeError
        If the file is open for text.
    """
    return model_file.load(CLASSES, path, "crnn.load")
