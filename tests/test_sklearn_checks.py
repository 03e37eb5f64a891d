"""scikit-learn's own checks of estimators.

An excused check must fail (xfail_strict in pyproject.toml). There are no common checks for
estimators that read text, so SequenceVectorizer is not among them.
"""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from crnn import SimpleRNNClassifier, SimpleRNNRegressor, SimpleRNNTransformer

NOT_EQUIVALENT = (
    "training goes through mini-batches of a fixed number of samples in random order, so a sample "
    "with weight two is not seen as often as two samples"
)
EXCUSED = {
    "SimpleRNNClassifier": {
        "check_sample_weight_equivalence_on_dense_data": NOT_EQUIVALENT,
    },
    "SimpleRNNRegressor": {
        "check_sample_weight_equivalence_on_dense_data": NOT_EQUIVALENT,
    },
    "SimpleRNNTransformer": {},
}


def excused(estimator):
    return EXCUSED[type(estimator).__name__]


@parametrize_with_checks(
    [
        SimpleRNNClassifier(max_iter=20),
        SimpleRNNClassifier(max_iter=5, dtype="float64", validation_fraction=0.2),
        SimpleRNNRegressor(max_iter=5),
        SimpleRNNTransformer(),  # the pure defaults: up to 200 epochs, too many for all of these
        SimpleRNNTransformer(SimpleRNNRegressor(max_iter=5)),
    ],
    expected_failed_checks=excused,
)
def test_common_checks(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks(
    [
        SimpleRNNClassifier(max_iter=5, dtype="float64"),
        SimpleRNNClassifier(max_iter=5, validation_fraction=0.2),
        SimpleRNNRegressor(max_iter=5, dtype="float64"),
        SimpleRNNTransformer(SimpleRNNClassifier(max_iter=5, dtype="float64")),
    ],
    expected_failed_checks=excused,
)
def test_more_common_checks(estimator, check):
    check(estimator)
