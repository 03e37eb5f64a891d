"""How near the kernels come to what the machine can do, on the IMDB job.

Measures the peak of float32 multiply-adds and the bandwidth of copies, then each stage of a
training step alone and on one thread: its arithmetic, and its share of the peak. Prints tables and
saves a JSON record. Needs a C compiler as ``cc``.
"""

import argparse
import ctypes
import json
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
from machine import RNG, describe
from stages import BATCH, prepare

from crnn import _core

# Arithmetic operations of tanh_f32 on a vector, counting each division, comparison and bit
# operation as one: see crnn/_c/tanh.h.
TANH_OPERATIONS = 16


def compile_peak(folder):
    source, library = Path(__file__).with_name("peak.c"), Path(folder, "peak.so")
    flags = "-O3 -march=native -fno-math-errno -fno-trapping-math -shared -fPIC".split()
    wide = ["-mprefer-vector-width=512"] if _core.SIMD == "v4" else []
    subprocess.run(["cc", *flags, *wide, str(source), "-o", str(library)], check=True)
    peak = ctypes.CDLL(str(library))
    for function in (peak.multiply_add, peak.tanh_of_1024):
        function.restype = ctypes.c_double
        function.argtypes = [ctypes.c_long, ctypes.c_void_p]
    return peak


def best(function, repeats=7):
    """Seconds of the fastest call: what the machine can do, without what disturbs it."""
    times = []
    for _ in range(repeats):
        start = perf_counter()
        function()
        times.append(perf_counter() - start)
    return min(times)


def measure_machine(peak, threads):
    """GFLOP/s on one thread and on all, nanoseconds of a tanh, GB/s of copies by size."""
    x = np.linspace(-3, 3, 1024, dtype="f4")

    def fma(_=None, n=4_000_000):
        return peak.multiply_add(n, np.zeros(1, "f4").ctypes.data)

    operations = fma()
    with ThreadPoolExecutor(threads) as pool:
        together = best(lambda: list(pool.map(fma, range(threads))))
    n = 100_000
    machine = {
        "gflops": operations / best(fma) / 1e9,
        "gflops_of_all_threads": threads * operations / together / 1e9,
        "tanh_ns": 1e9 * best(lambda: peak.tanh_of_1024(n, x.ctypes.data)) / (1024 * n),
    }
    machine["copy_gb_s"] = {}
    for name, size in (("256 KB", 2**18), ("4 MB", 2**22), ("256 MB", 2**28)):
        a, b = np.ones(size, "u1"), np.empty(size, "u1")
        rounds = max(1, 2**27 // size)

        def copy(a=a, b=b, rounds=rounds):
            for _ in range(rounds):
                np.copyto(b, a)

        copy()
        machine["copy_gb_s"][name] = 2 * size * rounds / best(copy) / 1e9
    return machine


def record_calls(names, function):
    """The arguments of each call of these kernels that a function makes, {name: [arguments]}."""
    calls = {name: [] for name in names}
    kernels = {name: getattr(_core, name) for name in names}
    for name, kernel in kernels.items():

        def call(*arguments, name=name, kernel=kernel):
            calls[name].append(arguments)
            return kernel(*arguments)

        setattr(_core, name, call)
    function()
    for name, kernel in kernels.items():
        setattr(_core, name, kernel)
    return calls


def milliseconds(kernel, arguments, seconds=0.5):
    """Median time of a call."""
    times = []
    end = perf_counter() + seconds
    while perf_counter() < end:
        start = perf_counter()
        kernel(*arguments)
        times.append(perf_counter() - start)
    return 1e3 * median(times)


def stages(trainer, samples, optimizer):
    """Rows (stage, milliseconds, MFLOP) of one batch, each kernel again and again on its data."""
    names = ["gather", "dense", "forward", "dense_backward", "backward", "rmsprop"]
    indices = np.arange(BATCH)
    calls = record_calls(
        names, lambda: trainer.train_step(*samples, indices, optimizer, RNG)
    )  # in a step: projection then head, paddings then reviews, and backward the other way round
    batch = trainer.pack(samples.sequences, indices)
    E, H = trainer.weights["rnn_0/kernel"].shape
    N, D = batch.n_transitions, len(batch.ids)
    values, sums = np.ones((N, H), "f4"), np.empty((D, H), "f4")
    scatter = values, batch.rows[:N], sums
    kernel = {
        "gather": (_core.gather, calls["gather"][0], 0),
        "project": (_core.dense, calls["dense"][0], 2 * D * E * H),
        "forward": (_core.forward, calls["forward"][1], 2 * N * H * H),
        "head": (_core.dense, calls["dense"][1], 2 * BATCH * H),
        "head, backward": (_core.dense_backward, calls["dense_backward"][0], 4 * BATCH * H),
        "backward": (_core.backward, calls["backward"][0], 4 * N * H * H + N * H),
        "its scatter alone": (_core.scatter_add, scatter, N * H),
        "project, backward": (_core.dense_backward, calls["dense_backward"][1], 4 * D * E * H),
        "update": (_core.rmsprop, max(calls["rmsprop"], key=lambda a: a[1].size), 8 * D * E),
    }
    sizes = {"N": N, "D": D, "E": E, "H": H, "MB of states": 4e-6 * (N + BATCH) * H}
    return sizes, [
        (stage, milliseconds(function, arguments), 1e-6 * operations)
        for stage, (function, arguments, operations) in kernel.items()
    ]


def recurrent_loop(sequences, trainer, H, rng):
    """GFLOP/s of h := x + h U over the steps of a batch of reviews, [states dropped, kept]."""
    batch = trainer.pack(sequences, np.arange(BATCH))
    N, D = batch.n_transitions, len(batch.ids)
    table = rng.normal(size=(D, H)).astype("f4")
    U = np.linalg.qr(rng.normal(size=(H, H)))[0].astype("f4")
    start, last = np.zeros((1, H), "f4"), np.empty((BATCH, H), "f4")
    first = np.zeros(BATCH, np.int32)
    linear = _core.ACTIVATIONS["linear"]
    speeds = []
    for keep in (False, True):
        states = np.empty((N + BATCH if keep else 2 * BATCH, H), "f4")
        arguments = (
            table, batch.rows, start[:0, :0], start[:0], batch.offsets, start, first, U, linear,
            batch.tile, 1, keep, False, states, last, last[:0], last[:0],
            np.empty((0, H), np.int32),
        )  # fmt: skip
        speeds.append(2e-6 * N * H * H / milliseconds(_core.forward, arguments))
    return speeds


def show_machine(machine, threads):
    peak, tanh = machine["gflops"], machine["tanh_ns"]
    print(f"float32 multiply-adds: {peak:.0f} GFLOP/s on one thread,", end=" ")
    print(f"{machine['gflops_of_all_threads']:.0f} on {threads}")
    copies = ", ".join(f"{rate:.0f} ({size})" for size, rate in machine["copy_gb_s"].items())
    print(f"copies, GB/s read and written: {copies}")
    times = tanh * peak / (2 * TANH_OPERATIONS)
    print(f"a tanh: {tanh:.3f} ns, {times:.2f} times {TANH_OPERATIONS} multiply-adds")


def show_stages(H, sizes, rows, loop, peak):
    def share(speed):
        return f"{speed:.1f} GFLOP/s, {100 * speed / peak:.0f} % of the peak"

    print(f"\n{H} units: " + ", ".join(f"{name} {size:.5g}" for name, size in sizes.items()))
    print(f"recurrent products: {share(loop[0])}; all states kept: {share(loop[1])}")
    for stage, spent, operations in rows:
        speed = f"{operations:9.2f} MFLOP  {share(operations / spent)}" if operations else ""
        print(f"{stage:>20}{spent:9.3f} ms{speed}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-home", help="folder of IMDB, default CRNN_DATA or ~/crnn_data")
    parser.add_argument("--threads", type=int, default=2, help="of the peak of several, default 2")
    parser.add_argument("--output-dir", type=Path, default="figures", help="default figures")
    args = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        machine = measure_machine(compile_peak(folder), args.threads)
    show_machine(machine, args.threads)
    record = {"machine": describe({"numpy", "scipy"}) | machine, "stages": {}, "loop": {}}
    rng = np.random.default_rng(0)
    vars(args).update(n_jobs=1, steps=4, vocabulary=10_000, optimizer="rmsprop")
    for H in (32, 64, 128, 256):
        args.units = H
        job = trainer, samples, _ = prepare(args)
        record["loop"][H] = recurrent_loop(samples.sequences, trainer, H, rng)
        sizes, rows = stages(*job)
        record["stages"][H] = {"sizes": sizes, "rows": rows}
        show_stages(H, sizes, rows, record["loop"][H], machine["gflops"])
    args.output_dir.mkdir(parents=True, exist_ok=True)
    Path(args.output_dir, "roofline.json").write_text(json.dumps(record, indent=2))


if __name__ == "__main__":
    main()
