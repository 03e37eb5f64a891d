"""The weights of a fitted estimator, by name."""

import fnmatch
from collections.abc import Sequence

from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from crnn._layers.parameters import check_shapes, finite_copies
from crnn._typing import Floats, quiet


class FittedWeights:
    """``weights_``, its arrays as properties, and Keras's ``get_weights`` and ``set_weights``."""

    weights_: dict[str, Floats]
    dtype: str

    @property
    def embedding_(self) -> Floats:
        """Vectors of the tokens, ``weights_["embedding"]``; only models of token ids have them."""
        return self._weight("embedding")

    @property
    def kernel_(self) -> Floats:
        """Weights of the inputs, ``weights_["rnn_0/kernel"]``, of a single recurrent layer."""
        return self._of_layer("kernel")

    @property
    def recurrent_kernel_(self) -> Floats:
        """Weights of the state, ``weights_["rnn_0/recurrent_kernel"]``."""
        return self._of_layer("recurrent_kernel")

    @property
    def bias_(self) -> Floats:
        """Bias of the recurrent layer, ``weights_["rnn_0/bias"]``."""
        return self._of_layer("bias")

    @property
    def head_kernel_(self) -> Floats:
        """Weights of the head, ``weights_["head/kernel"]``."""
        return self._weight("head/kernel")

    @property
    def head_bias_(self) -> Floats:
        """Bias of the head, ``weights_["head/bias"]``."""
        return self._weight("head/bias")

    def _of_layer(self, name):
        if len(fnmatch.filter(vars(self).get("weights_", ()), "rnn_*/bias")) > 1:
            raise AttributeError(
                f"This {type(self).__name__} has several recurrent layers or two directions, each "
                f"with a {name} of its own; see weights_."
            )
        return self._weight(f"rnn_0/{name}")

    def _weight(self, name):
        try:
            return vars(self)["weights_"][name]
        except KeyError:
            raise AttributeError(
                f"This {type(self).__name__} has no weights named {name!r}. Fit it first; only "
                "models of token ids have an embedding."
            ) from None

    def get_weights(self) -> list[Floats]:
        """Get copies of the weights in the order of ``weights_``, which is that of Keras.

        Returns
        -------
        weights : list of ndarray

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        """
        check_is_fitted(self)
        return [array.copy() for array in self.weights_.values()]

    @quiet
    def set_weights(self, weights: Sequence[ArrayLike]) -> None:
        """Replace the weights of a fitted estimator.

        Parameters
        ----------
        weights : list of array-like
            Arrays with the shapes and in the order of ``get_weights``.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If their number, shapes or values are wrong; the estimator is left as it was.

        Examples
        --------
        >>> from crnn import SimpleRNNClassifier
        >>> X, y = [[3, 1, 2], [2, 3], [1, 3, 3, 2], [1, 2]], [1, 0, 1, 0]
        >>> clf = SimpleRNNClassifier(8, random_state=0).fit(X, y)
        >>> other = SimpleRNNClassifier(8, random_state=1).fit(X, y)
        >>> other.set_weights(clf.get_weights())
        >>> bool((other.predict_proba(X) == clf.predict_proba(X)).all())
        True
        """
        check_is_fitted(self)
        if len(weights) != len(self.weights_):
            raise ValueError(
                f"weights has {len(weights)} arrays, but this {type(self).__name__} has "
                f"{len(self.weights_)}: {list(self.weights_)}. Pass one array for each, "
                "in this order."
            )
        arrays = dict(zip(self.weights_, weights, strict=True))
        check_shapes(
            arrays,
            {name: array.shape for name, array in self.weights_.items()},
            "Pass arrays of the shapes and in the order of get_weights().",
        )
        self.weights_ = finite_copies(arrays, self.dtype)
