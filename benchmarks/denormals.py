"""Whether vanishing gradients, decaying states and saturation slow the kernels down."""

import json
from statistics import median
from time import perf_counter

import numpy as np
from machine import describe

from crnn import SimpleRNN

B, T, F, H, ROUNDS = 48, 400, 8, 32, 21
SCALES = {"gradients that last": 1.0, "vanish": 0.5, "vanish soon": 0.1, "vanish at once": 0.01}


def milliseconds(call):
    start = perf_counter()
    call()
    return 1e3 * (perf_counter() - start)


def layers(dtype):
    """Layers by name, with their inputs: recurrent weights of several sizes, and saturation."""
    inputs = np.random.default_rng(0).normal(size=(B, T, F)).astype(dtype)
    for name, scale in SCALES.items():
        layer = SimpleRNN(H, activation="tanh", random_state=0, dtype=dtype)
        layer(inputs)
        kernel, recurrent_kernel, bias = layer.get_weights()
        yield name, layer.set_weights([0.1 * kernel, scale * recurrent_kernel, bias]), inputs
    saturated = SimpleRNN(H, dtype=dtype).set_weights([1000 * kernel, recurrent_kernel, bias])
    yield "saturated", saturated, inputs
    still = SimpleRNN(H, dtype=dtype).set_weights([0 * kernel, 0.5 * recurrent_kernel, bias])
    yield "states that decay", still, inputs


def main():
    print(json.dumps(describe({"numpy"}), indent=2))
    for dtype in ("float32", "float64"):
        cases, times = list(layers(dtype)), {}
        state, grad = np.full((B, H), 1e-3), np.full((B, H), 1e-3)
        for _ in range(ROUNDS):  # in alternation
            for name, layer, inputs in cases:
                forward = milliseconds(lambda: layer(inputs, initial_state=state))  # noqa: B023
                backward = milliseconds(lambda: layer.backward(grad))  # noqa: B023
                times.setdefault(name, []).append((forward, backward))
        usual = [median(column) for column in zip(*times["gradients that last"], strict=True)]
        print(f"\n{dtype}, relative to gradients that last ({usual[0]:.2f} and {usual[1]:.2f} ms)")
        for name, pairs in times.items():
            forward, backward = (median(column) for column in zip(*pairs, strict=True))
            print(
                f"{name:22}forward {forward / usual[0]:5.2f}   backward {backward / usual[1]:5.2f}"
            )


if __name__ == "__main__":
    main()
