# Each target makes .venv if it is missing and installs what it needs.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export RAY_USAGE_STATS_ENABLED := 0
# tests start many processes: each would compile every module anew
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help quickstart test test-full lint bench bench-proposers bench-proposers-quick bench-chaos clean

help:
	@echo "make quickstart  install, run jobs/quickstart.yaml, write sweeps/quickstart/report.html"
	@echo "make test        install, check style, types and layers, run the tests: minutes"
	@echo "make test-full   the same with every method, history and seed: half an hour or more"
	@echo "make lint        ruff, mypy, import-linter"
	@echo "make bench       the benchmarks under tests/benchmarks (more than an hour)"
	@echo "make bench-proposers        which run next: ours and the peers, an hour; goes on if cut off"
	@echo "make bench-chaos            real sweeps whose processes are killed and disks filled; needs root"
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

LINT := $(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports
lint: $(STAMP)
	$(LINT)

# Two halves of about the same work beside each other. The first is printed when both have ended.
SELECT :=
test-full: SELECT := -m ''
HALF := $(VENV)/half.log
test test-full: $(STAMP)-trackers
	( $(LINT) && $(BIN)/python -m pytest $(SELECT) tests/integration ) > $(HALF) 2>&1 & half=$$!; \
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(SELECT) tests/contracts tests/fuzz tests/sim tests/unit; others=$$?; \
	wait $$half; half=$$?; cat $(HALF); \
	test $$half = 0 || echo "failed: lint or tests/integration, see above"; \
	test $$others = 0 || echo "failed: tests/contracts, tests/fuzz, tests/sim or tests/unit, see further above"; \
	test $$half = 0 -a $$others = 0

bench: $(STAMP)
	$(BIN)/python -m tests.benchmarks.run_all

$(STAMP)-bench: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	touch $@

bench-proposers: $(STAMP)-bench
	$(BIN)/python -m tests.benchmarks.proposers --folder sweeps/bench-proposers

bench-proposers-quick: $(STAMP)-bench
	$(BIN)/python -m tests.benchmarks.proposers --quick

bench-chaos: $(STAMP)
	$(BIN)/python -m tests.benchmarks.chaos --folder sweeps/bench-chaos

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache build *.egg-info
