# Slipway: every target does its own set-up. `make` alone lists them.
STACK  ?= dev
PYTHON ?= python3
ARGS   ?=
# Most tests wait more than they work: so many run beside each other, of `make test` four on the
# node (tests/conftest.py).
BESIDE ?= --numprocesses=4
WORKERS ?= --numprocesses=6
BASE   ?= HEAD
FORMAT ?= terminal

VENV   := .venv
PY     := $(VENV)/bin/python
RUN    := $(VENV)/.run-$(shell cat requirements.txt local/requirements.txt plugins/requirements.txt | cksum | cut -d' ' -f1)
PACK   := policy/.venv/.made-$(shell cksum < policy/requirements.txt | cut -d' ' -f1)
DEV    := $(VENV)/.dev-$(shell cat requirements*.txt local/requirements.txt plugins/requirements.txt | cksum | cut -d' ' -f1)

# What a target was told is not for a target that a test runs in turn. Exported, it would also be
# expanded: a value of `$(shell …)` would run.
MAKEOVERRIDES :=
unexport ARGS BASE FILE FOLLOW FORCE FORMAT FROM LEVEL NAME OUT PLAN PORT PR QUERY RANGE RESOLVED SERVER \
         SHOW_PASSWORD SINCE STACK TEXT TRACE TRACK VERSION WEIGHT

define newline


endef
# A variable as it was typed, one word of the shell: neither make nor the shell reads it.
quoted = '$(subst ','\'',$(subst $(newline), ,$(value $(1))))'
# Options for the variables that are set.
given = $(foreach name,$(1),$(if $(value $(name)),--$(subst _,-,$(shell echo $(name) | tr A-Z a-z))=$(call quoted,$(name))))

.DEFAULT_GOAL := help
.SUFFIXES:
ON_STACK = --stack=$(call quoted,STACK)
# Where somebody has set it: its default is another target's.
set_by_hand = $(if $(filter-out file,$(origin $(1))),$(call given,$(1)))

.PHONY: help up preview render status stacks canary promote rollback down env test test-app test-unit test-manifests \
        policy policy-pack ci-preview ci-drift comment drift-issue propose-rollback notify audit vulncheck staticcheck sbom image built-image scan \
        diff new-env config-doc architecture test-cluster lint format schema binaries bench local-up local-down local-status local-reset \
        logs metrics alerts traces dashboards

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ A stack (STACK=dev)

up: $(RUN) ## Deploy a stack: everything that is missing is built or started first (PLAN=file: no more than it)
	@$(PY) -m commands up $(ON_STACK) $(call given,PLAN) $(ARGS)

preview: $(RUN) ## Show what `make up` would change
	@$(PY) -m commands preview $(ON_STACK) $(ARGS)

render: $(RUN) ## Write a stack's manifests to OUT, one file per object; needs no cluster
	@$(PY) render.py $(ON_STACK) --out=$(if $(value OUT),$(call quoted,OUT),out/$(call quoted,STACK))

status: $(RUN) ## Show what runs: tracks, versions, traffic, pods, URL
	@$(PY) -m commands status $(ON_STACK)

canary: $(RUN) ## Send WEIGHT percent of the requests to VERSION
	@$(PY) -m commands canary $(ON_STACK) $(call given,VERSION WEIGHT)

promote: $(RUN) ## Send every request to the canary's version, if it keeps the objective (or FORCE=1)
	@$(PY) -m commands promote $(ON_STACK) $(call given,FORCE)

rollback: $(RUN) ## End the canary; without one, go back to the stable version before (or VERSION)
	@$(PY) -m commands rollback $(ON_STACK) $(call given,VERSION)

down: $(RUN) ## Delete everything a stack deployed
	@$(PY) -m commands down $(ON_STACK) $(ARGS)

env: $(RUN) ## Print the variables of a shell for plain pulumi, kubectl, buildx: eval "$$(make -s env)"
	@$(PY) -m local env

##@ Look at it

logs: $(RUN) ## Show the service's last lines (TRACK, LEVEL, TRACE, SINCE=15m, QUERY=LogQL, FOLLOW=1)
	@$(PY) -m commands logs $(ON_STACK) $(call given,TRACK LEVEL TRACE SINCE QUERY FOLLOW)

metrics: $(RUN) ## Show rate, errors, duration by track, or the answer to QUERY=PromQL (RANGE=1h)
	@$(PY) -m commands metrics $(ON_STACK) $(call given,QUERY RANGE)

alerts: $(RUN) ## Show what fires, since when, and what to do
	@$(PY) -m commands alerts $(ON_STACK)

traces: $(RUN) ## Show the last traces, slowest first, or one as a tree (TRACE=id, SINCE=1h)
	@$(PY) -m commands traces $(ON_STACK) $(call given,TRACE SINCE)

dashboards: $(RUN) ## Forward a port to Grafana (SERVER=prometheus, PORT, SHOW_PASSWORD=1)
	@$(PY) -m commands dashboards $(ON_STACK) $(call given,SERVER PORT SHOW_PASSWORD)

##@ Review

diff: $(RUN) ## Show what the working tree changes in a stack's objects since BASE (FORMAT=markdown, OUT=file)
	@$(PY) -m commands.diff $(ON_STACK) --base=$(call quoted,BASE) --format=$(call quoted,FORMAT) $(call given,OUT) $(ARGS)

new-env: $(RUN) ## Write the file of a new stack: NAME=staging FROM=prod
	@$(PY) -m commands.new_env --name=$(call quoted,NAME) --source=$(call quoted,FROM)

stacks: ## Print the stacks' names as JSON; OUT=file gets it as a job's output
	@printf 'names=[%s]\n' "$$(ls Pulumi.*.yaml | sed 's/Pulumi[.]\(.*\)[.]yaml/"\1"/' | paste -sd,)" \
	  $(if $(value OUT),>> $(call quoted,OUT))

policy: $(RUN) $(PACK) ## Judge the objects of STACK by the rules of policy/; without STACK, of every stack
	@$(PY) -m commands.policy $(call set_by_hand,STACK) $(ARGS)

policy-pack: $(PACK) ## Make the pack ready for `pulumi preview --policy-pack policy`

ci-preview: $(RUN) $(PACK) ## Preview STACK under its policies; OUT=file gets a comment, PLAN=file what `make up` may do
	@$(PY) -m commands.review preview $(ON_STACK) $(call given,OUT PLAN)

ci-drift: $(RUN) ## Find what was changed in the cluster by hand; OUT=file gets an issue's text
	@$(PY) -m commands.review drift $(ON_STACK) $(call given,OUT)

comment: $(RUN) ## Post FILE on the pull request PR, or update it there
	@$(PY) -m commands.github comment --file=$(call quoted,FILE) --pull-request=$(call quoted,PR)

drift-issue: $(RUN) ## Open, update or (RESOLVED=1) close the issue that FILE is the text of
	@$(PY) -m commands.github issue --file=$(call quoted,FILE) $(call given,RESOLVED)

notify: $(RUN) ## Tell Slack TEXT, where SLACK_WEBHOOK_URL is set
	@$(PY) -m commands.notify --text=$(call quoted,TEXT)

propose-rollback: $(RUN) ## Open a pull request with the stack file that a rollback has written
	@$(PY) -m commands.github propose $(ON_STACK)

##@ What it is made of

audit: $(RUN) $(PACK) ## Verify Go modules; look up known flaws of Python packages
	@$(PY) -m commands.supply_chain audit

vulncheck: $(RUN) ## Look for calls of Go functions with a known flaw
	@$(PY) -m commands.supply_chain vulncheck

staticcheck: $(RUN) ## Look for bugs in the Go service's source
	@$(PY) -m commands.supply_chain staticcheck

sbom: $(RUN) ## Write the service's modules as CycloneDX to OUT (out/sbom.json)
	@$(PY) -m commands.supply_chain sbom $(call given,OUT)

image: $(RUN) ## Build the image with provenance into OUT (out/image.tar); nothing is pushed
	@$(PY) -m commands.supply_chain image $(call given,OUT)

built-image: $(RUN) ## Print name and digest of the image that PLAN had built; OUT=file gets them as a job's outputs
	@$(PY) -m commands.built_image $(ON_STACK) --plan=$(call quoted,PLAN) $(call given,OUT)

scan: $(RUN) ## Let Trivy scan out/image.tar
	@$(PY) -m commands.supply_chain scan

##@ The ground under it, on a machine that lacks it

local-up: $(RUN) ## Build and start what `pulumi up` needs: CLI, builder, registry, Kubernetes node
	@$(PY) -m local up

local-down: $(RUN) ## Stop it; nothing is lost
	@$(PY) -m local down

local-status: $(RUN) ## Show its parts
	@$(PY) -m local status

local-reset: $(RUN) ## Stop it and forget what ran on it, volumes too; what was built or published stays
	@$(PY) -m local reset

##@ The code

test: lint test-app ## Run every test: style, types, the Go service, unit, manifests, cluster
	@$(PY) -m tests.ground
	@$(PY) -m pytest $(WORKERS) $(ARGS)

test-app: $(RUN) ## Run the Go service's tests, race detector on
	@$(PY) -m commands.app test

test-unit: $(DEV) ## Run the tests that need nothing but Python
	@$(PY) -m pytest tests/unit $(BESIDE) $(ARGS)

test-manifests: $(DEV) ## Render the stacks and let outside checkers read them
	@$(PY) -m pytest tests/manifests $(BESIDE) $(ARGS)

test-cluster: $(DEV) ## Run the tests on a running node
	@$(PY) -m tests.ground
	@$(PY) -m pytest tests/cluster $(BESIDE) $(ARGS)

lint: $(DEV) ## Check style, imports between folders, and types
	@$(VENV)/bin/ruff format --check --quiet . && $(VENV)/bin/ruff check --quiet . && $(VENV)/bin/lint-imports --no-logo --no-cache && $(VENV)/bin/pyright

format: $(DEV) ## Put the code in the project's style
	@$(VENV)/bin/ruff format . && $(VENV)/bin/ruff check --fix .

config-doc: $(RUN) ## Write the table of every key to docs/configuration.md
	@$(PY) -m commands.config_doc

architecture: $(RUN) ## Redraw the picture in docs/architecture.md from the program
	@$(PY) -m commands.architecture

schema: $(RUN) ## Write the JSON schema of the stack files from settings/
	@$(PY) -m settings

binaries: $(RUN) ## Compile the Go service for Linux, macOS and Windows into out/bin
	@$(PY) -m commands.app binaries

bench: $(DEV) ## Measure, beside peers where there are any; prints a table and writes bench.json
	@$(PY) -m tests.bench

$(RUN):
	@echo "installing what the program needs into $(VENV)" >&2
	@$(PY) -m pip --version > /dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@$(PY) -m pip install --quiet --disable-pip-version-check -r requirements.txt -r local/requirements.txt -r plugins/requirements.txt
	@rm -f $(VENV)/.run-* && touch $@

$(PACK):
	@echo "installing what the policy pack needs into policy/.venv"
	@policy/.venv/bin/python -m pip --version > /dev/null 2>&1 || $(PYTHON) -m venv --clear policy/.venv
	@policy/.venv/bin/python -m pip install --quiet --disable-pip-version-check -r policy/requirements.txt
	@rm -f policy/.venv/.made-* && touch $@

$(DEV): $(RUN)
	@echo "installing what the tests need into $(VENV)"
	@$(PY) -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@rm -f $(VENV)/.dev-* && touch $@
