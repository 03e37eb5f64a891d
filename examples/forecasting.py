"""Forecasts of real series, one step ahead and several, beside the naive forecast and Ridge.

A series becomes a table of windows: 24 values are read to predict what follows. Each model predicts
the change from one value to the next, as a series that rises forever would leave the range of what
it has learned; of series with a trend in percent the logarithm is taken first. Ridge reads the same
windows. Errors are means over the folds of a TimeSeriesSplit: each model is trained on the past.

Sunspots and co2 come with statsmodels (pip install statsmodels), airline with aeon (pip install
aeon). Without either, a generated series stands in for them.
"""

import argparse
from importlib.util import find_spec
from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # draw into files, without a window

import matplotlib.pyplot as plt
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_absolute_error
from sklearn.model_selection import TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from crnn import SimpleRNNRegressor
from crnn.preprocessing import SeriesPatches, SeriesScaler

WINDOW, AHEAD = 24, 12  # values read, and values predicted
MODELS = ["naive", "Ridge", "crnn"]


def load():
    """Series by name, and whether their logarithm is taken."""
    series = {}
    if find_spec("statsmodels"):
        from statsmodels.datasets import co2, sunspots

        series["sunspots, yearly"] = sunspots.load_pandas().data["SUNACTIVITY"].to_numpy(), False
        weekly = co2.load_pandas().data["co2"]
        series["co2, monthly"] = weekly.resample("MS").mean().interpolate().to_numpy(), False
    if find_spec("aeon"):
        from aeon.datasets import load_airline

        series["airline, monthly"] = np.ravel(np.asarray(load_airline(), float)), True
    if not series:
        rng, months = np.random.default_rng(0), np.arange(240)
        season = np.sin(months * 2 * np.pi / 12) + 0.3 * np.sin(months * 2 * np.pi / 4)
        series["generated, monthly"] = 20 + months / 12 + season + rng.normal(0, 0.1, 240), False
    return series


def network(seed):
    steps = SeriesScaler(), SeriesPatches(12), SimpleRNNRegressor(dropout=0.5, random_state=seed)
    return TransformedTargetRegressor(make_pipeline(*steps), transformer=StandardScaler())


def make(model, seed):
    return network(seed) if model == "crnn" else make_pipeline(StandardScaler(), Ridge())


def changes_recursively(model, X):
    """Predict one change, read it as if it had been observed, and so on."""
    window, changes = X.copy(), []
    for _ in range(AHEAD):
        change = model.predict(window)
        changes.append(change)
        window = np.column_stack([window[:, 1:], change])
    return np.column_stack(changes)


def errors(values, log, seed, n_splits):
    """Mean absolute errors by way and model, and the last fold's forecasts."""
    level = np.log(values) if log else values
    change = np.diff(level)
    windows = sliding_window_view(change, WINDOW + AHEAD)
    X, Y = windows[:, :WINDOW], windows[:, WINDOW:]
    last = level[WINDOW : WINDOW + len(X)]  # the value that a forecast starts from

    def values_of(changes, part):
        path = last[part][:, None] + np.cumsum(changes, axis=1)
        return np.exp(path) if log else path

    found = {}
    for train, test in TimeSeriesSplit(n_splits).split(X):
        train = train[: len(train) - AHEAD]  # whose targets are all in the past
        truth = values_of(Y[test], test)
        for name in MODELS:
            if name == "naive":
                direct = recursive = np.zeros_like(Y[test])
            else:
                direct = make(name, seed).fit(X[train], Y[train]).predict(X[test])
                recursive = changes_recursively(
                    make(name, seed).fit(X[train], Y[train, 0]), X[test]
                )
            for way, changes in {
                "one step": recursive[:, :1],
                f"{AHEAD} steps, recursively": recursive,
                f"{AHEAD} steps, directly": direct,
            }.items():
                error = mean_absolute_error(truth[:, : changes.shape[1]], values_of(changes, test))
                found.setdefault(way, {}).setdefault(name, []).append(error)
    return found, truth, values_of(recursive, test)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3, help="networks to average over, default 3")
    parser.add_argument("--splits", type=int, default=4, help="folds, default 4")
    parser.add_argument(
        "--output-dir", type=Path, default="figures", help="folder for the figure, default figures"
    )
    args = parser.parse_args()

    series = load()
    figure, axes = plt.subplots(len(series), squeeze=False, layout="constrained")
    print(f"{'mean absolute error':46s}" + "".join(f"{name:>10s}" for name in MODELS))
    for (name, (values, log)), axis in zip(series.items(), axes[:, 0], strict=True):
        runs = [errors(values, log, seed, args.splits) for seed in range(args.seeds)]
        for way in runs[0][0]:
            cells = [np.mean([found[way][model] for found, *_ in runs]) for model in MODELS]
            print(f"{name + ', ' + way:46s}" + "".join(f"{cell:10.4g}" for cell in cells))
        _, truth, forecast = runs[0]
        axis.plot(truth[:, 0], label="observed")
        for start in range(0, len(truth), AHEAD):
            steps = np.arange(start, start + AHEAD)
            axis.plot(steps, forecast[start], "C1", label=None if start else "crnn, recursively")
        axis.set(title=name, ylabel="value")
        axis.legend()
    axis.set_xlabel("step of the last fold")
    args.output_dir.mkdir(parents=True, exist_ok=True)
    path = args.output_dir / "forecasts.png"
    figure.set_size_inches(8, 3 * len(series))
    figure.savefig(path)
    print(f"Saved {path}")


if __name__ == "__main__":
    main()
