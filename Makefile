# Commands of Slipway; `make` lists them. Every target installs what it needs.
STACK  ?= dev
PYTHON ?= python3
ARGS   ?=
# Worker processes of pytest: more than CPUs, because most tests wait for other programs.
# tests/conftest.py limits the number of cluster tests that run at once.
TEST_PROCESSES     ?= --numprocesses=4
ALL_TEST_PROCESSES ?= --numprocesses=5
BASE   ?= HEAD
FORMAT ?= terminal

VENV := .venv
PY   := $(VENV)/bin/python
# Marker files: pip runs again when a requirements file has changed.
INSTALLED := $(VENV)/.installed-$(shell cat requirements.txt local/requirements.txt | cksum | cut -d' ' -f1)
POLICY_INSTALLED := policy/.venv/.installed-$(shell cksum < policy/requirements.txt | cut -d' ' -f1)
DEV_INSTALLED := $(VENV)/.dev-installed-$(shell cat requirements*.txt local/requirements.txt | cksum | cut -d' ' -f1)

# Not exported: make processes that a test starts would inherit the variables, and make expands an
# exported variable, so a value of `$(shell …)` would run.
MAKEOVERRIDES :=
unexport ARGS BASE DELETE_SOURCE DELIVERY DIFF FAULTS FLEET FOLLOW FORCE FORMAT FROM HOST KEY LEVEL MAIN_PACKAGE NAME OUT PASSPHRASE_FILE PLAN PORT PROVIDER QUERY RANGE RATE RELEASE SERVER SERVICE SHOW_PASSWORD \
         SINCE SOURCE STACK STRATEGY TEXT TRACE TRACK VALUE VERSION WEIGHT

define newline


endef
# shell_quote NAME: the variable's value as one word; neither make nor the shell expands it.
shell_quote = '$(subst ','\'',$(subst $(newline), ,$(value $(1))))'
# options NAMES: --name=value for each of the variables that has a value.
options = $(foreach name,$(1),$(if $(value $(name)),--$(subst _,-,$(shell echo $(name) | tr A-Z a-z))=$(call shell_quote,$(name))))

.DEFAULT_GOAL := help
.SUFFIXES:
# Without bytecode, half of the time of a short command is compilation.
unexport PYTHONDONTWRITEBYTECODE
STACK_OPTION = --stack=$(call shell_quote,STACK)
# STACK has no default for `make policy`, which then checks every stack.
STACK_OPTION_IF_SET = $(if $(filter-out file,$(origin STACK)),$(STACK_OPTION))

# fleet COMMAND,VARIABLES: the command on the stacks of FLEET, or nothing without one.
fleet = $(if $(value FLEET),$(PY) -m commands.fleet $(1) $(call options,FLEET $(2)) $(STACK_OPTION_IF_SET))
# Otherwise `make down FLEET=prod` would delete the stack `dev`.
FLEET_TARGETS := up preview rollback status
ifneq ($(value FLEET),)
ifneq ($(filter-out $(FLEET_TARGETS),$(MAKECMDGOALS)),)
$(error FLEET is for $(FLEET_TARGETS) only: use STACK)
endif
endif

.PHONY: help up dev preview config render publish gitops host restore-release change-owner status stacks release canary promote pause resume rollback history set down env test test-app test-unit test-manifests \
        secrets secrets-provider policy policy-pack ci-preview ci-drift audit bump vulncheck staticcheck sbom image built-image deployed-commit scan \
        diff new-env new-service remove-service config-doc architecture test-cluster lint format schema binaries bench local-up local-down local-status local-reset \
        logs metrics alerts traces dashboards ca-certificate install notify drill report

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Deploy and release a stack (STACK=dev)

up: $(INSTALLED) ## Deploy a stack, follow its progressive releases; starts missing prerequisites (PLAN=file: only the changes of this plan; FLEET=prod: all stacks of a fleet, in waves)
	@$(or $(call fleet,up,PLAN FORCE FROM),$(PY) -m commands up $(STACK_OPTION) $(call options,PLAN FORCE)) $(ARGS)

preview: $(INSTALLED) ## Show the changes of the next `make up` (FLEET)
	@$(or $(call fleet,preview),$(PY) -m commands preview $(STACK_OPTION)) $(ARGS)

config: $(INSTALLED) ## Print the values of a stack's configuration, each with its file and line, or those of KEY
	@$(PY) -m commands.config $(STACK_OPTION) $(call options,KEY)

render: $(INSTALLED) ## Write a stack's manifests to OUT, one file per object, without a cluster
	@$(PY) render.py $(STACK_OPTION) --out=$(if $(value OUT),$(call shell_quote,OUT),out/$(call shell_quote,STACK))

publish: $(INSTALLED) ## Build and push the images of a stack, or of SERVICE, and write their digests to its file; without a cluster (OUT=file: list them as JSON)
	@$(PY) -m commands.publish $(STACK_OPTION) $(call options,SERVICE OUT)

gitops: $(INSTALLED) ## Write a stack's manifests for Argo CD or Flux to OUT, and show their changes (DIFF=file: as Markdown)
	@$(PY) -m commands.gitops $(STACK_OPTION) $(call options,OUT DIFF)

host: $(INSTALLED) ## Write the files that run a stack on hosts without Kubernetes to OUT: units or containers, nginx, Ansible
	@$(PY) -m commands.host $(STACK_OPTION) $(call options,OUT)

restore-release: $(INSTALLED) ## Restore a stack file of GitOps to the version that serves, if Flagger has rolled its release back (SERVICE, OUT=file)
	@$(PY) -m commands.gitops.restore_release $(STACK_OPTION) $(call options,SERVICE OUT)

change-owner: $(INSTALLED) ## Give the objects of a stack to the owner in its settings (delivery.mode); nothing is deleted
	@$(PY) -m commands.change_owner $(STACK_OPTION)

status: $(INSTALLED) ## Show tracks, versions, traffic, pods and URLs of all services, or of SERVICE (FLEET)
	@$(or $(call fleet,status,SERVICE),$(PY) -m commands status $(STACK_OPTION) $(call options,SERVICE))

dev: $(INSTALLED) ## Run the working tree of SERVICE in the stack, again after each edit; Ctrl-C restores the stack
	@$(PY) -m commands dev $(STACK_OPTION) $(call options,SERVICE FORCE)

release: $(INSTALLED) ## Start the release of VERSION, with the strategy of the service (SERVICE, WEIGHT of a canary, FORCE=1)
	@$(PY) -m commands release $(STACK_OPTION) $(call options,SERVICE VERSION WEIGHT FORCE)

canary: $(INSTALLED) ## Send WEIGHT percent of the requests to VERSION (SERVICE, if there are several)
	@$(PY) -m commands canary $(STACK_OPTION) $(call options,SERVICE VERSION WEIGHT FORCE)

promote: $(INSTALLED) ## Send every request to the new version, if it meets the objective (FORCE=1: in any case)
	@$(PY) -m commands promote $(STACK_OPTION) $(call options,SERVICE FORCE)

pause: $(INSTALLED) ## Keep the weight of a progressive release as it is (SERVICE)
	@$(PY) -m commands pause $(STACK_OPTION) $(call options,SERVICE)

resume: $(INSTALLED) ## Continue a paused release (SERVICE)
	@$(PY) -m commands resume $(STACK_OPTION) $(call options,SERVICE)

rollback: $(INSTALLED) ## End the release in progress; without one, return to the previous stable version (or VERSION; FLEET: the stacks that its last rollout has moved)
	@$(or $(call fleet,rollback,SERVICE VERSION),$(PY) -m commands rollback $(STACK_OPTION) $(call options,SERVICE VERSION))

history: $(INSTALLED) ## Show the releases of all services, or of SERVICE, and who ended them
	@$(PY) -m commands history $(STACK_OPTION) $(call options,SERVICE)

set: $(INSTALLED) ## Set KEY of a service to VALUE in all tracks at once: KEY=config.logLevel VALUE=debug (SERVICE)
	@$(PY) -m commands set $(STACK_OPTION) $(call options,SERVICE KEY VALUE FORCE)

drill: $(INSTALLED) ## Deploy bad versions of SERVICE under load, in a copy of the stack (STRATEGY, FAULTS=errors,latency, RATE=50, WEIGHT=10, OUT)
	@$(PY) -m commands.drill $(STACK_OPTION) --format=$(call shell_quote,FORMAT) $(call options,SERVICE STRATEGY FAULTS RATE WEIGHT FORCE OUT)

down: $(INSTALLED) ## Delete a stack's resources
	@$(PY) -m commands down $(STACK_OPTION) $(ARGS)

secrets: $(INSTALLED) ## List the secrets of a stack and what encrypts them, without their values
	@$(PY) -m commands.stack_secrets $(STACK_OPTION)

secrets-provider: $(INSTALLED) ## Encrypt the secrets of a stack with PROVIDER (passphrase, awskms://…; PASSPHRASE_FILE=file with a new passphrase)
	@$(PY) -m commands.secrets_provider $(STACK_OPTION) $(call options,PROVIDER PASSPHRASE_FILE)

ca-certificate: $(INSTALLED) ## Print the certificate of a stack's own CA, which clients have to trust (OUT=file)
	@$(PY) -m commands.ca_certificate $(STACK_OPTION) $(call options,OUT)

env: $(INSTALLED) ## Print environment variables for pulumi, kubectl and buildx: eval "$(make -s env)"
	@$(PY) -m local env

##@ Observe a stack

logs: $(INSTALLED) ## Show log lines of a service (SERVICE, TRACK, LEVEL, TRACE, SINCE=15m, QUERY=LogQL, FOLLOW=1)
	@$(PY) -m commands logs $(STACK_OPTION) $(call options,SERVICE TRACK LEVEL TRACE SINCE QUERY FOLLOW)

metrics: $(INSTALLED) ## Show rate, errors and duration by track (SERVICE), or the result of QUERY=PromQL (RANGE=1h)
	@$(PY) -m commands metrics $(STACK_OPTION) $(call options,SERVICE QUERY RANGE)

alerts: $(INSTALLED) ## Show pending and firing alerts with their objects and runbooks (SERVICE)
	@$(PY) -m commands alerts $(STACK_OPTION) $(call options,SERVICE)

traces: $(INSTALLED) ## Show the newest traces of SERVICE, slowest first, or one as a tree (TRACE=id, SINCE=1h)
	@$(PY) -m commands traces $(STACK_OPTION) $(call options,SERVICE TRACE SINCE)

dashboards: $(INSTALLED) ## Forward a port to Grafana (SERVER=prometheus, PORT, SHOW_PASSWORD=1)
	@$(PY) -m commands dashboards $(STACK_OPTION) $(call options,SERVER PORT SHOW_PASSWORD)

report: $(INSTALLED) ## Write a report of a release to an HTML file (SERVICE, RELEASE=version or SINCE=1h, OUT=file)
	@$(PY) -m commands.report $(STACK_OPTION) $(call options,SERVICE RELEASE SINCE OUT)

##@ Review changes

diff: $(INSTALLED) ## Show the changes of a stack's objects since BASE (FORMAT=markdown, OUT=file)
	@$(PY) -m commands.diff $(STACK_OPTION) --base=$(call shell_quote,BASE) --format=$(call shell_quote,FORMAT) $(call options,OUT) $(ARGS)

new-env: $(INSTALLED) ## Write the stack file of a new environment: NAME=staging FROM=prod
	@$(PY) -m commands.new_env --name=$(call shell_quote,NAME) --source=$(call shell_quote,FROM)

new-service: $(INSTALLED) ## Add a service to a stack file: NAME=orders SOURCE=../orders (HOST, MAIN_PACKAGE=./cmd/orders)
	@$(PY) -m commands.new_service $(STACK_OPTION) $(call options,NAME SOURCE HOST MAIN_PACKAGE)

remove-service: $(INSTALLED) ## Remove a service from every stack file: NAME=orders (DELETE_SOURCE=1: and its source folder)
	@$(PY) -m commands.remove_service $(call options,NAME DELETE_SOURCE)

stacks: $(if $(value DELIVERY),$(INSTALLED)) ## Print the stacks as JSON (DELIVERY=gitops or pulumi, OUT=file: append it as an output of a workflow job)
	@$(if $(value DELIVERY),$(PY) -m commands.gitops.stacks $(call options,DELIVERY),printf 'names=[%s]\n' \
	  "$$(ls Pulumi.*.yaml | sed 's/Pulumi[.]\(.*\)[.]yaml/"\1"/' | paste -sd,)") \
	  $(if $(value OUT),>> $(call shell_quote,OUT))

policy: $(INSTALLED) $(POLICY_INSTALLED) ## Check the objects of STACK, or of every stack, with the policies in policy/
	@$(PY) -m commands.policy $(STACK_OPTION_IF_SET) $(ARGS)

policy-pack: $(POLICY_INSTALLED) ## Install the policy pack for `pulumi preview --policy-pack policy`

ci-preview: $(INSTALLED) $(POLICY_INSTALLED) ## Preview STACK with its policies (OUT=file: Markdown report, PLAN=file: plan for `make up`)
	@$(PY) -m commands.ci_report preview $(STACK_OPTION) $(call options,OUT PLAN)

ci-drift: $(INSTALLED) ## Find manual changes in the cluster (OUT=file: Markdown report)
	@$(PY) -m commands.ci_report drift $(STACK_OPTION) $(call options,OUT)

install: $(INSTALLED) ## Install the Python packages of the commands

notify: $(INSTALLED) ## Notify the receivers of STACK that TEXT has failed
	@$(PY) -m commands.notify $(STACK_OPTION) $(call options,TEXT)

##@ Supply chain

audit: $(INSTALLED) $(POLICY_INSTALLED) ## Verify Go modules; look up vulnerabilities of Python packages
	@$(PY) -m commands.supply_chain audit $(STACK_OPTION) $(call options,SERVICE)

bump: $(INSTALLED) ## Lock Python packages with hashes, and images in versions.yaml with digests
	@$(PY) -m commands.supply_chain bump

vulncheck: $(INSTALLED) ## Find calls of Go functions with known vulnerabilities (govulncheck)
	@$(PY) -m commands.supply_chain vulncheck $(STACK_OPTION) $(call options,SERVICE)

staticcheck: $(INSTALLED) ## Find bugs in the Go services (staticcheck)
	@$(PY) -m commands.supply_chain staticcheck $(STACK_OPTION) $(call options,SERVICE)

sbom: $(INSTALLED) ## Write an SBOM of each service, or of SERVICE, to the folder OUT (out/sbom, CycloneDX)
	@$(PY) -m commands.supply_chain sbom $(STACK_OPTION) $(call options,SERVICE OUT)

image: $(INSTALLED) ## Build the image of each service, or of SERVICE, with provenance to the folder OUT (out/images)
	@$(PY) -m commands.supply_chain image $(STACK_OPTION) $(call options,SERVICE OUT)

built-image: $(INSTALLED) ## Print the images that PLAN has built (OUT=file: append them as an output of a workflow job)
	@$(PY) -m commands.built_image $(STACK_OPTION) --plan=$(call shell_quote,PLAN) $(call options,SERVICE OUT)

deployed-commit: $(INSTALLED) ## Print the commit that STACK was deployed from (OUT=file: append it as an output of a workflow job)
	@$(PY) -m commands.deployed_commit $(STACK_OPTION) $(call options,OUT)

scan: $(INSTALLED) ## Scan the images in OUT (out/images), the manifests of STACK, Dockerfiles and sources with Trivy
	@$(PY) -m commands.supply_chain scan $(STACK_OPTION) $(call options,SERVICE OUT)

##@ Prerequisites on a bare machine

local-up: $(INSTALLED) ## Build and start the Pulumi CLI, BuildKit, a registry and a Kubernetes node
	@$(PY) -m local up

local-down: $(INSTALLED) ## Stop them; data stays
	@$(PY) -m local down

local-status: $(INSTALLED) ## Show their state
	@$(PY) -m local status

local-reset: $(INSTALLED) ## Stop them and delete the node with its volumes; built programs and published images stay
	@$(PY) -m local reset

##@ Develop

test: $(DEV_INSTALLED) ## Run every check and test: lint, Go service, unit, manifests, cluster
	@$(MAKE) --no-print-directory --jobs=2 lint test-app
	@$(PY) -m tests.prerequisites
	@$(PY) -m pytest $(ALL_TEST_PROCESSES) $(ARGS)

test-app: $(INSTALLED) ## Run the tests of the Go services, or of SERVICE, with the race detector
	@$(PY) -m commands.go_tasks test $(STACK_OPTION) $(call options,SERVICE)

test-unit: $(DEV_INSTALLED) ## Run the unit tests
	@$(PY) -m pytest tests/unit $(TEST_PROCESSES) $(ARGS)

test-manifests: $(DEV_INSTALLED) ## Check the rendered manifests with kubernetes-validate, promtool and others
	@$(PY) -m pytest tests/manifests $(TEST_PROCESSES) $(ARGS)

test-cluster: $(DEV_INSTALLED) ## Run the tests that need a Kubernetes node
	@$(PY) -m tests.prerequisites
	@$(PY) -m pytest tests/cluster $(TEST_PROCESSES) $(ARGS)

lint: $(DEV_INSTALLED) ## Check style, imports between folders, and types
	@$(VENV)/bin/ruff format --check --quiet . && $(VENV)/bin/ruff check --quiet . && $(VENV)/bin/lint-imports --no-logo --no-cache && $(VENV)/bin/pyright

format: $(DEV_INSTALLED) ## Format the code and fix lint errors
	@$(VENV)/bin/ruff format . && $(VENV)/bin/ruff check --fix .

config-doc: $(INSTALLED) ## Write docs/configuration.md from the settings
	@$(PY) -m commands.config_doc

architecture: $(INSTALLED) ## Draw the diagram in docs/architecture.md from the program
	@$(PY) -m commands.architecture

schema: $(INSTALLED) ## Write the JSON schema of the stack files from settings/
	@$(PY) -m settings

binaries: $(INSTALLED) ## Compile the Go services, or SERVICE, for Linux, macOS and Windows into out/bin
	@$(PY) -m commands.go_tasks binaries $(STACK_OPTION) $(call options,SERVICE)

bench: $(DEV_INSTALLED) ## Measure against Helm and kubectl; prints a table and writes bench.json
	@$(PY) -m tests.bench

$(INSTALLED):
	@echo "installing Python packages into $(VENV)" >&2
	@$(PY) -m pip --version > /dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt -r local/requirements.txt
	@rm -f $(VENV)/.installed-* && touch $@

$(POLICY_INSTALLED):
	@echo "installing Python packages into policy/.venv"
	@policy/.venv/bin/python -m pip --version > /dev/null 2>&1 || $(PYTHON) -m venv --clear policy/.venv
	@policy/.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r policy/requirements.txt
	@rm -f policy/.venv/.installed-* && touch $@

$(DEV_INSTALLED): $(INSTALLED)
	@echo "installing Python packages for tests into $(VENV)"
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@rm -f $(VENV)/.dev-installed-* && touch $@
