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

lint:  ## ruff and cython-lint
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	PATH="$(dir $(abspath $(PYTHON))):$$PATH" cython-lint crnn

.PHONY: help build test test-slow lint
