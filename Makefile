# Makefile - the face of the project; every rule is a step that a person could type.
# The build itself is CMakeLists.txt, with one folder per kind of build:
# build/ to use, build-test/ with sanitizers, assertions and the unit tests.

PREFIX ?= /usr/local

.PHONY: all demo test soak lint bench dev fuzz asan clean install help build build-test build-fuzz
.DEFAULT_GOAL := all

# $(call cmake,FOLDER,OPTIONS,TARGETS): configures once, then builds (all where no target
# is named); on a terminal ninja shows one line, elsewhere only what goes wrong.
define cmake
@[ -f $(1)/build.ninja ] || cmake -B $(1) -G Ninja --log-level=WARNING $(2) >/dev/null
@cd $(1) && ninja $$([ -t 1 ] || echo --quiet) $(3)
endef

# $(call npm,FOLDER): what package-lock.json pins, unless it is there already.
define npm
@cd $(1) && { [ node_modules/.package-lock.json -nt package-lock.json ] || \
  { npm ci --silent --no-audit --no-fund && touch node_modules/.package-lock.json; }; }
endef

all: build

build:
	@.ci/install-packages build
	$(call cmake,build)

build-test:
	@.ci/install-packages test
	$(call cmake,build-test,-DMH_SANITIZE=ON -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS_DEBUG="-O1 -g")

demo: build                     ## two alerts through a plugin and a webhook, shown
	@tests/e2e/demo build

build-fuzz:
	@.ci/install-packages test
	$(call cmake,build-fuzz,-DMH_FUZZ=ON -DCMAKE_C_COMPILER=clang -DCMAKE_BUILD_TYPE=Debug \
	  -DCMAKE_C_FLAGS_DEBUG="-O1 -g",fuzzers)

test: build-test build-fuzz     ## all tests, under sanitizers, and a short run of each fuzzer
	$(call npm,tests)
	@tests/run build-test build-fuzz

soak: build                     ## kill the engine 20 times in 100,000 deliveries; MH_DELIVERIES, MH_KILLS
	@.ci/install-packages test
	$(call npm,tests)
	@MH_BUILD=$(CURDIR)/build MH_FILE_LIMIT_MS=3600000 MH_DELIVERIES=$${MH_DELIVERIES:-100000} \
	  MH_KILLS=$${MH_KILLS:-20} node --test --test-reporter=spec tests/integration/kills.test.mjs

lint:                           ## the rules that a script can check
	@tests/lint/check

bench: build                    ## measure; benchmarks/run.mjs says what
	@.ci/install-packages bench
	@node benchmarks/run.mjs

dev: build-test                 ## serve with sanitizers; start again when a source changes
	@tests/dev

fuzz: build-fuzz                ## fuzz every parser of foreign bytes, a minute each (SECONDS_EACH)
	@tests/fuzz/run build-fuzz -max_total_time=$${SECONDS_EACH:-60}

asan: build-test                ## the demo on the sanitized build
	@tests/e2e/demo build-test

install: build                  ## into PREFIX (/usr/local) below DESTDIR
	@cmake --install build --prefix $(PREFIX)

clean:                          ## remove what was built
	rm -rf build build-test build-fuzz

help:                           ## this list
	@echo "make            build moonhook and moonhook-sandbox in build/"
	@sed -n 's/^\([a-z]*\):[^#]*## /\1	/p' Makefile | awk -F'\t' '{ printf "make %-10s %s\n", $$1, $$2 }'
