"""The last states of a trained network as features."""

from typing import Any, Self

from numpy.typing import ArrayLike, NDArray
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    MetaEstimatorMixin,
    TransformerMixin,
    clone,
)
from sklearn.utils import check_random_state
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import check_is_fitted

from crnn._constraints import RANDOM_STATE
from crnn._docs import documented
from crnn._estimators.classifier import SimpleRNNClassifier
from crnn._estimators.docs import TEXTS
from crnn._layers.network import sizes_of
from crnn._system.sklearn_callbacks import CallbackSupportMixin, passed_on, with_callbacks
from crnn._system.sklearn_private import HasMethods, routing_enabled, set_random_states
from crnn._typing import RandomState, SequencesLike, validated


@documented(TEXTS)
class SimpleRNNTransformer(
    CallbackSupportMixin,
    ClassNamePrefixFeaturesOutMixin,
    MetaEstimatorMixin,
    TransformerMixin,
    BaseEstimator,
):
    """Turn sequences into the last states of a trained network.

    Parameters
    ----------
    estimator : estimator, default=None
        The network to train, with a method ``hidden_states``; None means SimpleRNNClassifier().
    random_state : int, RandomState instance or None, default=None
        Determines the ``random_state`` of the network; None leaves it unchanged.

    Attributes
    ----------
    estimator_ : estimator
        The trained network.
    n_features_in_ : int
        Width of X, if it was an array.

    See Also
    --------
    crnn.SimpleRNNClassifier : The network, with ``hidden_states``.

    Examples
    --------
    >>> from crnn import SimpleRNNClassifier, SimpleRNNTransformer
    >>> X = [[3, 1, 2], [2, 3], [1, 3, 3, 2], [1, 2]] * 10
    >>> y = [1, 0, 1, 0] * 10
    >>> transformer = SimpleRNNTransformer(SimpleRNNClassifier(2, random_state=0)).fit(X, y)
    >>> transformer.transform([[1, 3, 2]]).shape
    (1, 2)
    >>> list(transformer.get_feature_names_out())
    ['simplernntransformer0', 'simplernntransformer1']
    """

    estimator_: BaseEstimator
    n_features_in_: int
    feature_names_in_: NDArray[Any]

    _parameter_constraints = {
        "estimator": [HasMethods(["fit", "hidden_states"]), None],
        "random_state": RANDOM_STATE,
    }

    def __init__(
        self, estimator: BaseEstimator | None = None, *, random_state: RandomState = None
    ) -> None:
        self.estimator = estimator
        self.random_state = random_state

    @validated
    @with_callbacks
    def fit(self, X: SequencesLike, y: ArrayLike, **fit_params: Any) -> Self:
        """Train the network on sequences X with targets y.

        Parameters
        ----------
        X : {array-like, list of sequences} of n_samples
            Token ids or float series, as the network reads them.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets of the network.
        **fit_params : dict
            Further arguments of the ``fit`` of the network, such as ``sample_weight`` or ``X_val``
            and ``y_val``; they are routed if scikit-learn's metadata routing is enabled.

        Returns
        -------
        self : SimpleRNNTransformer

        Raises
        ------
        ValueError
            If the network refuses the data.
        """
        sample_weight = fit_params.get("sample_weight")
        if routing_enabled():
            fit_params = process_routing(self, "fit", **fit_params).estimator.fit
        network = clone(self._network())
        if self.random_state is not None:
            set_random_states(network, check_random_state(self.random_state))
        with passed_on(self, network, X, y, sample_weight):
            self.estimator_ = network.fit(X, y, **fit_params)
        for name in ("n_features_in_", "feature_names_in_"):
            self.__dict__.pop(name, None)
            if hasattr(self.estimator_, name):
                setattr(self, name, getattr(self.estimator_, name))
        return self

    def transform(self, X: SequencesLike) -> Any:
        """Compute the states after the last timestep.

        Parameters
        ----------
        {X}

        Returns
        -------
        states : ndarray of shape (n_samples, units)

        Raises
        ------
        {errors}
        """
        check_is_fitted(self)
        return self.estimator_.hidden_states(X)

    def get_metadata_routing(self) -> MetadataRouter:
        """Get the metadata routing of this estimator.

        Returns
        -------
        routing : sklearn.utils.metadata_routing.MetadataRouter
        """
        mapping = MethodMapping()
        for caller in ("fit", "fit_transform"):
            mapping.add(caller=caller, callee="fit")
        return MetadataRouter(owner=self).add(estimator=self._network(), method_mapping=mapping)

    def _network(self):
        return SimpleRNNClassifier() if self.estimator is None else self.estimator

    @property
    def _n_features_out(self):
        return sizes_of(self.estimator_.weights_).n_states

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = []  # states have the precision of the network
        return tags
