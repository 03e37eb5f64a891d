PYTHON ?= .venv/bin/python

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

.venv/bin/python:
	python3 -m venv .venv

build: .venv/bin/python  ## build the kernels in place and install what is needed to develop
	$(PYTHON) -m pip install -e ".[plot,test,lint]"

test:  ## the default tests, under three minutes
	$(PYTHON) -m pytest

test-slow:  ## all tests; needs IMDB in CRNN_DATA
	$(PYTHON) -m pytest -m "slow or not slow"

test-oldest:  ## the default tests with the oldest versions that pyproject.toml declares
	python3 -m venv .venv-oldest
	.venv-oldest/bin/python -m pip install "numpy==2.0.*" "scipy==1.13.*" "scikit-learn==1.6.*" \
		"pytest<9" -e ".[test]"  # scikit-learn 1.6 hands its checks over as pytest 9 does not like
	.venv-oldest/bin/python -m pytest

test-interop:  ## the same predictions and losses as Keras and PyTorch, their models both ways, Ray
	python3 -m venv .venv-interop
	.venv-interop/bin/python -m pip install keras jax torch ray -e ".[test]"
	KERAS_BACKEND=jax .venv-interop/bin/python -m pytest tests/test_keras.py tests/test_interop.py \
		tests/test_interop_keras.py tests/test_interop_torch.py \
		"tests/test_docs.py::test_code_of_a_page[interop.md]"
	.venv-interop/bin/python -m pytest -m "slow or not slow" tests/test_clusters.py
	.venv-interop/bin/python examples/from_keras.py --samples 500

test-sanitized:  ## all default tests under AddressSanitizer and UndefinedBehaviorSanitizer
	tools/test_sanitized.sh memory

test-races:  ## kernels, threads, processes and signals under ThreadSanitizer
	tools/test_sanitized.sh threads

test-valgrind: build  ## the kernel tests under valgrind
	tools/test_valgrind.sh tests/test_kernels.py tests/test_bounds.py tests/test_readers.py

test-sdist:  ## build sdist and wheel in clean environments, test the wheel outside of the sources
	tools/test_sdist.sh

test-rounds: .venv/bin/python  ## processes, threads, kills and random calls, many times
	CRNN_ROUNDS=25 $(PYTHON) -m pytest -s tests/test_processes.py
	CRNN_ROUNDS=100 $(PYTHON) -m pytest -s tests/test_interrupts.py tests/test_stateful.py \
		tests/test_properties.py

fuzz: .venv/bin/python  ## five minutes of each fuzz target
	$(PYTHON) -m pip install atheris pandas
	for target in model_loader data_loaders input_validator; do \
		$(PYTHON) fuzz/$$target.py -max_total_time=300 || exit 1; done

bench: .venv/bin/python  ## all measurements of docs/performance.md; needs IMDB and a quiet machine
	$(PYTHON) -m pip install -r benchmarks/requirements.txt
	$(PYTHON) benchmarks/peers.py
	$(PYTHON) benchmarks/scaling.py
	$(PYTHON) benchmarks/roofline.py
	$(PYTHON) benchmarks/stages.py
	$(PYTHON) benchmarks/footprint.py
	$(PYTHON) benchmarks/text.py
	$(PYTHON) benchmarks/denormals.py
	$(PYTHON) benchmarks/contention.py
	$(PYTHON) benchmarks/options.py
	$(PYTHON) benchmarks/clusters.py

bench-kernels:  ## time the kernels and keep the figures; BENCH=--benchmark-compare shows changes
	$(PYTHON) -m pip install pytest-benchmark
	$(PYTHON) -m pytest benchmarks/bench_kernels.py --benchmark-autosave $(BENCH)

lint:  ## ruff, cython-lint and mypy
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	PATH="$(dir $(abspath $(PYTHON))):$$PATH" cython-lint crnn
	$(PYTHON) -m mypy

.PHONY: help build test test-slow test-oldest test-interop test-sanitized test-races test-valgrind test-sdist \
	test-rounds fuzz bench bench-kernels lint
