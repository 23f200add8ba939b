SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
# Nor may a shell that keeps Python from storing what it has compiled double the time of every program.
unexport VIRTUAL_ENV PYTHONPATH PYTHONDONTWRITEBYTECODE

VENV := .venv
ANSIBLE_2_18 := .venv-ansible-2.18
ANSIBLE_2_21 := .venv-ansible-2.21
# ansible-core 2.21 needs Python 3.12, which a machine may have beside its own: on PATH, or from pyenv.
NEWER_PYTHON := $(shell for python in $(PYTHON) python3.14 python3.13 python3.12 \
  "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/3.1[2-9].*/bin/python3; do \
  "$$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 12))' 2> /dev/null \
  && echo "$$python" && break; done)
# Router contracts with a validator of their own, requirements/router-*.txt. The schema of the newest is in schema.txt.
ROUTERS := 0.5 0.4 0.3
OLDER_SCHEMAS := 0.4
VENVS := $(VENV) $(ANSIBLE_2_18) $(if $(NEWER_PYTHON),$(ANSIBLE_2_21)) $(ROUTERS:%=.venv-router-%)
BIN := $(VENV)/bin

# What an environment is made from. The hash is in the stamp's name, so that another pin makes the environment anew
# and another checkout, or another comment, of the same pins does not.
pins = requirements/$(or $(patsubst .venv-%,%,$(filter .venv-%,$(1))),dev).txt $(if $(findstring router,$(1)),,$(COMMON)) \
  $(if $(filter $(VENV),$(1)),$(SCHEMA) $(GALAXY) $(OLDER_SCHEMAS:%=requirements/router-%.txt))
SCHEMA := requirements/schema.txt
GALAXY := requirements/galaxy.txt
COMMON := requirements/runtime.txt requirements/test.txt runner/pyproject.toml cli/pyproject.toml \
  warm/pyproject.toml
stamp = $(1)/.made-from-$(shell sed 's/ *\#.*//; /^$$/d' $(call pins,$(1)) <(echo '$(CURDIR)') | git hash-object --stdin)
STAMPS := $(foreach venv,$(VENVS),$(call stamp,$(venv)))
READY := $(filter $(VENV)/%,$(STAMPS))
READY_2_18 := $(filter $(ANSIBLE_2_18)/%,$(STAMPS))
READY_2_21 := $(filter $(ANSIBLE_2_21)/%,$(STAMPS))

# For two cores. With checks, --output-sync keeps together what one of them says.
IN_PAIRS = +@$(MAKE) --no-print-directory --jobs=2

##@ Start here

.PHONY: help
help: ## Show this help
	@awk 'BEGIN {FS = ":.*##"} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*##/ {printf "  %-24s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(READY) ## Run a router and ask it, on a node or a plane made here (NODE_CLUSTER=kind:NAME or a kubeconfig: there)
	@PYTHONPATH=hack $(BIN)/python -m demo up

.PHONY: demo-stop
demo-stop: ## End everything that `make demo` started
	@[[ ! -d .demo ]] || PYTHONPATH=hack $(BIN)/python -m demo down

.PHONY: node
node: $(READY) ## Run a real node here: kubelet, containerd, CoreDNS (as root; built once, 6 minutes)
	@PYTHONPATH=hack $(BIN)/python -m real_node up --state .node \
	  $(foreach crd,$(wildcard config/crd/bases/*.yaml),--crd $(crd))

.PHONY: node-stop
node-stop: ## End everything that `make node` started
	@[[ ! -d .node ]] || { PYTHONPATH=hack $(BIN)/python -m real_node down --state .node; rm -rf .node; }

.PHONY: run
run: $(READY) ## Run the operator here, against the cluster of KUBECONFIG
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/wrapper-runner run --watches-file watches.yaml

##@ Develop

.PHONY: setup
setup: ## Make the Python environments in .venv* (2 minutes once, nothing when they are there)
	$(IN_PAIRS) --silent $(STAMPS)

# .venv has the router's schema, as the image; the other environment of the tests has none, as may who runs playbooks.
# The links make the checkout importable as the collection, for ansible-playbook and pytest alike. Files are compiled
# when they are imported: compiling all of the `ansible` package takes longer than installing it.
$(STAMPS):
	@echo "setup: $(@D) from $(firstword $(call pins,$(@D)))"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version)'
	@$(if $(filter $(ANSIBLE_2_21),$(@D)),$(NEWER_PYTHON),$(PYTHON)) -m venv --clear $(@D)
	@$(call pip_install,$(@D)) --requirement $(firstword $(call pins,$(@D)))
	@$(if $(filter $(VENV),$(@D)),$(call pip_install,$(@D)) --no-deps --requirement $(SCHEMA) --requirement $(GALAXY))
	@$(if $(filter $(VENV),$(@D)),$(foreach one,$(OLDER_SCHEMAS),$(call older_schema,$(@D),$(one));))
	@$(if $(findstring router,$(@D)),,$(call link_collection,$(@D)))
	@touch $@

# Not all at once: installations of runner, cli and warm write their egg-info beside the sources.
$(READY_2_18): | $(READY)
$(READY_2_21): | $(READY_2_18)

pip_install = $(1)/bin/pip install --quiet --quiet --disable-pip-version-check --no-compile

older_schema = $(call pip_install,$(1)) --no-deps --requirement requirements/router-$(2).txt \
  --target "$$($(1)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/router_schemas/$(2)"

define link_collection
$(call pip_install,$(1)) --no-deps --editable runner --editable cli --editable warm; \
site=$$($(1)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))'); \
mkdir -p "$$site/ansible_collections/vllm"; \
ln -sfn "$(CURDIR)" "$$site/ansible_collections/vllm/semantic_router"
endef

.PHONY: control-plane
control-plane: $(READY) ## Build the local control plane (cached outside the tree; 6 minutes once)
	@PYTHONPATH=hack $(BIN)/python -m control_plane build

.PHONY: programs
programs: control-plane ## Build what tests run beside the control plane: Envoy Gateway, Helm, promtool ... (8 minutes once)
	@PYTHONPATH=hack $(BIN)/python -m go_program all > /dev/null

.PHONY: docs
docs: lint-docs ## Build the documentation into build/site, warnings as errors
	@echo "open build/site/index.html"

.PHONY: look
look: docs ## Look at every page in Chromium, wide and narrow (PICTURES=directory keeps what it saw)
	@$(BIN)/python hack/site_look.py build/site $(if $(PICTURES),--pictures $(PICTURES))

.PHONY: golden
golden: $(READY) ## Rewrite the golden files; read the diff before you commit it
	UPDATE_GOLDEN=1 $(BIN)/pytest -q $$(grep -rl '^import golden' tests/unit)
	git --no-pager diff --stat -- tests/unit/golden

.PHONY: manifests
manifests: $(READY) ## Generate the CRD and the operator's RBAC from their sources
	@$(BIN)/python config/crd/generate.py
	@$(BIN)/python config/rbac/generate.py

.PHONY: generate
generate: manifests golden ## Generate whatever is generated: manifests and golden files

##@ Build

# The release is that of galaxy.yml, and config/manager has its image's name.
VERSION := $(shell sed -n 's/^version: //p' galaxy.yml)
NAME := $(shell sed -n 's/^ *newName: //p' config/manager/kustomization.yaml)
IMAGE = $(or $(IMG),$(NAME):v$(VERSION))
KIND_CLUSTER ?= kind
# One after the other with -j too: make docker-build kind-load deploy
docker-push podman-push kind-load: | $(filter docker-build podman-build,$(MAKECMDGOALS))
deploy: | $(filter install docker-push podman-push kind-load,$(MAKECMDGOALS))

.PHONY: build
build: $(READY) ## Build the collection that the image installs, into dist/
	@$(BIN)/ansible-galaxy collection build --force --output-path dist
	@cp dist/vllm-semantic_router-$(VERSION).tar.gz dist/vllm-semantic_router.tar.gz

.PHONY: plugin
plugin: $(READY) ## Build the kubectl plugin's wheel, and what krew installs it from, into dist/ (URL=where they will be)
	@$(BIN)/pip wheel --quiet --no-deps --wheel-dir dist ./cli
	@PYTHONPATH=hack $(BIN)/python -m krew_manifest $(if $(URL),--url '$(URL)')

.PHONY: docker-build
docker-build: build ## Build the operator's image (IMG=registry/name:tag)
	docker build --tag $(IMAGE) .

.PHONY: docker-push
docker-push: ## Push it
	docker push $(IMAGE)

.PHONY: podman-build
podman-build: build ## The same with podman
	podman build --tag $(IMAGE) .

.PHONY: podman-push
podman-push: ## The same with podman
	podman push $(IMAGE)

.PHONY: kind-load
kind-load: ## Take the image into a kind cluster (KIND_CLUSTER=kind)
	kind load docker-image $(IMAGE) --name $(KIND_CLUSTER)

.PHONY: bundle
bundle: $(READY) ## Generate bundle/ for OLM (IMG=...), and what the playbook install applies, from config/
	@PYTHONPATH=hack $(BIN)/python -m olm_bundle --image '$(IMG)'

.PHONY: build-installer
build-installer: $(READY) ## Write dist/install.yaml, one file for `kubectl apply -f` (IMG=...)
	@mkdir -p dist
	@$(KUSTOMIZE) default --image '$(IMG)' > dist/.install.yaml
	@mv dist/.install.yaml dist/install.yaml

.PHONY: release
release: $(READY) ## Make every file of a release that takes no registry, into dist/ (IMG=..., TAG=v..., PINNED=1)
	@PYTHONPATH=hack $(BIN)/python -m release --image '$(IMG)' --tag '$(TAG)' $(if $(PINNED),--pinned) \
	  $(PARTS:%=--only %)

.PHONY: changelog
changelog: $(READY) ## Make the changelog of the release in galaxy.yml from the fragments, before its tag
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/antsibull-changelog release

.PHONY: chart
chart: $(READY) ## The Helm chart alone, into dist/, generated from config/ (IMG=...)
	@PYTHONPATH=hack $(BIN)/python -m release --image '$(IMG)' --only chart

# For the release workflow, as its steps read it.
.PHONY: print-release
print-release:
	@printf '%s\n' 'image=$(NAME)' 'name=$(notdir $(NAME))' 'version=$(VERSION)' \
	  'base=$(shell sed -n 's/^FROM \([^ ]*\) AS .*/\1/p' Dockerfile)'

.PHONY: pin-images
pin-images: $(READY) ## Ask the registries for the digests of requirements/images.yaml
	@PYTHONPATH=hack $(BIN)/python -m release.pins

##@ Install into the cluster of KUBECONFIG

# Built from the modules of hack/ as the control plane is, unless KUBECTL=kubectl asks for another.
KUBECTL ?= $$(PYTHONPATH=hack $(BIN)/python -m control_plane kubectl)
# Prints a directory of config/, with another image or in another namespace where one is named.
KUSTOMIZE = kubectl="$(KUBECTL)"; PYTHONPATH=hack $(BIN)/python -m kustomize --kubectl "$$kubectl"
OPERATOR = $(KUSTOMIZE) $(if $(NAMESPACE),namespaced --namespace '$(NAMESPACE)',default) --image '$(IMG)'
ignore-not-found ?= false
# How many seconds `deploy` watches the operator's pods for; 0 for not at all.
WAIT ?= 300
APPLY = "$$kubectl" apply --filename -
DELETE = "$$kubectl" delete --ignore-not-found=$(ignore-not-found) --filename -

.PHONY: install
install: $(READY) ## Install the CRD
	@$(KUSTOMIZE) crd | $(APPLY)

.PHONY: uninstall
uninstall: $(READY) ## Remove the CRD, and every SemanticRouter with it (ignore-not-found=true)
	@$(KUSTOMIZE) crd | $(DELETE)

.PHONY: deploy
deploy: $(READY) ## Install the CRD and the operator (IMG=...); NAMESPACE=... for one namespace, without the CRD
	@$(if $(IMG)$(BUILT),:,$(SAY_WHICH_IMAGE))
	@$(OPERATOR) | $(APPLY)
	@kubectl="$(KUBECTL)"; PYTHONPATH=hack $(BIN)/python -m deployed --kubectl "$$kubectl" \
	  --namespace '$(NAMESPACE)' --wait '$(WAIT)'

# `make docker-build deploy` means the image that is built under the release's name.
BUILT = $(filter docker-build podman-build,$(MAKECMDGOALS))
SAY_WHICH_IMAGE = printf '%s\n' 'deploy: IMG says which image the operator runs from. Build one and push it first:' \
  '  make docker-build docker-push deploy IMG=registry.example.com/you/$(notdir $(NAME)):dev' \
  'or load it into a cluster of kind:' \
  '  make docker-build kind-load deploy IMG=$(notdir $(NAME)):dev' \
  'A released one is IMG=$(NAME):v$(VERSION).' >&2; exit 2

.PHONY: undeploy
undeploy: $(READY) ## Remove what `deploy` installed, the CRD too (ignore-not-found=true)
	@$(OPERATOR) | $(DELETE)

.PHONY: openshift-deploy
openshift-deploy: $(READY) ## Subscribe to the operator with OLM
	@$(KUSTOMIZE) openshift | $(APPLY)

.PHONY: openshift-undeploy
openshift-undeploy: $(READY) ## End the subscription and remove the operator
	@$(KUSTOMIZE) openshift | $(DELETE)

##@ Test

WITH_ANSIBLE := tests/unit/plugins/{action,filter,modules,plugin_utils} tests/unit/warm \
  tests/unit/runner/test_{companion,plugins}.py

# The slowest first, for the pairs to come out even.
LINT := lint-ansible lint-types lint-docs lint-yaml lint-docker lint-workflows lint-python
SLOWER := unit-2.18 unit-2.21 lint-molecule
CLUSTER := e2e-2.19 integration node-short molecule e2e-2.18 e2e-2.21
SANITY := sanity-2.19 sanity-2.18

.PHONY: lint
lint: $(READY) ## ruff, mypy --strict, yamllint, ansible-lint, mkdocs, hadolint, actionlint
	$(IN_PAIRS) --output-sync --keep-going $(LINT) lint-molecule

.PHONY: test-fast
test-fast: setup ## Without a cluster: lint, types, unit, golden (under a minute)
	$(IN_PAIRS) --output-sync --keep-going unit-2.19 $(LINT)

.PHONY: sanity
sanity: setup ## ansible-test sanity, on ansible-core 2.18 and 2.19
	$(IN_PAIRS) $(SANITY)

.PHONY: test
test: test-fast programs ## Everything: fast tests, sanity, the router's and Envoy's validators, control plane, end to end
	$(IN_PAIRS) --keep-going $(CLUSTER) $(SANITY) $(SLOWER)

.PHONY: $(LINT) unit-2.19 $(SLOWER) $(CLUSTER) $(SANITY)
lint-python: $(READY)
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --check --quiet .

# mypy must find the collection by its full name, and trusts no link in site-packages with types.
lint-types: $(READY)
	@mkdir -p build/collections/ansible_collections/vllm
	@ln -sfn ../../../.. build/collections/ansible_collections/vllm/semantic_router
	$(BIN)/mypy

lint-docker: $(READY)
	$(BIN)/hadolint --failure-threshold style Dockerfile

lint-workflows: $(READY)
	@actionlint="$$(PYTHONPATH=hack $(BIN)/python -m go_program actionlint)"; "$$actionlint"

lint-yaml: $(READY)
	$(BIN)/yamllint --strict .
	$(BIN)/antsibull-changelog lint

# The theme's remark on the future of MkDocs is no warning about the site.
lint-docs: $(READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build 2>&1 | sed "/^INFO/d"

lint-ansible: $(READY)
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/ansible-lint --offline -q --exclude molecule

lint-molecule: $(READY)
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/ansible-lint --offline -q molecule

unit-2.19: $(READY)
	$(BIN)/pytest -q tests/unit

# For all that thinks, which imports no Ansible (a test holds that), one ansible-core is enough, and for the tools of hack/.
THINKING := checks envoy facts objects router_config spec status
WITHOUT_ANSIBLE := $(addprefix --ignore=tests/unit/plugins/module_utils/,$(THINKING)) \
  --ignore=tests/unit/test_golden_manifests.py --ignore=tests/unit/test_every_field.py --ignore=tests/unit/hack

unit-2.18: $(READY_2_18)
	$(ANSIBLE_2_18)/bin/pytest -q tests/unit $(WITHOUT_ANSIBLE)

SKIPPED_2_21 = echo '$@: skipped, for ansible-core 2.21 needs Python 3.12: none is on PATH, nor in pyenv'

unit-2.21: $(READY_2_21)
	@$(if $(NEWER_PYTHON),$(ANSIBLE_2_21)/bin/pytest -q $(WITH_ANSIBLE),$(SKIPPED_2_21))

# Minutes of work, so each line is shown as it comes, with its maker's name before it.
SAY = 2>&1 | sed --unbuffered 's/^/$@: /'

integration: $(READY)
	@$(BIN)/pytest tests/integration $(SAY)

e2e-2.19: $(READY)
	@$(BIN)/pytest tests/e2e $(SAY)

# What depends on ansible-core: how a router reaches the playbook, what Jinja makes of it, and what a warm run has to be
# the same as. The rest is Python.
e2e-2.18: $(READY_2_18)
	@$(ANSIBLE_2_18)/bin/pytest tests/integration/test_{filters,playbooks}.py \
	  tests/integration/warm/test_{in_process,same_as_cold}.py tests/e2e/test_{lifecycle,literal_text}.py $(SAY)

WARM_OR_COLD := tests/integration/warm/test_{in_process,same_as_cold}.py

e2e-2.21: $(READY_2_21)
	@$(if $(NEWER_PYTHON),$(ANSIBLE_2_21)/bin/pytest tests/integration/test_render.py \
	  $(WARM_OR_COLD) tests/e2e/test_lifecycle.py $(SAY),$(SKIPPED_2_21))

# On the cluster that NODE_CLUSTER names, and KUBECONFIG names none. Otherwise as root, in namespaces of the machine's;
# where that cannot be, all there is to it is a line that says why.
ON_A_NODE = $(if $(NODE_CLUSTER),,$(MAKE_A_NODE)) $(BIN)/pytest --timeout 1200 tests/node $(1) $(SAY)
MAKE_A_NODE = PYTHONPATH=hack $(BIN)/python -m real_node rehearse $(SAY) || { (( $$? == 3 )) && exit 0; exit 1; }; \
  for package in control_plane real_node; do PYTHONPATH=hack $(BIN)/python -m $$package build $(SAY); done;
export NODE_CLUSTER NODE_IMPORT

.PHONY: test-node
test-node: $(READY) ## The operator and routers as pods, long tests too (NODE_CLUSTER=kind:NAME or a kubeconfig: there)
	@$(call ON_A_NODE,)

node-short: $(READY)
	@$(call ON_A_NODE,-m "not long")

# In build/, since molecule's own choice goes by the name of the checkout's directory, which another one may have.
MOLECULE = PATH="$(CURDIR)/$(BIN):$$PATH" MOLECULE_EPHEMERAL_DIRECTORY="$(CURDIR)/build/molecule" \
  MOLECULE_GLOB='molecule/*/molecule.yml' molecule

# What a run that was killed has left is removed first.
molecule: $(READY) ## The scenarios in molecule/ (one of them: SCENARIO=discovery)
	@[[ ! -d build/molecule ]] || $(MOLECULE) destroy --no-report > /dev/null
	@$(MOLECULE) test $(if $(SCENARIO),--scenario-name $(SCENARIO),--all) --no-command-borders $(SAY)

sanity-2.19: $(READY)
	@$(BIN)/python tests/sanity/run.py $(SAY)

sanity-2.18: $(READY_2_18)
	@$(ANSIBLE_2_18)/bin/python tests/sanity/run.py $(SAY)

# Not in `make test`: each API server is a build of its own. What an API server decides by itself is tried on it.
OTHER_KUBERNETES := $(patsubst hack/kubernetes-%/go.mod,%,$(wildcard hack/kubernetes-*/go.mod))
.PHONY: test-kubernetes-versions
test-kubernetes-versions: $(READY) ## The CRD, apply and refusals on API servers of other Kubernetes minors
	@for minor in $(OTHER_KUBERNETES); do \
	  assets="$$(PYTHONPATH=hack $(BIN)/python -m control_plane apiserver "$$minor")"; \
	  KUBEBUILDER_ASSETS="$$assets" $(BIN)/pytest tests/integration/test_{crd,apply,bad_input,samples}.py \
	    2>&1 | sed --unbuffered "s/^/kubernetes $$minor: /"; \
	done

.PHONY: torture
torture: $(READY) ## Campaigns against the operator on a real API server (SEED=1 COUNT=200 TIME=600 CAMPAIGNS="field_flips")
	@PYTHONPATH=hack:runner nice $(BIN)/python -m torture $(if $(SEED),--seed $(SEED)) $(if $(COUNT),--count $(COUNT)) \
	  $(if $(TIME),--time $(TIME)) --report build/torture.json $(CAMPAIGNS)

.PHONY: newest-router
newest-router: $(READY) ## Show every golden document and sample to the newest vllm-sr on PyPI, and say what broke
	@PYTHONPATH=hack $(BIN)/python -m newest_router

# Strict: an index that knows of no vulnerabilities at all, as many mirrors do, would be taken for good news.
AUDIT := $(BIN)/pip-audit --strict --progress-spinner off --no-deps --disable-pip --requirement

.PHONY: audit
audit: $(READY) ## Ask PyPI whether a known vulnerability is in what the image, the plugin and the tests pin
	@mkdir -p build
	@$(BIN)/pip list --format=freeze --exclude-editable >build/installed.txt
	@for pins in requirements/runtime.txt requirements/schema.txt $(ROUTERS:%=requirements/router-%.txt) build/installed.txt; do \
	  echo "$$pins"; $(AUDIT) "$$pins"; \
	done

##@ Measure

.PHONY: bench
bench: $(READY) ## Measure reconciles beside a conventional playbook (25 minutes on a quiet machine)
	@PYTHONPATH=hack:runner:. $(BIN)/python -m benchmarks

.PHONY: mutants
mutants: $(READY) ## Change the code a little, again and again: which changes does no unit test notice? (PARTS="apply checks")
	@PYTHONPATH=hack nice $(BIN)/python -m mutants $(PARTS)

##@ Clean up

.PHONY: clean
clean: demo-stop node-stop ## Remove the Python environments and everything built in the tree
	rm -rf $(VENVS) $(ANSIBLE_2_21) .demo .node build dist
