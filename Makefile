# Postern: build, test, check. `make help` lists the targets.
CC ?= cc
B ?= build
VERSION := $(shell cat VERSION)
PKGS := libcurl libmicrohttpd gnutls jansson openssl hiredis libevent libevent_openssl libevent_extra libunbound libzstd libidn2 libcyaml yaml-0.1
LIBPKGS := libcurl libmicrohttpd gnutls jansson libssl libcrypto hiredis libevent libevent_extra libunbound libzstd libidn2 libcyaml yaml-0.1
WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wundef \
	-Wformat=2 -Wno-format-truncation -Wvla -Wwrite-strings -Wswitch-enum -Wimplicit-fallthrough -Wcast-qual -Wno-overlength-strings
# In front: CPPFLAGS of the environment may have the headers of another build.
CPPFLAGS := -I. -I$(B)/gen -D_POSIX_C_SOURCE=200809L -D_DEFAULT_SOURCE -DPOSTERN_VERSION='"$(VERSION)"' $(CPPFLAGS)
MODE := -O2 -D_FORTIFY_SOURCE=2 -fstack-protector-strong
SAN := -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
export CPPFLAGS
CFLAGS += -std=c17 -g -fPIE $(WARN) $(WERROR) $(MODE)
LDFLAGS += -pie -Wl,-z,relro,-z,now $(filter -fsanitize%,$(MODE))
LDLIBS = $(shell pkg-config --libs $(LIBPKGS)) -pthread

# One archive for each folder, server/base last, so that no folder links against one above it.
DIRS := server/cli server/supervisor api api/messages api/send api/http api/wire api/json smtp/relay smtp/journal smtp/limits smtp smtp/client server/hooks server/keeper \
	server/events server/fetch server/role server/route server/store/queue server/store/projects server/store/messages server/redis server/redis/link server/stream server/mail \
	server/config server/base
dirs := $(foreach d,$(DIRS),$(if $(wildcard $(d)/*.c),$(d)))
archive = $(B)/$(subst /,_,$(1)).a
objects = $(patsubst %.c,$(B)/%.o,$(wildcard $(1)/*.c))
ARCHIVES := $(foreach d,$(dirs),$(call archive,$(d)))
FRONT := $(B)/server/main.o
UNITS := $(patsubst tests/unit/%.c,$(B)/unit/%,$(shell find tests/unit -name 'test_*.c' 2>/dev/null))
comma := ,
SOURCES := $(shell find server smtp api tests -name '*.[ch]')

all: $(B)/postern ## build build/postern

$(B)/postern: $(FRONT) $(ARCHIVES)
	$(CC) $(LDFLAGS) -o $@ $(FRONT) $(ARCHIVES) $(LDLIBS)

define folder
$(call archive,$(1)): $(call objects,$(1))
	@rm -f $$@
	$(AR) rcs $$@ $$^
endef
$(foreach d,$(dirs),$(eval $(call folder,$(d))))

LUA := server/store/lua/generate.py $(wildcard server/store/lua/*.lua server/store/lua/*/*)
LUA_HEADERS := $(patsubst %,$(B)/gen/lua_%.h,names library calls keys)
$(B)/%.o: %.c | $(LUA_HEADERS)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# Generated from the Lua transitions: their list, their texts, the C structs of their arguments, the names of keys.
$(LUA_HEADERS): $(B)/gen/lua_%.h: $(LUA)
	@mkdir -p $(@D)
	/usr/bin/python3 server/store/lua/generate.py $* >$@
OPENAPI := openapi/openapi.yaml
$(B)/gen/openapi_text.h: $(OPENAPI) openapi/embed.py
	@mkdir -p $(@D)
	/usr/bin/python3 openapi/embed.py $(OPENAPI) >$@
$(B)/api/meta.o: $(B)/gen/openapi_text.h

$(B)/unit/api/test_meta: LDFLAGS += -Wl,--wrap=keys_find,--wrap=redis_is_ready,--wrap=redis_write_refusing,--wrap=redis_write_metrics,--wrap=relay_watch_holds,--wrap=canary_holds
$(B)/unit/api/http/test_auth $(B)/unit/store/projects/test_keys: LDFLAGS += -Wl,--wrap=CRYPTO_memcmp,--wrap=sha256
$(B)/unit/config/test_data_file: LDFLAGS += -Wl,--wrap=fsync,--wrap=rename
$(B)/unit/%: tests/unit/%.c $(ARCHIVES)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP $(LDFLAGS) -o $@ $< $(ARCHIVES) $(LDLIBS) -lcmocka
$(B)/fuzz/fuzz_store_reads: LDFLAGS += $(patsubst %,-Wl$(comma)--wrap=redis_%,call call_bulk partitions spread part config clock_offset_ms saw_time partition_is_connected partition_is_first)
$(B)/fuzz/%: tests/fuzz/%.c $(ARCHIVES)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP $(LDFLAGS) -o $@ $< $(ARCHIVES) $(LDLIBS)
archives: $(ARCHIVES)
-include $(shell find $(B) -name '*.d' 2>/dev/null)

deps: ## install what is needed to build and run (as root, Debian 12)
	sh tests/support/install.sh run
deps-test: deps ## also install what the tests and checks need
	sh tests/support/install.sh test
ready = command -v pkg-config redis-server >/dev/null && pkg-config --exists $(PKGS)
run: ## install what is missing, build, start `postern dev`
	@$(ready) || $(MAKE) deps
	@$(MAKE) -s all && exec $(B)/postern dev

asan: ## build/asan/postern, with ASan and UBSan
	@$(MAKE) B=build/asan MODE="$(SAN)" all
test: deps-test ## install what is missing, then all unit, property and integration tests
	@$(MAKE) -s test-unit test-property test-integration
	@$(MAKE) -s test-hostile HOSTILE_S=3
test-unit: ## cmocka tests under ASan and UBSan
	@$(MAKE) B=build/asan MODE="$(SAN)" units
	sh tests/support/run-units.sh build/asan/unit
units: $(UNITS)
test-property: ## random sequences of the transitions on a real Redis
	sh tests/store/run.sh
test-integration: all asan ## the real binary, redis-server and real SMTP servers
	/usr/bin/python3 -m pytest -q -W error::pytest.PytestUnhandledThreadExceptionWarning -n 3 --dist loadfile tests/integration
test-hostile: all asan ## attacks beside a victim, HOSTILE_S seconds a phase (default 20); nothing else should run on the machine
	HOSTILE_S=$(or $(HOSTILE_S),20) /usr/bin/python3 -m pytest -q -W error::pytest.PytestUnhandledThreadExceptionWarning tests/hostile
flood: asan ## FLOOD_N (10,000,000) hostile requests, connections and SMTP replies against the ASan build
	/usr/bin/python3 tests/hostile/flood.py --items $(or $(FLOOD_N),10000000)
test-clients: all ## clients and webhook libraries of other languages (needs the npm registry, PyPI, the Go module proxy, Maven Central)
	/usr/bin/python3 -m pytest -q tests/clients
test-contract: all ## the server against openapi.yaml, by schemathesis (needs PyPI)
	/usr/bin/python3 -m pytest -q tests/contract
kill-test: all ## 60 s of load and kill -9 (part of test-integration); KILL_S=600 for longer
	/usr/bin/python3 tests/support/killtest.py --seconds $(or $(KILL_S),60)
test-cluster: all ## 10 min of load with a failover of a Redis Cluster each 30 s, and up to 12 min of waiting for leases; CLUSTER_S=60 for less
	/usr/bin/python3 tests/support/killtest.py --redis cluster --durability replicated --targets redis --every 30 --rate 60 \
		--seconds $(or $(CLUSTER_S),600) --drain 720
bench: all ## measure accept, delivery, latency, memory, bytes in Redis
	sh tests/support/install.sh bench
	/usr/bin/python3 tests/bench/bench.py
fuzz: ## fuzz each parser for FUZZ_S seconds (default 30)
	sh tests/fuzz/run.sh $(or $(FUZZ_S),30)

# The container image. IMAGE_FLAGS: options for `podman build` or `docker build`, such as --network host or --build-arg http_proxy=...
CONTAINER ?= $(shell command -v podman || command -v docker)
IMAGE ?= postern
build_image = $(CONTAINER) build $(if $(findstring podman,$(CONTAINER)),--format docker) $(IMAGE_FLAGS) \
	--build-arg VERSION=$(VERSION) --build-arg REVISION=$(shell git rev-parse --short HEAD) -f docker/Dockerfile
image: ## build the container image, with podman or docker (CONTAINER=)
	$(build_image) -t $(IMAGE) .
image-test: image ## test the image, alone and with the compose files of docker/: mail, crashes, stop
	$(build_image) -t $(IMAGE)-build --target build .
	CONTAINER=$(CONTAINER) IMAGE=$(IMAGE) SINK_IMAGE=$(IMAGE)-build /usr/bin/python3 -m pytest -q tests/image

fmt: ## format all C
	clang-format -i $(SOURCES)
fmt-check:
	clang-format --dry-run -Werror $(SOURCES)
lint: $(LUA_HEADERS) $(B)/gen/openapi_text.h ## clang-tidy, cppcheck and luacheck
	FLAGS="$$CPPFLAGS" sh tests/support/lint.sh
lint-openapi: ## check openapi.yaml with Redocly and Spectral (needs the npm registry)
	sh tests/support/lint-openapi.sh
layers: ## check that each folder includes only what it may
	sh tests/support/layers.sh
install: all ## install to $(DESTDIR)/usr/local/bin
	install -D -m 755 $(B)/postern $(DESTDIR)/usr/local/bin/postern
clean: ## remove build/
	rm -rf build
help: ## print this list
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 18
.PHONY: all archives deps deps-test run asan test test-unit units test-property test-integration test-hostile flood test-clients test-contract kill-test test-cluster bench fuzz fmt image image-test \
	fmt-check lint lint-openapi layers install clean help
.DELETE_ON_ERROR:
