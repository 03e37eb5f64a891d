"""The recurrent network as a for loop in NumPy, compared with the layer `crnn.SimpleRNN`.

Both get the same weights and inputs. The script prints how much their outputs differ, and how long
each of them takes.
"""

import argparse
from statistics import median
from time import perf_counter

import numpy as np

from crnn import SimpleRNN

TIMESTEPS = 100
INPUT_FEATURES = 32
OUTPUT_FEATURES = 64
BATCH = 128


def numpy_rnn(inputs, W, U, b):
    """The outputs at all timesteps, (timesteps, output features), of one input sequence.

    Also takes a batch, (batch, timesteps, input features): the loop over the timesteps is the same.
    """
    state_t = np.zeros(len(b), b.dtype)
    successive_outputs = []
    for input_t in np.moveaxis(inputs, -2, 0):
        output_t = np.tanh(input_t @ W + state_t @ U + b)
        successive_outputs.append(output_t)
        state_t = output_t  # what the network remembers for the next timestep
    return np.stack(successive_outputs, axis=-2)


def median_milliseconds(function, *args, runs):
    times = []
    for _ in range(runs):
        start = perf_counter()
        function(*args)
        times.append(perf_counter() - start)
    return 1000 * median(times)


def compare(inputs, runs):
    """Run both on the same inputs and print one row of the table."""
    layer = SimpleRNN(
        OUTPUT_FEATURES, return_sequences=True, random_state=0, dtype=inputs.dtype.name, n_jobs=-1
    )
    outputs = layer(inputs)  # the first call draws the weights
    weights = layer.get_weights()
    difference = np.abs(outputs - numpy_rnn(inputs, *weights)).max()
    in_numpy = median_milliseconds(numpy_rnn, inputs, *weights, runs=runs)
    in_crnn = median_milliseconds(layer, inputs, runs=runs)
    print(
        f"{inputs.shape!s:>14} -> {outputs.shape!s:<14}{inputs.dtype.name:>8}{difference:16.1e}"
        f"{in_numpy:11.3f}{in_crnn:11.3f}{in_numpy / in_crnn:8.1f}"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=31, help="timed runs of each, default 31")
    args = parser.parse_args()

    rng = np.random.default_rng(0)
    sequence = rng.random((TIMESTEPS, INPUT_FEATURES))
    batch = rng.random((BATCH, TIMESTEPS, INPUT_FEATURES))
    print(
        f"A sequence of {TIMESTEPS} timesteps with {INPUT_FEATURES} features each, and a batch of "
        f"{BATCH} such sequences;\nfor each timestep an output of {OUTPUT_FEATURES} features. "
        f"Times are medians of {args.runs} runs.\n"
    )
    print(f"{'inputs -> outputs':^32}{'dtype':>8}{'max difference':>16}{'NumPy, ms':>11}", end="")
    print(f"{'crnn, ms':>11}{'ratio':>8}")
    for inputs in (sequence, batch):
        for dtype in ("float64", "float32"):
            compare(inputs.astype(dtype), args.runs)


if __name__ == "__main__":
    main()
