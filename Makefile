# The entry points. Everything here is short: what is longer is in scripts/ or in the program.

CARGO ?= cargo
NEXTEST := $(shell $(CARGO) nextest --version >/dev/null 2>&1 && echo yes)
DENY := $(shell $(CARGO) deny --version >/dev/null 2>&1 && echo yes)

.PHONY: help demo build setup test tests timescale doctests lint bench

help: ## says what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' Makefile

demo: setup ## builds and runs the whole thing on this machine; ARGS="--role risk" and so on
	@$(CARGO) build --locked --profile demo
	@target/demo/tmt demo $(ARGS)

build: ## builds the program for use: target/release/tmt
	$(CARGO) build --locked --release

setup: ## installs what this system lacks: PostgreSQL, Redis
	@scripts/setup

test: setup lint tests doctests ## everything that must pass; installs what is lacking

# A test that needs what not every machine has is ignored, and says so in the name of its module. It runs here
# where that is there; nextest lists the others as SKIP.
DATA := $(or $(TMT_DATA_DIR),../shared/data)
HERE := $(if $(filter 0,$(shell id -u)),root) $(if $(wildcard $(DATA)/EUR_USD-*),recordings)
MISSING := timescale $(filter-out $(HERE),root recordings)

tests:
ifeq ($(NEXTEST),yes)
	$(CARGO) nextest run --locked --run-ignored all --status-level skip \
		-E 'not (test(own_servers_until_killed)$(foreach it,$(MISSING), | test(needs_$(it))))'
else
	$(CARGO) test --locked --lib --bins --tests
	$(foreach it,$(HERE),$(CARGO) test --locked --test '*' -- --ignored needs_$(it) &&) true
endif
ifneq ($(TMT_TIMESCALE_URL),)
	$(MAKE) timescale
else
	@echo 'tests: skipped TimescaleDB, because TMT_TIMESCALE_URL names no server (scripts/timescale start)'
endif

timescale: ## the schema and the rulebook on the TimescaleDB that TMT_TIMESCALE_URL names, or that is installed
ifeq ($(NEXTEST),yes)
	$(CARGO) nextest run --locked --run-ignored only --test timescale
	TMT_TEST_SERVER=timescale $(CARGO) nextest run --locked --test rulebook --test vectors
else
	$(CARGO) test --locked --test timescale -- --ignored
	TMT_TEST_SERVER=timescale $(CARGO) test --locked --test rulebook --test vectors
endif

doctests:
	$(CARGO) test --locked --doc

lint: ## format, clippy, rustdoc, licences and duplicate packages
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --locked --no-deps --quiet
ifeq ($(DENY),yes)
	$(CARGO) deny --locked check bans licenses sources
else
	@echo 'lint: skipped cargo-deny, which is not installed (cargo install --locked cargo-deny)'
endif

bench: setup ## measures, one line of JSON per figure
	$(CARGO) bench --locked
