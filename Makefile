# Millrace. `make run` starts it, `make test` tests it; both first install what is missing.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
.PHONY: help run build test lint format bench test-faults test-asan test-tsan fuzz docker deps \
	deps-test deps-bench clean swift

# g++ brings libstdc++ and libgcc, which Swift's clang takes from the system; git and pkg-config
# are what the package manager calls.
BUILD_PACKAGES := ca-certificates g++ git libcurl4-openssl-dev libhiredis-dev libmicrohttpd-dev \
	libre2-dev libsimdjson-dev libsqlite3-dev libssl-dev pkg-config tzdata zlib1g-dev
TEST_PACKAGES := curl procps python3 python3-venv redis-server redis-tools sqlite3 strace
BENCH_PACKAGES := redis-server wrk

# A wrong import between rooms would go unseen until a clean build, so it is an error at once.
SWIFT_FLAGS := --explicit-target-dependency-import-check error
# .ci/run builds the tests from nothing (BUILD_FROM_NOTHING=yes). Then whole modules take a sixth less
# time; after a change of one file they take more.
TEST_FLAGS := $(if $(BUILD_FROM_NOTHING),-Xswiftc -wmo -Xswiftc -num-threads -Xswiftc 2)
# The release binary carries Swift's runtime, so it runs where no Swift is installed.
RELEASE_FLAGS := $(SWIFT_FLAGS) -c release --static-swift-stdlib
# Where the release build goes. SwiftPM locks a folder, so two builds side by side need two.
RELEASE_SCRATCH := .build
VENV := .build/venv
# What the tests' Python programs were installed from; a changed list is installed anew.
VENV_STAMP := $(VENV)/requirements.txt
FORMATTED := Package.swift Sources Tests
MOST_FILES := ulimit -n "$$(ulimit -Hn)"

help: ## say what there is
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 16
	@echo
	@echo 'make run ARGS="--port 9000 --data-dir /var/lib/millrace" passes options on.'
	@echo 'DEPS=skip installs no system packages: for what is not Debian or Ubuntu.'

run: build ## build and start Millrace on http://127.0.0.1:8080
	@exec .build/release/millrace serve $(ARGS)

build: deps ## build the release binary, .build/release/millrace
	swift build $(RELEASE_FLAGS) --scratch-path $(RELEASE_SCRATCH) --product millrace

.PHONY: build-tests
build-tests: deps-test
	swift build $(SWIFT_FLAGS) $(TEST_FLAGS) --build-tests

# The process tests run the debug binary that this builds beside them (MILLRACE_BINARY names
# another). The slowest twenty tests are listed at the end. No command follows, so that the last line
# is swift test's own. One test has 2,000 clients and their server in it, hence the limit.
test: deps-test ## run every test, and list the slowest
	@$(MOST_FILES); swift test $(SWIFT_FLAGS) $(TEST_FLAGS)

test-faults: deps-test build ## run the fault tests in their long forms, on the release binary
	$(MOST_FILES); MILLRACE_FAULTS=long MILLRACE_BINARY=.build/release/millrace \
	swift test $(SWIFT_FLAGS) --filter ProcessTests

# Sanitized programs are several times slower, so tests wait for them longer (MILLRACE_SLOWNESS).
# What lives as long as the process is not taken apart at its end, which is no leak; what grows is
# found by the process tests, which watch memory and descriptors.
test-asan: deps-test ## run every test under AddressSanitizer
	$(MOST_FILES); ASAN_OPTIONS=detect_leaks=0 MILLRACE_SLOWNESS=4 \
	swift test $(SWIFT_FLAGS) --scratch-path .build-asan --sanitize=address

test-tsan: deps-test ## run every test under ThreadSanitizer
	$(MOST_FILES); MILLRACE_SLOWNESS=4 \
	swift test $(SWIFT_FLAGS) --scratch-path .build-tsan --sanitize=thread

# The texts that reached something new stay in FUZZ_CORPUS, from where the next run goes on. Each text
# that breaks a promise is written beside it as crash-…: it belongs in Tests/Fuzz/Corpus, with its cure.
FUZZ_CORPUS := .build-fuzz/corpus
fuzz: deps ## search for texts that masking fails on; ARGS="-max_total_time=60" are libFuzzer's
	MILLRACE_FUZZ=1 swift build $(SWIFT_FLAGS) -c release --scratch-path .build-fuzz \
	    --sanitize fuzzer --sanitize address --product mask-fuzz
	@mkdir -p $(FUZZ_CORPUS)
	.build-fuzz/release/mask-fuzz -max_total_time=600 -max_len=400 -timeout=10 \
	    -dict=Tests/Fuzz/Program/words.dict -artifact_prefix=.build-fuzz/ $(ARGS) \
	    $(FUZZ_CORPUS) Tests/Fuzz/Corpus

lint: swift ## check the format of every Swift file
	swift format lint -s -r -p $(FORMATTED)

format: swift ## format every Swift file
	swift format format -i -r -p $(FORMATTED)

bench: deps-bench build ## measure; ARGS="NAME --json FILE" measures one, ARGS=--list names all
	swift build $(RELEASE_FLAGS) --product millrace-bench
	.build/release/millrace-bench $(ARGS)

# Only the docker format has health checks, and Debian's podman and buildah know no short names.
docker: ## build the container image millrace:latest
	@for engine in docker podman buildah; do \
	    if $$engine info > /dev/null 2>&1; then \
	        format=''; [ $$engine = docker ] || format='--format docker'; \
	        $$engine build $$format -f docker/Dockerfile -t millrace:latest . && exit 0; \
	        [ $$engine = docker ] || echo 'Where a short name does not resolve, set' \
	            'unqualified-search-registries in /etc/containers/registries.conf.' >&2; \
	        exit 1; fi; done; \
	echo 'make docker needs a working docker, podman or buildah. docker/check builds the' >&2; \
	echo 'same Dockerfile with buildah where no container engine can run.' >&2; exit 1

deps: swift ## install the Debian packages that building needs
	@$(call install,$(BUILD_PACKAGES))

deps-bench: swift ## install what measuring needs as well
	@$(call install,$(BUILD_PACKAGES) $(BENCH_PACKAGES))

deps-test: swift $(VENV_STAMP) ## install what testing needs as well

$(VENV_STAMP): Tests/Contract/requirements.txt | test-packages
	@rm -rf $(VENV) && mkdir -p .build
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r $<
	@cp $< $@

.PHONY: test-packages
test-packages: swift
	@$(call install,$(BUILD_PACKAGES) $(TEST_PACKAGES))

clean: ## remove everything that was built
	rm -rf .build .build-asan .build-tsan .build-fuzz

swift:
	@command -v swift > /dev/null || { \
	    echo 'Swift 6.2 or newer is not on PATH. Install it with swiftly:' >&2; \
	    echo '  https://www.swift.org/install/linux/' >&2; \
	    echo 'open a new shell, and run make again.' >&2; exit 1; }

# Installs those of the packages in $(1) that are missing, and touches nothing when none is. apt's
# own words are shown only when it fails; that it cannot refresh one list is no failure yet.
# policy-rc.d keeps Debian from starting a Redis of its own: tests start theirs.
define install
if [ '$(DEPS)' = skip ]; then exit 0; fi; \
explain() { echo "$$1 As root, on Debian or Ubuntu:" >&2; \
    echo "  apt-get install --no-install-recommends$$missing" >&2; \
    echo 'Elsewhere, install what your system calls them. Then: make DEPS=skip ...' >&2; exit 1; }; \
missing=''; \
for package in $(1); do \
    dpkg-query -W -f='$${Status}' $$package 2> /dev/null | grep -q 'ok installed' \
        || missing="$$missing $$package"; \
done; \
if [ -z "$$missing" ]; then exit 0; fi; \
command -v apt-get > /dev/null || explain 'Packages are missing, and there is no apt-get.'; \
as_root=''; \
if [ "$$(id -u)" != 0 ]; then \
    command -v sudo > /dev/null || \
        explain 'Packages are missing, you are not root, and there is no sudo.'; \
    as_root=sudo; fi; \
echo "installing Debian packages:$$missing"; \
said=$$(mktemp); \
trap 'rm -f "$$said"' EXIT; \
policy=/usr/sbin/policy-rc.d; \
if [ ! -e $$policy ]; then \
    printf '#!/bin/sh\nexit 101\n' | $$as_root tee $$policy > /dev/null; \
    $$as_root chmod +x $$policy; \
    trap 'rm -f "$$said"; '"$$as_root rm -f $$policy" EXIT; fi; \
$$as_root apt-get update -qq < /dev/null > "$$said" 2>&1 || true; \
$$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    -o DPkg::Lock::Timeout=120 $$missing < /dev/null >> "$$said" 2>&1 || { \
    tail -n 6 "$$said" >&2; explain 'apt-get failed.'; }
endef
