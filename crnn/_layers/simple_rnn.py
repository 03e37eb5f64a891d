"""The layer of the book: a simple (Elman) recurrent network as one call."""

from collections.abc import Sequence
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import Bunch

from crnn._constraints import DTYPE, N_JOBS, RANDOM_STATE, SIZE
from crnn._core import ACTIVATIONS, scatter_add
from crnn._data.batches import pack
from crnn._data.sequences import offsets_of, without_pads
from crnn._layers import forecast
from crnn._layers.initializers import glorot_uniform, orthogonal
from crnn._layers.recurrence import Recurrence, of_last
from crnn._layers.workspace import Workspace
from crnn._system import memory
from crnn._system.sklearn_private import Options, StrOptions
from crnn._system.streams import check_stream, rewound_on_error
from crnn._system.threads import n_threads_for
from crnn._typing import Activation, Floats, RandomState, checked, quiet

WEIGHTS = ("kernel_", "recurrent_kernel_", "bias_")
SETTINGS = (
    "units", "activation", "return_sequences", "return_state", "go_backwards", "random_state",
    "dtype", "n_jobs",
)  # fmt: skip


class SimpleRNN:
    """Fully connected recurrent layer whose output is fed back as its state.

    ``h_t = f(x_t @ kernel_ + h_{t-1} @ recurrent_kernel_ + bias_)`` for each timestep t of each
    sequence, with ``h_0 = 0`` or the initial state of the call.

    Parameters
    ----------
    units : int
        Size of the state and of the output, H.
    activation : {"tanh", "relu", "sigmoid", "linear"}, default="tanh"
        The function f.
    return_sequences : bool, default=False
        Give the state after every timestep instead of the last one.
    return_state : bool, default=False
        Give the last state too: the result is a tuple ``(output, state)``.
    go_backwards : bool, default=False
        Read the timesteps from the last to the first. With ``return_sequences`` the output is in
        the order of reading.
    random_state : int, RandomState instance or None, default=None
        Source of the initial weights, which are drawn at the first call: ``kernel_``
        Glorot-uniform, ``recurrent_kernel_`` orthogonal, ``bias_`` zero.
    dtype : {"float32", "float64"}, default="float32"
        Precision of weights, computation and output.
    n_jobs : int, default=None
        Number of threads. None is 1 unless in a ``joblib.parallel_config``, -1 all processors;
        never more than there are processors, or than OMP_NUM_THREADS and ``threadpoolctl`` allow
        OpenMP. The result does not depend on it.

    Attributes
    ----------
    kernel_ : ndarray of shape (features, units)
    recurrent_kernel_ : ndarray of shape (units, units)
    bias_ : ndarray of shape (units,)

    References
    ----------
    Elman (1990), Finding structure in time. Cognitive Science 14(2), 179-211.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn import SimpleRNN
    >>> layer = SimpleRNN(4, return_sequences=True, random_state=0)
    >>> layer(np.zeros((2, 3, 5))).shape
    (2, 3, 4)
    """

    kernel_: Floats
    recurrent_kernel_: Floats
    bias_: Floats

    @checked(
        units=SIZE,
        activation=[StrOptions(set(ACTIVATIONS))],
        return_sequences=["boolean"],
        return_state=["boolean"],
        go_backwards=["boolean"],
        random_state=RANDOM_STATE,
        dtype=[*DTYPE, Options(np.dtype, {np.dtype(t) for t in (np.float32, np.float64)})],
        n_jobs=N_JOBS,
    )
    def __init__(
        self,
        units: int,
        *,
        activation: Activation = "tanh",
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        random_state: RandomState = None,
        dtype: Literal["float32", "float64"] = "float32",
        n_jobs: int | None = None,
    ) -> None:
        self.units = units
        self.activation = activation
        self.return_sequences = return_sequences
        self.return_state = return_state
        self.go_backwards = go_backwards
        self.random_state = random_state
        self.dtype = dtype
        self.n_jobs = n_jobs
        self._call: _Call | None = None

    def __repr__(self) -> str:
        return f"SimpleRNN({self.units}, activation={self.activation!r})"

    def get_weights(self) -> list[Floats]:
        """Weights in the order of Keras.

        Returns
        -------
        weights : list of ndarray
            ``[kernel_, recurrent_kernel_, bias_]``, of shapes (features, units), (units, units)
            and (units,), as copies; empty before the first call or ``set_weights``.
        """
        if not hasattr(self, "kernel_"):
            return []
        return [w.copy() for w in (self.kernel_, self.recurrent_kernel_, self.bias_)]

    @quiet
    def set_weights(self, weights: Sequence[ArrayLike]) -> Self:
        """Take weights in the order of Keras.

        Parameters
        ----------
        weights : list of array-like
            ``[kernel, recurrent_kernel, bias]`` of shapes (features, units), (units, units) and
            (units,).

        Returns
        -------
        self : SimpleRNN

        Raises
        ------
        ValueError
            If there are not three arrays of these shapes, or if ``dtype`` makes a finite weight
            infinite; the layer keeps its weights then.
        """
        arrays = [
            np.array(_floats(f"weights[{i}]", w, self.dtype), order="C")
            for i, w in enumerate(weights)
        ]
        shapes = [a.shape for a in arrays]
        features = shapes[0][0] if shapes and len(shapes[0]) == 2 and shapes[0][0] else "features"
        wanted = [(features, self.units), (self.units, self.units), (self.units,)]
        if shapes != wanted:
            raise ValueError(
                f"weights must be [kernel, recurrent_kernel, bias] of shapes {wanted}, "
                f"got {shapes}."
            )
        # All at once, whatever other threads read meanwhile.
        vars(self).update(zip(WEIGHTS, arrays, strict=True), _call=None)
        return self

    @quiet
    def __call__(
        self,
        inputs: ArrayLike,
        *,
        initial_state: ArrayLike | None = None,
        mask: ArrayLike | None = None,
    ) -> Floats | Any:  # a tuple with `return_state`
        """Run the layer.

        Parameters
        ----------
        inputs : array-like of shape (batch, timesteps, features) or (timesteps, features)
            Float series; a single one may come without the batch axis.
        initial_state : array-like of shape (batch, units) or (units,), default=None
            The state before the first timestep; zeros if None.
        mask : array-like of shape (batch, timesteps) or (timesteps,), default=None
            False where a timestep is to be skipped: the state carries through.

        Returns
        -------
        output : ndarray of shape (batch, units), or (batch, timesteps, units)
            The last state, or with ``return_sequences`` that after every timestep; without the
            batch axis if the input has none. With ``return_state`` a tuple (output, state).

        Raises
        ------
        ValueError
            If a shape does not fit the layer or the inputs, or if ``dtype`` makes a finite number
            infinite. NaN and infinity themselves are computed with.
        """
        inputs = _floats("inputs", inputs, self.dtype)
        single = inputs.ndim == 2
        if single:
            inputs = inputs[None]
        if inputs.ndim != 3:
            raise ValueError(
                "inputs must have shape (batch, timesteps, features) or (timesteps, features), "
                f"got {inputs.shape}."
            )
        B, T, F = inputs.shape
        if F == 0:
            raise ValueError(
                f"inputs has shape {inputs.shape}, but a timestep needs at least one feature."
            )
        state = self._argument("initial_state", initial_state, (B, self.units), self.dtype, single)
        mask = self._argument("mask", mask, (B, T), bool, single)
        if not hasattr(self, "kernel_"):
            self._build(F)
        if len(self.kernel_) != F:
            raise ValueError(
                f"inputs has {F} features, but the layer has weights for {len(self.kernel_)}. Pass "
                "as many features, or use a new layer."
            )
        # The arrays of a call are its own, so that several threads may call one layer.
        self._call = None
        call = _Call(self, inputs, state, mask, single)
        output = call.path() if self.return_sequences else call.last.copy()
        self._call, last = call, call.last
        if single:
            output, last = output[0], last[0]
        return (output, last) if self.return_state else output

    @quiet
    def backward(self, grad_output: ArrayLike) -> Bunch:
        """Gradients of the last call, given the gradient of a loss by its output.

        Parameters
        ----------
        grad_output : array-like with the shape of the output of the last call
            That of the state sequence with ``return_sequences``, else of the last state.

        Returns
        -------
        gradients : Bunch
            ``inputs``, ``initial_state``, ``kernel``, ``recurrent_kernel`` and ``bias``, each with
            the shape of what it is the gradient of. The input gradient is zero at masked steps.

        Raises
        ------
        ValueError
            If the layer was not called, if the shape is not that of its output, or if ``dtype``
            makes a finite number infinite.

        References
        ----------
        Werbos (1990), Backpropagation through time: what it does and how to do it.
        """
        call = self._call
        if call is None:
            raise ValueError("backward needs a call to differentiate: call the layer first.")
        shape = call.output_shape
        grad_output = _floats("grad_output", grad_output, self.dtype)
        if grad_output.shape != shape:
            raise ValueError(
                f"grad_output must have the shape {shape} of the output, got {grad_output.shape}."
            )
        return call.backward(grad_output)

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_call": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        weights = [name for name in WEIGHTS if name in state]
        missing = {*SETTINGS, *(WEIGHTS if weights else ())} - state.keys()
        if missing:
            raise ValueError(
                f"The pickled state of the layer lacks {sorted(missing)}. Pickle the layer again."
            )
        SimpleRNN.__init__(self, **{name: state[name] for name in SETTINGS})
        if isinstance(self.random_state, np.random.RandomState):
            check_stream(self.random_state)
        vars(self).update({k: v for k, v in state.items() if k not in WEIGHTS and k != "_call"})
        if weights:
            self.set_weights([state[name] for name in WEIGHTS])

    def _argument(self, name, value, shape, dtype, single):
        if value is None:
            return np.ones(shape, bool) if dtype is bool else np.zeros(shape, dtype)
        value = np.asarray(value, bool) if dtype is bool else _floats(name, value, dtype)
        if single and value.ndim == len(shape) - 1:
            value = value[None]
        if value.shape != shape:
            raise ValueError(f"{name} must have shape {shape}, got {value.shape}.")
        return value

    def _build(self, features):
        with rewound_on_error(self.random_state) as rng:
            kernel = glorot_uniform(rng, (features, self.units))
            recurrent_kernel = orthogonal(rng, (self.units, self.units))
            self.set_weights([kernel, recurrent_kernel, np.zeros(self.units)])


def _floats(name: str, value: ArrayLike, dtype: Any) -> Floats:
    """Cast an array-like; infinity may be in it, but no finite number may become infinite."""
    array = np.asarray(value, dtype)
    if array is value or not np.isinf(array).any():
        return array
    exact = np.asarray(value, np.longdouble)
    overflows = np.argwhere(np.isinf(array) & np.isfinite(exact))
    if len(overflows):
        place = overflows[0].tolist()
        raise ValueError(
            f"{name}{place} is {exact[*place]}, which is too large for {np.dtype(dtype).name}. "
            "Scale or clip the values, or use dtype='float64'."
        )
    return array


class _Call:
    """One call of a layer on (B, T, F): the forward pass, and what the backward pass needs of it.

    Masked steps are left out of the packed sequences, so that the state carries through them. What
    the backward pass needs is copied: weights, inputs, mask and settings may change after the call.
    """

    def __init__(self, layer, inputs, initial_state, mask, single):
        self.single, self.go_backwards = single, layer.go_backwards
        self.return_sequences = layer.return_sequences
        B, T, _ = inputs.shape
        shape = (B, T, layer.units) if self.return_sequences else (B, layer.units)
        self.output_shape = shape[1:] if single else shape
        if self.go_backwards:
            inputs, mask = inputs[:, ::-1], mask[:, ::-1]
        self.mask = mask.copy()
        memory.require(
            forecast.of_states(B * T, inputs.shape[2], layer.units, np.dtype(layer.dtype).itemsize),
            f"A call on inputs of shape {inputs.shape}",
            "Pass fewer sequences at a time, or shorter ones.",
        )
        inputs = np.ascontiguousarray(inputs)
        values = inputs.reshape(-1, inputs.shape[2]) if mask.all() else inputs[mask]
        steps = without_pads(values, offsets_of(mask.sum(axis=1)))
        n_threads = n_threads_for(layer.n_jobs)
        workspace = Workspace()
        self.batch = pack(steps, np.arange(B), workspace, n_threads)
        held = dict(vars(layer))  # at one moment, though another thread may set weights
        weights = [np.array(held[name], dtype=layer.dtype, order="C") for name in WEIGHTS]
        self.recurrence = Recurrence(weights, layer.activation, n_threads, workspace)
        self.source = self.recurrence.inputs(self.batch.inputs)
        order = self.batch.order
        self.states, (last, *_) = self.recurrence.forward(
            self.source,
            self.batch.offsets,
            np.ascontiguousarray(initial_state),
            order.astype(np.int32),
            True,
        )
        self.last = np.empty_like(last)
        self.last[order] = last

    def path(self):
        """State after each timestep (B, T, H); at a masked one that of the step before."""
        return self.states[self._rows()]

    def _rows(self):
        """Row of the states for each (b, t)."""
        B, offsets = len(self.mask), self.batch.offsets
        initial, after = np.empty(B, np.int32), np.empty(offsets[-1], np.int32)
        initial[self.batch.order] = self.batch.states_before
        after[self.batch.positions] = self.batch.states_after
        done = np.cumsum(self.mask, axis=1)
        starts = offsets_of(self.mask.sum(axis=1))[:-1, None]
        rows = np.concatenate([initial, after])
        return rows[np.where(done == 0, np.arange(B)[:, None], B + starts + done - 1)]

    def backward(self, grad_output):
        batch, (B, H) = self.batch, self.last.shape
        grad_states = None
        if self.return_sequences:
            grad_states = np.empty_like(self.states)
            steps = np.ascontiguousarray(grad_output).reshape(-1, H)
            scatter_add(steps, self._rows().ravel(), grad_states)
            grad_last = np.zeros_like(self.last)
        else:
            grad_last = grad_output.reshape(B, H)[batch.order]
        grads = self.recurrence.backward(
            self.states,
            self.source,
            batch.offsets,
            of_last(np.ascontiguousarray(grad_last)),
            grad_states,
            True,
        )
        grad_initial = np.empty_like(grads.initial)
        grad_initial[batch.order] = grads.initial
        gradients = Bunch(
            inputs=self._unpack(grads.inputs),
            initial_state=grad_initial,
            kernel=grads.kernel,
            recurrent_kernel=grads.recurrent_kernel,
            bias=grads.table[0].copy(),
        )
        if self.single:
            gradients.inputs = gradients.inputs[0]
            gradients.initial_state = gradients.initial_state[0]
        return gradients

    def _unpack(self, packed):
        """Rows in kernel order -> (B, T, F), zero at masked steps, time as in the input."""
        flat = np.empty_like(packed)
        flat[self.batch.positions] = packed
        out = np.zeros((*self.mask.shape, packed.shape[1]), packed.dtype)
        out[self.mask] = flat
        return out[:, ::-1] if self.go_backwards else out
