# Everything runs in the checkout's own environment, which the first target that needs it makes.
PYTHON ?= python3
PIP = -m pip install --quiet --disable-pip-version-check
# With UV=…, the path of uv, that makes the environments, in a fraction of the time; where it fails, pip does.
UV ?=

.PHONY: report test test-slow test-training test-tl4 test-wheel examples docs notebooks bench calibrate real check lint types lock clean

report: .venv/ready
	OMP_NUM_THREADS=1 .venv/bin/semantic-hub report --processes 2 --out report.html

# With SHAPES=1 every annotated shape and type is checked in every call, which takes twice as long.
ifdef SHAPES
CHECKED = --jaxtyping-packages=semantic_hub,beartype.beartype
endif
test: .venv/ready
	OMP_NUM_THREADS=1 .venv/bin/python -m pytest -n auto --dist loadfile $(CHECKED)

test-slow: .venv/ready
	OMP_NUM_THREADS=1 .venv/bin/python -m pytest -n auto --dist worksteal -m "slow and not training"

test-training: .venv/ready
	OMP_NUM_THREADS=1 .venv/bin/python -m pytest -n auto --dist loadfile -m training

# The wheel, installed without extras into an environment of its own, measures pairs of prompts.
test-wheel:
	.ci/wheel $(PYTHON)

# What differs on this line is the model: loading, hooks, capture, interventions. What no model
# touches is tested on the first line alone, and so is the page; what is slow there is slow here.
SAME = browser plotting reporting results statistics spokes/audio/sounds spokes/code spokes/lexicon zoo/calibration \
	zoo/training zoo/world test_api.py test_cli.py test_docs.py test_docstrings.py test_examples.py test_extras.py \
	test_rooms.py
test-tl4: .venv-tl4/ready
	OMP_NUM_THREADS=1 .venv-tl4/bin/python -m pytest -n auto --dist loadfile $(SAME:%=--ignore=tests/%)

examples: .venv/ready
	for example in examples/*.py; do \
		echo $$example; OMP_NUM_THREADS=1 TQDM_DISABLE=1 .venv/bin/python $$example > /dev/null || exit 1; \
	done

docs: .venv/ready
	OMP_NUM_THREADS=1 TQDM_DISABLE=1 NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --strict

notebooks: .venv/ready
	mkdir -p notebooks
	for example in examples/*.py; do \
		.venv/bin/jupytext --quiet --to ipynb --output notebooks/$$(basename $$example .py).ipynb $$example || exit 1; \
	done

# Two real pretrained models, fetched into a folder outside the checkout, held to plain transformers on
# both lines of TransformerLens, and their page of the docs.
REAL ?= $(HOME)/.cache/semantic-hub/real
real: .venv/ready .venv-tl4/ready
	.venv/bin/python tests/real/fetch.py $(REAL)
	for line in .venv .venv-tl4; do \
		SEMANTIC_HUB_REAL_MODELS=$(REAL) OMP_NUM_THREADS=1 $$line/bin/python -m pytest -m slow tests/test_real_models.py || exit 1; \
	done
	.venv/bin/python tests/real/report.py $(REAL)

bench: .venv/ready
	for bench in tests/benchmarks/bench_*.py; do .venv/bin/python $$bench || exit 1; done

calibrate: .venv/ready
	.venv/bin/python -m semantic_hub.zoo.calibration --out docs/calibration.md --seeds 200

check: lint types test test-slow test-tl4 test-wheel docs

lint: .venv/ready
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .

types: .venv/ready
	.venv/bin/pyright --pythonpath .venv/bin/python

.venv/ready: LOCK = requirements/lock.txt
.venv-tl4/ready: LOCK = requirements/lock-tl4.txt
.venv/ready: requirements/lock.txt
.venv-tl4/ready: requirements/lock-tl4.txt
%/ready: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(@D)
	$(if $(UV),$(UV) pip install --quiet --python $(@D)/bin/python -c $(LOCK) -e '.[dev]' ||) \
		$(@D)/bin/python $(PIP) -c $(LOCK) -e '.[dev]'
	touch $@

# The locks pin every package for every supported Python; uv (from PyPI) resolves them.
lock:
	uv pip compile --universal --no-header --no-annotate --quiet --upgrade --python-version 3.10 --extra dev \
		--constraint requirements/tl3.in pyproject.toml --output-file requirements/lock.txt
	uv pip compile --universal --no-header --no-annotate --quiet --upgrade --python-version 3.10 --extra dev \
		--constraint requirements/tl4.in pyproject.toml --output-file requirements/lock-tl4.txt

clean:
	rm -rf .venv .venv-tl4 site notebooks report.html
