# Each target makes .venv if it is missing and installs what it needs.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export RAY_USAGE_STATS_ENABLED := 0

.PHONY: help quickstart test lint bench bench-proposers bench-proposers-quick clean

help:
	@echo "make quickstart  install, run jobs/quickstart.yaml, write sweeps/quickstart/report.html"
	@echo "make test        install, check style, types and layers, run the tests"
	@echo "make lint        ruff, mypy, import-linter"
	@echo "make bench       the benchmarks under tests/benchmarks (more than an hour)"
	@echo "make bench-proposers        which run next: ours and the peers, an hour; goes on if cut off"
	@echo "make bench-proposers-quick  the same on a few problems, ten minutes, tables only printed"

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch==2.13.0 setuptools wheel
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --no-build-isolation deepspeed==0.19.8
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[train,zero,ray,report,dev]'
	touch $(STAMP)

# apart, because with them in place importing trl takes seconds longer in every worker
$(STAMP)-trackers: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[track]'
	touch $@

quickstart: $(STAMP)
	$(BIN)/paretoflow run jobs/quickstart.yaml
	$(BIN)/paretoflow report sweeps/quickstart -o sweeps/quickstart/report.html
	$(BIN)/paretoflow pick sweeps/quickstart --prefer coverage=0.7,conciseness=0.3

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint $(STAMP)-trackers
	# integration tests wait for processes most of their time: the others run beside them
	$(BIN)/python -m pytest tests/integration > $(VENV)/integration.log 2>&1 & half=$$!; \
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/contracts tests/sim tests/unit; others=$$?; \
	wait $$half; half=$$?; cat $(VENV)/integration.log; exit $$((half + others))

bench: $(STAMP)
	$(BIN)/python -m tests.benchmarks.run_all

$(STAMP)-bench: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	touch $@

bench-proposers: $(STAMP)-bench
	$(BIN)/python -m tests.benchmarks.proposers --folder sweeps/bench-proposers

bench-proposers-quick: $(STAMP)-bench
	$(BIN)/python -m tests.benchmarks.proposers --quick

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache build *.egg-info
