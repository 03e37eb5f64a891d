"""Networks as Keras models, and Keras models as estimators."""

import warnings
from typing import Any

from numpy.typing import ArrayLike

from crnn._system.extras import require
from crnn.interop._description import describe, estimator_of
from crnn.interop._keras_build import build
from crnn.interop._keras_read import read

INSTALL = "keras and one of jax, tensorflow and torch"


def to_keras(estimator: Any) -> Any:
    """Build a Keras model with the network and the weights of a fitted estimator.

    The model is a ``keras.Sequential`` of ``Embedding``, ``SimpleRNN`` or ``Bidirectional``, a
    pooling and ``Dense`` if there are layers that do the same. Else it is a Functional model of
    layers and ``keras.ops``: with several poolings, with means or maxima of masked steps
    (``GlobalMaxPooling1D`` ignores masks, and ``GlobalAveragePooling1D`` gives NaN for a sequence
    without steps), or with unknown words (``vocabulary_size=None``). Either way it consists of
    Keras alone, so that it can be saved and loaded where crnn is not installed. Dropout is left
    out.

    Parameters
    ----------
    estimator : SimpleRNNClassifier or SimpleRNNRegressor
        A fitted estimator without bigrams.

    Returns
    -------
    model : keras.Model
        Reads ids (n_samples, timesteps) or series (n_samples, timesteps, features), and gives
        probabilities (n_samples, n_outputs), of two classes that of the second, or the numbers that
        a regressor predicts.

    Raises
    ------
    ImportError
        If Keras is not installed.
    TypeError
        If the estimator is not a network of crnn.
    ValueError
        If it has bigrams.
    NotFittedError
        If it is not fitted.

    Warns
    -----
    UserWarning
        If the estimator has double precision, which Keras has with TensorFlow only.

    Examples
    --------
    >>> from crnn import SimpleRNNClassifier
    >>> from crnn.interop import to_keras
    >>> X, y = [[3, 1, 2], [2, 3], [1, 3, 3, 2], [1, 2]], [1, 0, 1, 0]
    >>> clf = SimpleRNNClassifier(8, random_state=0).fit(X, y)
    >>> model = to_keras(clf)  # doctest: +SKIP
    >>> model.predict([[0, 3, 1, 2]])  # doctest: +SKIP
    """
    description = describe(estimator, "to_keras")
    keras = require("keras", "to_keras", INSTALL)
    backend = keras.backend.backend()
    if description.dtype == "float64" and backend != "tensorflow":
        warnings.warn(
            f"Keras computes in single precision with the backend {backend!r}, so the weights of "
            "dtype 'float64' were rounded. Set KERAS_BACKEND=tensorflow to keep them.",
            stacklevel=2,
        )
        description = description._replace(dtype="float32")
    model = build(keras, description)
    model.set_weights(estimator.get_weights())
    return model


def from_keras(model: Any, classes: ArrayLike | None = None, **parameters: Any) -> Any:
    """Make a fitted estimator of a Keras model.

    The model must be built, and be a chain, Sequential or Functional, of ``Embedding`` (not for
    series), one or more ``SimpleRNN`` or ``Bidirectional`` of them, ``GlobalAveragePooling1D`` or
    ``GlobalMaxPooling1D`` or the last state, and ``Dense``; ``Dropout`` and ``SpatialDropout1D``
    anywhere do nothing in prediction and are left out. Functional models that ``to_keras`` has
    built are read too. Anything else is refused, and the message names the layer: another layer or
    activation, a maximum over masked steps, which Keras takes over all steps, or a layer that reads
    backwards.

    Parameters
    ----------
    model : keras.Model
        The model. It is not changed.
    classes : array-like of shape (n_classes,), default=None
        The label of each output, or of both sides of a single sigmoid, the negative first. None
        means 0, 1, ... for a sigmoid or a softmax; several sigmoids are independent labels and have
        none. A head without activation makes a regressor, or with classes a classifier of which it
        gives the logits.
    **parameters : dict
        Further parameters of the estimator, such as ``n_jobs``.

    Returns
    -------
    estimator : SimpleRNNClassifier or SimpleRNNRegressor
        Fitted, with the weights of the model; see their ``from_weights``. A sequence without steps
        has a mean of zero, where ``GlobalAveragePooling1D`` with masks gives NaN.

    Raises
    ------
    ImportError
        If Keras is not installed.
    TypeError
        If the model is not a Keras model.
    ValueError
        If the model has a part that crnn does not support, or weights that are not finite; the
        message names the layer.

    Examples
    --------
    >>> from crnn.interop import from_keras
    >>> import keras  # doctest: +SKIP
    >>> clf = from_keras(keras.saving.load_model("model.keras"))  # doctest: +SKIP
    >>> clf.predict_proba(X)  # doctest: +SKIP
    """
    keras = require("keras", "from_keras", INSTALL)
    if not isinstance(model, keras.Model):
        raise TypeError(f"from_keras takes a keras.Model, not a {type(model).__name__}.")
    description, weights = read(keras, model)
    K, kind = description.sizes.n_outputs, description.out_activation
    return estimator_of(weights, K, kind, classes, description.settings | parameters)
