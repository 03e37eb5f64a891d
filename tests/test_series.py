"""Transformers of series: the same figures as plain NumPy, in any container."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from crnn import SimpleRNNClassifier
from crnn.preprocessing import SeriesLayout, SeriesPatches, SeriesScaler

RNG = np.random.default_rng(0)
PANEL = 5 + 3 * RNG.normal(size=(7, 11, 2))  # generated, as all series here
RAGGED = [PANEL[i, : 4 + i] for i in range(7)]


def plain_patches(x, width, step):
    """Windows that end at T, T - step, ...; the first one filled up with copies of the first."""
    windows, end = [], len(x)
    while True:
        window = x[max(end - width, 0) : end]
        copies = [x[:1]] * (width - len(window))
        windows.insert(0, np.concatenate([*copies, window]).ravel())
        if end <= width:
            return np.array(windows)
        end -= step


def test_channels_are_scaled_as_columns_of_all_steps():
    expected = StandardScaler().fit(PANEL.reshape(-1, 2))
    scaler = SeriesScaler().fit(PANEL)
    np.testing.assert_allclose(scaler.mean_, expected.mean_)
    np.testing.assert_allclose(scaler.scale_, expected.scale_)
    scaled = scaler.transform(PANEL)
    np.testing.assert_allclose(scaled.reshape(-1, 2), expected.transform(PANEL.reshape(-1, 2)))
    np.testing.assert_allclose(scaler.inverse_transform(scaled), PANEL)


def test_series_are_scaled_by_themselves():
    for x, scaled in zip(RAGGED, SeriesScaler(per="series").fit_transform(RAGGED), strict=True):
        np.testing.assert_allclose(scaled, StandardScaler().fit_transform(x), atol=1e-12)
    assert not hasattr(SeriesScaler(per="series").fit(PANEL), "inverse_transform")


def test_lists_are_scaled_over_all_their_steps():
    expected = StandardScaler().fit(np.concatenate(RAGGED))
    for x, scaled in zip(RAGGED, SeriesScaler().fit_transform(RAGGED), strict=True):
        np.testing.assert_allclose(scaled, expected.transform(x))


@pytest.mark.parametrize("per", ["channel", "series"])
def test_constant_series_become_zero(per):
    X = np.full((3, 5), 0.1)
    np.testing.assert_allclose(SeriesScaler(per=per).fit_transform(X), 0, atol=1e-12)


@given(st.integers(1, 30), st.integers(1, 12), st.integers(1, 12), st.integers(1, 3), st.booleans())
def test_patches_are_windows(T, width, step, F, ragged):
    step = min(step, width)
    X = RNG.normal(size=(2, T, F))
    patches = SeriesPatches(width, step).fit_transform([*X] if ragged else X)
    assert isinstance(patches, list) == ragged
    for x, patched in zip(X, patches, strict=True):
        np.testing.assert_array_equal(patched, plain_patches(x, width, step))


@given(st.integers(1, 30), st.integers(1, 12), st.integers(1, 12), st.integers(1, 3))
def test_patches_are_put_together_again(T, width, step, F):
    X = RNG.normal(size=(2, T, F))
    patches = SeriesPatches(width, min(step, width)).fit(X)
    restored = patches.inverse_transform(patches.transform(X))
    np.testing.assert_array_equal(restored, X[..., 0] if F == 1 else X)


def test_width_follows_from_the_median_length():
    for T, width, step in [(7, 1, 1), (24, 2, 1), (150, 12, 3), (251, 21, 5), (1460, 32, 8)]:
        patches = SeriesPatches().fit(np.zeros((2, T)))
        assert (patches.width_, patches.step_) == (width, step)
    assert SeriesPatches().fit([np.zeros(10), np.zeros(100), np.zeros(5000)]).width_ == 8
    assert SeriesPatches(5).fit(np.zeros((2, 30))).step_ == 5
    assert SeriesPatches("auto", 2).fit(np.zeros((2, 30))).step_ == 2


def test_univariate_series_without_an_axis_of_features():
    X = PANEL[..., 0]
    assert SeriesScaler().fit_transform(X).shape == X.shape
    assert SeriesScaler().fit_transform([*X])[0].shape == (11,)
    assert SeriesPatches(4).fit_transform(X).shape == (7, 3, 4)
    assert SeriesScaler().fit_transform(PANEL[..., :1]).shape == (7, 11, 1)


def test_single_precision_stays_and_integers_become_floats():
    X = PANEL.astype(np.float32)
    for transformer in (SeriesScaler(), SeriesScaler("series"), SeriesPatches(2), SeriesLayout()):
        assert transformer.fit_transform(X).dtype == np.float32
        assert transformer.fit_transform((10 * X[..., 0]).astype(int)).dtype == np.float64


def test_channels_first():
    X = PANEL.transpose(0, 2, 1)
    layout = SeriesLayout("channels_first").fit(X)
    np.testing.assert_array_equal(layout.transform(X), PANEL)
    np.testing.assert_array_equal(layout.inverse_transform(PANEL), X)
    assert (layout.n_features_in_, layout.n_channels_in_) == (11, 2)
    for x, brought in zip(RAGGED, layout.fit_transform([x.T for x in RAGGED]), strict=True):
        np.testing.assert_array_equal(brought, x)
    np.testing.assert_array_equal(SeriesLayout("channels_last").fit_transform(PANEL), PANEL)
    np.testing.assert_array_equal(layout.fit_transform(PANEL[..., 0]), PANEL[..., 0])


def test_panels_of_tables():
    """The one-liners of the user guide."""
    index = pd.MultiIndex.from_product([range(7), range(11)], names=["series", "time"])
    frame = pd.DataFrame(PANEL.reshape(-1, 2), index, columns=["a", "b"])
    by_pandas = [panel.to_numpy() for _, panel in frame.groupby(level="series")]
    long = pl.from_pandas(frame.reset_index())
    by_polars = [
        panel.select("a", "b").to_numpy()
        for panel in long.partition_by("series", maintain_order=True)
    ]
    for panels in (by_pandas, by_polars):
        np.testing.assert_array_equal(
            SeriesScaler().fit_transform(panels), SeriesScaler().fit_transform([*PANEL])
        )


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_tables_out(library):
    X = pd.DataFrame(PANEL[..., 0]).add_prefix("t")
    X = X if library == "pandas" else pl.from_pandas(X)
    scaler = SeriesScaler().set_output(transform=library)
    out = scaler.fit_transform(X)
    assert list(out.columns) == list(X.columns)
    np.testing.assert_array_equal(out.to_numpy(), SeriesScaler().fit_transform(PANEL[..., 0]))
    for held_by_no_table in (PANEL, RAGGED):
        with pytest.raises(ValueError, match=r"set_output\(transform='default'\)"):
            scaler.fit_transform(held_by_no_table)


def test_names_of_patches():
    names = SeriesPatches(4).fit(PANEL).get_feature_names_out()
    assert list(names) == ["seriespatches0", "seriespatches1", "seriespatches2"]
    with pytest.raises(ValueError, match=r"fitted on a list of series.* fit it on an array"):
        SeriesPatches(4).fit(RAGGED).get_feature_names_out()


@pytest.mark.parametrize("X", [PANEL, RAGGED], ids=["array", "list"])
def test_grid_search_over_widths(X):
    y = np.arange(7) % 2
    pipeline = make_pipeline(
        SeriesScaler(), SeriesPatches(), SimpleRNNClassifier(2, max_iter=1, random_state=0)
    )
    search = GridSearchCV(pipeline, {"seriespatches__width": [1, 4, "auto"]}, cv=2)
    assert set(search.fit(X, y).predict(X)) <= {0, 1}


def test_empty_series_stay_empty():
    X = [PANEL[0], PANEL[1, :0]]
    for transformer in (SeriesScaler(), SeriesScaler("series"), SeriesPatches(3)):
        assert [len(x) > 0 for x in transformer.fit_transform(X)] == [True, False]


@pytest.mark.parametrize(
    ("transformer", "X", "message"),
    [
        (SeriesScaler("steps"), PANEL, "'per' parameter"),
        (SeriesPatches(0), PANEL, "'width' parameter"),
        (SeriesPatches(3, 5), PANEL, "step=5 is more than width=3"),
        (SeriesLayout("first"), PANEL, "'layout' parameter"),
        (SeriesScaler(), [np.empty(0)], "no timesteps to learn from"),
        (SeriesScaler(), [[1.0, np.nan]], r"X\[0\] at timestep 1"),
        (SeriesPatches(), np.where(PANEL > 5, np.inf, 0), "contains infinity"),
        (SeriesScaler(), [PANEL[0], PANEL[1, :, :1]], "same number of features"),
        (SeriesScaler(), ["text"], "is text"),
        (SeriesScaler(), PANEL[0, 0], "Expected 2D array"),
        (SeriesScaler(), np.full((2, 2), 1e308), "standard deviation"),
    ],
)
def test_errors_of_fit(transformer, X, message):
    before = vars(transformer).copy()
    with pytest.raises(ValueError, match=message):
        clone(transformer).fit(X)
    assert vars(transformer) == before


def test_a_failed_fit_leaves_the_transformer_as_it_was():
    for transformer in (SeriesScaler(), SeriesPatches(3), SeriesLayout()):
        before = vars(transformer.fit(PANEL)).copy()
        with pytest.raises(ValueError, match="infinity"):
            transformer.fit(np.full((4, 3, 1), np.inf))
        assert vars(transformer) == before


def test_errors_of_transform():
    for transformer in (SeriesScaler(), SeriesPatches(3), SeriesLayout("channels_last")):
        transformer.fit(PANEL)
        with pytest.raises(ValueError, match=r"X has 1 features in a timestep.* fitted with 2"):
            transformer.transform(PANEL[..., :1])
        with pytest.raises(ValueError, match="X has 10 timesteps, but it had 11 in fit"):
            transformer.transform(PANEL[:, 1:])
        assert len(transformer.transform([*PANEL[:, 1:]])[0])  # lists have any length
    with pytest.raises(ValueError, match=r"X has shape \(7, 11, 2\) instead of \(n_samples, 4, 6"):
        SeriesPatches(3).fit(PANEL).inverse_transform(PANEL)
    with pytest.raises(ValueError, match="lengths to go back to are unknown"):
        SeriesPatches(3).fit(RAGGED).inverse_transform(PANEL)
