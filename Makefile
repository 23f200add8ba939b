SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
export PYTHONPATH := hack:runner
unexport VIRTUAL_ENV

VENV := .venv
ANSIBLE_2_18 := .venv-ansible-2.18
VENVS := $(VENV) $(ANSIBLE_2_18) .venv-router-0.4 .venv-router-0.3
BIN := $(VENV)/bin

##@ Start here

.PHONY: help
help: ## Show this help
	@awk 'BEGIN {FS = ":.*##"} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*##/ {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(VENV)/.stamp ## Run a router on a local control plane, from CR to Running
	@$(BIN)/python -m demo up

.PHONY: demo-stop
demo-stop: ## End everything that `make demo` started
	@$(BIN)/python -m demo down

.PHONY: run
run: $(VENV)/.stamp ## Run the operator here, against the cluster of KUBECONFIG
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/wrapper-runner run --watches-file watches.yaml

##@ Develop

.PHONY: setup
setup: $(VENVS:%=%/.stamp) ## Make the Python environments in .venv*

# The links make the checkout importable as the collection, for ansible-playbook, pytest and mypy alike.
%/.stamp: requirements/*.txt runner/pyproject.toml
	@echo "setup: $(@D) (1-2 minutes)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version)'
	@$(PYTHON) -m venv --clear $(@D)
	@$(@D)/bin/pip install --quiet --disable-pip-version-check -r $(call requirements,$(@D))
	@$(if $(findstring router,$(@D)),,$(call link_collection,$(@D)))
	@touch $@

requirements = requirements/$(or $(patsubst .venv-%,%,$(filter .venv-%,$(1))),dev).txt

define link_collection
$(1)/bin/pip install --quiet --disable-pip-version-check --no-deps --editable runner; \
site=$$($(1)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))'); \
mkdir -p "$$site/ansible_collections/vllm"; \
ln -sfn "$(CURDIR)" "$$site/ansible_collections/vllm/semantic_router"
endef

.PHONY: control-plane
control-plane: $(VENV)/.stamp ## Build the local control plane (cached outside the tree; 6 minutes once)
	@$(BIN)/python -m control_plane build

.PHONY: lint
lint: $(VENV)/.stamp ## ruff, mypy --strict, yamllint, ansible-lint, ansible-test sanity
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/yamllint --strict .
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/ansible-lint --offline

.PHONY: test-fast
test-fast: setup lint ## Everything without a cluster: lint, types, unit, golden (under a minute)
	$(BIN)/pytest -q tests/unit
	$(ANSIBLE_2_18)/bin/pytest -q tests/unit

.PHONY: test
test: test-fast control-plane ## Everything: fast tests, router and Envoy validators, control plane, end to end
	$(BIN)/pytest tests/integration tests/e2e
	$(ANSIBLE_2_18)/bin/pytest tests/e2e

.PHONY: golden
golden: $(VENV)/.stamp ## Rewrite the golden files; read the diff before you commit it
	UPDATE_GOLDEN=1 $(BIN)/pytest -q tests/unit || true
	git --no-pager diff --stat -- tests/unit/golden

.PHONY: clean
clean: demo-stop ## Remove the Python environments and everything built in the tree
	rm -rf $(VENVS) .demo build
