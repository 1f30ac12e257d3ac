# `make demo` and `make test` need git, make and Python >= 3.11; they build .venv themselves.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
READY := $(VENV)/.ready

.PHONY: demo test lint lock benchmark validate faults slurm clean

demo: $(READY)
	$(RUN) project.py simulate sweeps/demo.toml --parallel 2

test: $(READY)
	$(RUN) -m pytest --numprocesses 2 --dist worksteal

lint: $(READY)
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy

benchmark: $(READY)
	$(RUN) -m benchmarks

validate: $(READY)
	$(RUN) -m validation

# Needs root and Debian's slurmctld, slurmd, slurm-client and munge.
slurm: $(READY)
	$(RUN) -m pytest -m slurm tests/cluster

# About half an hour on two cores; its small disks take root, and are left out without.
faults: $(READY)
	$(RUN) -m fault_injection

$(READY): requirements.lock
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 demo")'
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	touch $@

# Pin everything that the pip route installs; commit the result. `make lock UP=--upgrade` for newer versions.
lock: $(READY)
	$(VENV)/bin/uv pip compile pyproject.toml --extra develop --no-annotate $(UP) \
	    --custom-compile-command 'make lock' --output-file requirements.lock

environment.yml: pyproject.toml tools/conda_environment.py
	$(RUN) -m tools.conda_environment > $@

clean:
	rm -rf $(VENV)
