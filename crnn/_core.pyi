from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

# float32 or float64, the same in all arguments of a call; letters as in _core.pyx.
Floats: TypeAlias = NDArray[np.float32] | NDArray[np.float64]
Int32: TypeAlias = NDArray[np.int32]
Int64: TypeAlias = NDArray[np.int64]

SIMD: str
ACTIVATIONS: Mapping[str, int]

def workspace_rows(n_rows: int, tile: int = ...) -> int: ...
def leading_zeros(values: Int32, offsets: Int64, out: Int32) -> None: ...
def schedule(
    starts: Int64, offsets: Int64, tile: int, n_threads: int, positions: Int64
) -> None: ...
def look_up(values: Int32, positions: Int64, n_threads: int, out: Int32) -> None: ...
def distinct(values: Int32, positions: Int64, slots: Int32, ids: Int32, rows: Int32) -> int: ...
def gather(values: Floats, rows: Int32 | Int64, n_threads: int, out: Floats) -> None: ...
def scatter_add(values: Floats, rows: Int32, out: Floats) -> None: ...
def dense(inputs: Floats, kernel: Floats, bias: Floats, n_threads: int, out: Floats) -> None: ...
def dense_backward(
    inputs: Floats,
    transposed: Floats,
    grad_out: Floats,
    n_threads: int,
    partial_sums: Floats,
    grad_inputs: Floats,
    grad_kernel: Floats,
    grad_bias: Floats,
) -> None: ...
def forward(
    table: Floats,
    rows: Int32,
    offsets: Int64,
    initial: Floats,
    initial_rows: Int32,
    recurrent_kernel: Floats,
    activation: int,
    tile: int,
    n_threads: int,
    keep_states: bool,
    states: Floats,
    last: Floats,
) -> None: ...
def backward_work(B: int, tile: int, H: int, D: int) -> tuple[int, int, int]: ...
def backward(
    states: Floats,
    offsets: Int64,
    transposed: Floats,
    grad_last: Floats,
    grad_states: Floats,
    rows: Int32,
    activation: int,
    tile: int,
    n_threads: int,
    work: Floats,
    grad_table: Floats,
    grad_initial: Floats,
    grad_recurrent_kernel: Floats,
) -> None: ...
def sigmoid_cross_entropy(
    logits: Floats, targets: Floats, weights: Floats, grad_logits: Floats
) -> tuple[float, float]: ...
def softmax_cross_entropy(
    logits: Floats, targets: Int32, weights: Floats, grad_logits: Floats
) -> tuple[float, float]: ...
def squared_error(
    logits: Floats, targets: Floats, weights: Floats, grad_logits: Floats
) -> tuple[float, float]: ...
def rmsprop(
    weights: Floats,
    grads: Floats,
    velocities: Floats,
    ids: Int32,
    touched: Int64,
    step: int,
    learning_rate: float,
    rho: float,
    epsilon: float,
    n_threads: int,
) -> None: ...
def sgd(
    weights: Floats,
    grads: Floats,
    velocities: Floats,
    learning_rate: float,
    momentum: float,
    nesterov: bool,
) -> None: ...
def adam(
    weights: Floats,
    grads: Floats,
    moments: Floats,
    velocities: Floats,
    step: int,
    learning_rate: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> None: ...
