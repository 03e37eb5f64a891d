"""Everything private that crnn uses of scikit-learn, where a new version may break it."""

# ruff: noqa: F401 - used by the other modules

from sklearn.ensemble._base import _set_random_states as set_random_states
from sklearn.feature_extraction.text import _VectorizerMixin as VectorizerMixin
from sklearn.utils._metadata_requests import SIMPLE_METHODS
from sklearn.utils._metadata_requests import _routing_enabled as routing_enabled
from sklearn.utils._missing import is_pandas_na
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    Options,
    RealNotInt,
    StrOptions,
    validate_parameter_constraints,
    validate_params,
)
from sklearn.utils._set_output import _get_output_config as get_output_config
from sklearn.utils.validation import _check_feature_names as check_feature_names
from sklearn.utils.validation import _check_n_features as check_n_features
from sklearn.utils.validation import _check_sample_weight as check_sample_weight

OUTPUT_CONFIG = "_sklearn_output_config"  # where set_output keeps what it was given
