# make demo: install, encode a photograph at three rates, show PSNR and bpp beside JPEG and AVIF.
# make test: install, run every check. As root on Debian it installs Chromium first, for browser tests.
# make docs: install, build the documentation in build/docs; a warning is an error.
# make docs-serve: build it, and serve it on this host.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# A CPU build of torch where the index has one; `make TORCH=torch` takes the newest instead.
TORCH ?= torch==2.13.0

.PHONY: demo test docs docs-serve install browser clean

demo: install
	$(BIN)/python benchmarks/demo.py

test: install browser
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE $(BIN)/python -m pytest -n 3 --dist worksteal

docs: install
	$(BIN)/python -m sphinx --builder html --fresh-env --write-all --fail-on-warning \
	  --keep-going --quiet docs build/docs
	@echo "open build/docs/index.html"

docs-serve: docs
	$(BIN)/python -m http.server --bind 127.0.0.1 --directory build/docs 8000

install: $(VENV)/installed

$(VENV)/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "$(TORCH)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $@

# A Chromium for the tests of the demo's page; without one they are skipped, and say so.
browser:
	command -v chromium >/dev/null || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null \
	  && apt-get update -qq && apt-get install -qq -y --no-install-recommends chromium >/dev/null; } \
	  || echo "no Chromium: browser tests will be skipped"

clean:
	rm -rf $(VENV) build dist *.egg-info
