# The entry points. Everything here is short: what is longer is in scripts/ or in the program.

CARGO ?= cargo
NEXTEST := $(shell $(CARGO) nextest --version >/dev/null 2>&1 && echo yes)
DENY := $(shell $(CARGO) deny --version >/dev/null 2>&1 && echo yes)

.PHONY: help demo build setup test tests doctests lint bench

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

tests:
ifeq ($(NEXTEST),yes)
	$(CARGO) nextest run --locked
else
	$(CARGO) test --locked --lib --bins --tests
endif
# The rulebook once more, where TimescaleDB is at hand.
ifneq ($(TMT_TIMESCALE_URL),)
ifeq ($(NEXTEST),yes)
	TMT_TEST_SERVER=timescale $(CARGO) nextest run --locked --test rulebook --test vectors
else
	TMT_TEST_SERVER=timescale $(CARGO) test --locked --test rulebook --test vectors
endif
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
