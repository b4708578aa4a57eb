# Two commands do everything: `make demo` and `make test`. Both set up what they need in .venv.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test test-slow lint types layers playbooks check bench wheel clean

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "cloudpemda needs Python 3.11 or later")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
	  apprise hatchling editables hypothesis import-linter mypy pytest pytest-timeout pytest-xdist ruff \
	  types-PyYAML types-requests jsonschema types-jsonschema \
	  ansible-core ansible-lint ansible-runner pytest-testinfra yamllint
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
	  --no-build-isolation --editable .
	touch $@

demo: .venv/ready
	$(BIN)/cloudpemda demo

test: .venv/ready
	$(BIN)/pytest -n 4 --dist worksteal -m "not slow"

test-slow: .venv/ready
	$(BIN)/pytest -n 4 --dist worksteal -m slow

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/ready
	$(BIN)/mypy

layers: .venv/ready
	$(BIN)/lint-imports

# From their own directory, where ansible.cfg names roles and modules.
playbooks: .venv/ready
	$(BIN)/yamllint --strict playbooks inventories/*/ansible .yamllint .ansible-lint
	cd playbooks && for site in ../inventories/*/ansible; do for book in *.yml; do \
	  ../$(BIN)/ansible-playbook --syntax-check --inventory $$site $$book || exit 1; done; done
	cd playbooks && PATH="$(CURDIR)/$(BIN):$$PATH" ../$(BIN)/ansible-lint --offline -c ../.ansible-lint
	@if command -v vagrant >/dev/null; then vagrant validate; \
	else echo "vagrant is not installed: the Vagrantfile was not validated"; fi

check: test lint types layers playbooks

wheel: .venv/ready
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

clean:
	rm -rf .venv dist build var
