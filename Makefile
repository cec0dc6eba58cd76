# Everything a stranger needs: `make demo`, `make test`. Each sets itself up in .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test coverage test-ci image-test check audit sbom bench clean

$(VENV)/.ready: pyproject.toml setup.py $(wildcard proto/patrol/v1/*.proto)
	$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit("patrol needs Python 3.11 or later, this is %d.%d: make PYTHON=python3.11 ..." % v[:2])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev,bench]'
	touch $@

demo: $(VENV)/.ready
	$(BIN)/patrol demo $(if $(SECONDS),--seconds $(SECONDS))

test: $(VENV)/.ready
	$(BIN)/python -m pytest -q -n 2 --dist loadfile

# The tests of TESTS with coverage of engine/ measured, its processes too; without TESTS all tests. With Python 3.11 pure
# Python such as a simulation takes 2 to 3 times as much CPU when it is measured.
coverage: $(VENV)/.ready
	rm -f .coverage .coverage.*
	$(BIN)/coverage run -m pytest -q -n 2 --dist loadfile $(TESTS)
	$(BIN)/coverage combine -q
	$(BIN)/python -m tests.support.coverage_report

# What CI runs: all tests but the long ones. Three at a time, because many of them mostly wait; in the order of the folders,
# so that no large file is left for the end.
test-ci: $(VENV)/.ready
	$(BIN)/python -m pytest -q -n 3 --dist loadfile --no-loadscope-reorder -m "not long" --durations=25 --durations-min=5

# Builds the container image and runs it: some minutes, as root, with the network and
# apt-get install buildah podman debootstrap runc
image-test: $(VENV)/.ready
	PATROL_IMAGE_TEST=1 $(BIN)/python -m pytest -q -rA tests/integration/deploy/test_image.py

check: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/vulture
	$(BIN)/python setup.py -q image
	$(BIN)/buf lint build/patrol.v1.binpb --config proto/buf.yaml
	$(BIN)/buf breaking build/patrol.v1.binpb --against proto/patrol.v1.binpb --config proto/buf.yaml

# Whether a package that the engine runs with has a known vulnerability. Without the network it says so, and is content.
audit: $(VENV)/.ready
	$(BIN)/python -m tests.support.supply.audit

# What the engine runs with, as a CycloneDX bill of materials: build/sbom.cdx.json.
sbom: $(VENV)/.ready
	mkdir -p build
	$(BIN)/python -m tests.support.supply.packages > build/runtime.txt
	$(BIN)/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible --of JSON -o build/sbom.cdx.json build/runtime.txt

bench: $(VENV)/.ready
	$(BIN)/python -m bench.kernels --json
	$(BIN)/python -m bench.end_to_end --json
	$(BIN)/python -m bench.visits --json
	$(BIN)/python -m bench.scheduler --json
	$(BIN)/python -m bench.rehearsal --json
	$(BIN)/python -m bench.decode_memory --json
	$(BIN)/python -m bench.store --json
	$(BIN)/python -m bench.api --json
	$(BIN)/python -m bench.http_api --json
	$(BIN)/python -m bench.web --json

clean:
	rm -rf $(VENV) build dist *.egg-info patrol
