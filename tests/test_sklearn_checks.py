"""scikit-learn's own checks of estimators.

An excused check must fail (xfail_strict in pyproject.toml). There are no common checks for
estimators that read text, so SequenceVectorizer is not among them.
"""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from crnn import SimpleRNNClassifier, SimpleRNNRegressor, SimpleRNNTransformer
from crnn.preprocessing import SeriesLayout, SeriesPatches, SeriesScaler

NOT_EQUIVALENT = (
    "training goes through mini-batches of a fixed number of samples in random order, so a sample "
    "with weight two is not seen as often as two samples"
)
LIST_STAYS = {
    "check_transformer_data_not_an_array": "what comes as a list of series, which may differ in "
    "length, stays a list"
}
EXCUSED = {
    "SimpleRNNClassifier": {
        "check_sample_weight_equivalence_on_dense_data": NOT_EQUIVALENT,
    },
    "SimpleRNNRegressor": {
        "check_sample_weight_equivalence_on_dense_data": NOT_EQUIVALENT,
    },
    "SeriesLayout": LIST_STAYS,
    "SeriesPatches": LIST_STAYS
    | dict.fromkeys(
        [
            "check_set_output_transform_pandas",
            "check_set_output_transform_polars",
            "check_global_output_transform_pandas",
            "check_global_output_transform_polars",
        ],
        "patches of series have three axes, which no table can hold",
    ),
    "SeriesScaler": LIST_STAYS,
}


def excused(estimator):
    return EXCUSED.get(type(estimator).__name__, {})


@pytest.mark.filterwarnings("ignore:The targets y have a mean", "ignore:All .* held-out samples")
@parametrize_with_checks(
    [
        SimpleRNNClassifier(max_iter=20),
        SimpleRNNClassifier(max_iter=5, dtype="float64", validation_fraction=0.2),
        SimpleRNNRegressor(max_iter=20),
        SimpleRNNTransformer(SimpleRNNRegressor(max_iter=5)),
        SeriesLayout(),
        SeriesPatches(),
        SeriesPatches(width=3, step=2),
        SeriesScaler(),
        SeriesScaler(per="series"),
    ],
    expected_failed_checks=excused,
)
def test_common_checks(estimator, check):
    check(estimator)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The targets y have a mean", "ignore:All .* held-out samples")
@parametrize_with_checks(
    [
        SimpleRNNClassifier(max_iter=5, dtype="float64"),
        SimpleRNNClassifier(max_iter=5, validation_fraction=0.2),
        SimpleRNNRegressor(max_iter=20, dtype="float64"),
        SimpleRNNTransformer(SimpleRNNClassifier(max_iter=5, dtype="float64")),
        SimpleRNNTransformer(),  # up to 1,000 epochs, too many for the default tests
    ],
    expected_failed_checks=excused,
)
def test_more_common_checks(estimator, check):
    check(estimator)
