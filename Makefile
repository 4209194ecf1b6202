# The entry points, kept short: anything longer is in scripts/ or in the program.

CARGO ?= cargo
NEXTEST := $(shell $(CARGO) nextest --version >/dev/null 2>&1 && echo yes)
DENY := $(shell $(CARGO) deny --version >/dev/null 2>&1 && echo yes)

.PHONY: help demo build setup test tests timescale doctests lint bench

help: ## lists the entry points
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

demo: setup ## builds and runs a complete desk on this machine; options in ARGS="--role risk"
	@$(CARGO) build --locked --profile demo
	@target/demo/tmt demo $(ARGS)

build: ## builds target/release/tmt
	$(CARGO) build --locked --release

setup: ## installs PostgreSQL and Redis if they are missing
	@scripts/setup

test: setup lint tests doctests ## runs lint and every test; installs what is missing first

# A test that needs what not every machine has is ignored, and says so in the name of its module. It runs here
# where that is there; nextest lists the others as SKIP.
DATA := $(or $(TMT_DATA_DIR),../shared/data)
PLPGSQL_CHECK := $(wildcard /usr/share/postgresql/*/extension/plpgsql_check.control)
HERE := $(if $(filter 0,$(shell id -u)),root) $(if $(wildcard $(DATA)/EUR_USD-*),recordings) $(if $(PLPGSQL_CHECK),plpgsql_check)
MISSING := timescale $(filter-out $(HERE),root recordings plpgsql_check)

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

timescale: ## runs the TimescaleDB tests on the server in TMT_TIMESCALE_URL, or on an installed one
ifeq ($(NEXTEST),yes)
	$(CARGO) nextest run --locked --run-ignored only --test timescale
	TMT_TEST_SERVER=timescale $(CARGO) nextest run --locked --test rulebook --test vectors
else
	$(CARGO) test --locked --test timescale -- --ignored
	TMT_TEST_SERVER=timescale $(CARGO) test --locked --test rulebook --test vectors
endif

doctests:
	$(CARGO) test --locked --doc

lint: ## checks format, clippy, rustdoc, licences and duplicate packages
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --locked --no-deps --quiet
ifeq ($(DENY),yes)
	$(CARGO) deny --locked check bans licenses sources
else
	@echo 'lint: skipped cargo-deny, which is not installed (cargo install --locked cargo-deny)'
endif

bench: setup ## prints measurements, one line of JSON each
	$(CARGO) bench --locked
