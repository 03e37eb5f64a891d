from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

# float32 or float64, the same in all arguments of a call; letters as in _core.pyx.
_Floats: TypeAlias = NDArray[np.float32] | NDArray[np.float64]
_Int32: TypeAlias = NDArray[np.int32]
_Int64: TypeAlias = NDArray[np.int64]

SIMD: str
THREADS: bool
ACTIVATIONS: Mapping[str, int]

def workspace_rows(n_rows: int, tile: int = ...) -> int: ...
def leading_zeros(values: _Int32, offsets: _Int64, out: _Int32) -> None: ...
def order_steps(
    values: _Int32,
    starts: _Int64,
    offsets: _Int64,
    tile: int,
    n_threads: int,
    out: _Int32,
) -> None: ...
def mirror_steps(
    offsets: _Int64, tile: int, n_threads: int, blocks: _Int64, mirror: _Int64
) -> None: ...
def look_up(values: _Int32, positions: _Int64, n_threads: int, out: _Int32) -> None: ...
def distinct(slots: _Int32, ids: _Int32, rows: _Int32) -> int: ...
def gather(values: _Floats, rows: _Int32 | _Int64, n_threads: int, out: _Floats) -> None: ...
def scatter_add(values: _Floats, rows: _Int32, out: _Floats) -> None: ...
def drop(x: _Floats, width: int, seed: int, least: int, factor: float, n_threads: int) -> None: ...
def drop_tokens(
    values: _Int32,
    starts: _Int64,
    lengths: _Int64,
    seed: int,
    least: int,
    places: _Int64,
    n_left: _Int64,
) -> int: ...
def dense(
    inputs: _Floats, kernel: _Floats, bias: _Floats, n_threads: int, out: _Floats
) -> None: ...
def dense_backward(
    inputs: _Floats,
    transposed: _Floats,
    grad_out: _Floats,
    n_threads: int,
    partial_sums: _Floats,
    grad_inputs: _Floats,
    grad_kernel: _Floats,
    grad_bias: _Floats,
) -> None: ...
def forward(
    table: _Floats,
    rows: _Int32,
    inputs: _Floats,
    kernel: _Floats,
    offsets: _Int64,
    initial: _Floats,
    initial_rows: _Int32,
    recurrent_kernel: _Floats,
    activation: int,
    tile: int,
    n_threads: int,
    keep_states: bool,
    ties: bool,
    states: _Floats,
    last: _Floats,
    sums: _Floats,
    maxima: _Floats,
    at: _Int32,
) -> None: ...
def backward_work(B: int, tile: int, H: int, D: int) -> tuple[int, int, int]: ...
def backward(
    states: _Floats,
    offsets: _Int64,
    transposed: _Floats,
    grad_last: _Floats,
    grad_states: _Floats,
    grad_sums: _Floats,
    grad_maxima: _Floats,
    at: _Int32,
    rows: _Int32,
    inputs: _Floats,
    kernel_transposed: _Floats,
    activation: int,
    tile: int,
    n_threads: int,
    work: _Floats,
    grad_table: _Floats,
    grad_inputs: _Floats,
    grad_kernel: _Floats,
    grad_initial: _Floats,
    grad_recurrent_kernel: _Floats,
) -> None: ...
def sigmoid_cross_entropy(
    logits: _Floats, targets: _Floats, weights: _Floats, normalizer: float, grad_logits: _Floats
) -> tuple[float, float]: ...
def softmax_cross_entropy(
    logits: _Floats, targets: _Int32, weights: _Floats, normalizer: float, grad_logits: _Floats
) -> tuple[float, float]: ...
def squared_error(
    logits: _Floats, targets: _Floats, weights: _Floats, normalizer: float, grad_logits: _Floats
) -> tuple[float, float]: ...
def rmsprop(
    weights: _Floats,
    grads: _Floats,
    velocities: _Floats,
    ids: _Int32,
    touched: _Int64,
    step: int,
    learning_rate: float,
    rho: float,
    epsilon: float,
    n_threads: int,
) -> None: ...
def sgd(
    weights: _Floats,
    grads: _Floats,
    velocities: _Floats,
    ids: _Int32,
    learning_rate: float,
    momentum: float,
    nesterov: bool,
    n_threads: int,
) -> None: ...
def sgd_without_gradient(
    weights: _Floats,
    velocities: _Floats,
    ids: _Int32,
    touched: _Int64,
    step: int,
    momentum: float,
    nesterov: bool,
    n_threads: int,
) -> None: ...
def adam(
    weights: _Floats,
    grads: _Floats,
    moments: _Floats,
    velocities: _Floats,
    ids: _Int32,
    step: int,
    learning_rate: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    n_threads: int,
) -> None: ...
def adam_without_gradient(
    weights: _Floats,
    moments: _Floats,
    velocities: _Floats,
    ids: _Int32,
    touched: _Int64,
    sums: NDArray[np.float64],
    decays: NDArray[np.float64],
    step: int,
    epsilon: float,
    n_threads: int,
) -> None: ...
