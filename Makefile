# make help lists the targets. make test needs Go alone; make check is everything that has to pass.

SHELL := /bin/bash
.DEFAULT_GOAL := help
BINARY := bin/tidemark
LINT := go tool -modfile=tools/go.mod golangci-lint
FUZZTIME ?= 45

.PHONY: help build demo test check deps format vet tidy notices lint race full truth crashes hostile fuzz bench gate crash-drill soak browser screenshots packaging release clean

.NOTPARALLEL: # what is missing is named and installed first

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build bin/tidemark
	CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o $(BINARY) .

demo: ## run everything in one process
	go run . demo

test: ## run the tests; needs Go alone
	go test ./...

check: deps format vet tidy notices lint race full fuzz gate browser packaging ## everything that has to pass
	@echo "check: all passed"

deps: ## see that gcc, Chromium, kcat, Node.js, Java, Maven, promtool and systemd-analyze are there, or install them; fetch the jars of Apache Kafka
	@scripts/deps
	@scripts/kafka >/dev/null

format: ## gofmt leaves nothing to do
	@out="$$(gofmt -l .)"; if [ -n "$$out" ]; then echo "not formatted (run gofmt -w):"; echo "$$out"; exit 1; fi

vet: ## go vet, for this system and the others that we build for
	go vet ./...
	GOOS=windows CGO_ENABLED=0 go vet -trimpath . ./store ./processing/...
	GOOS=darwin CGO_ENABLED=0 go vet -trimpath . ./store ./processing/...

tidy: ## go.mod and go.sum are what go mod tidy makes of them
	go mod tidy -diff
	cd tools && go mod tidy -diff
	cd tools/packaging && go mod tidy -diff

notices: ## THIRD_PARTY_NOTICES is what the dependencies say
	@go run ./scripts/notices | diff -q - THIRD_PARTY_NOTICES >/dev/null || { echo "THIRD_PARTY_NOTICES is out of date: go run ./scripts/notices > THIRD_PARTY_NOTICES"; exit 1; }

lint: ## golangci-lint, which also holds the import map
	$(LINT) run ./...

race: ## the tests under the race detector, in small sizes, but for those of other processes
	go test -race -short -timeout 20m ./...

full: ## all tests at their full size, with real clients: the binary killed, stopped and fed garbage, on both brokers; every scenario; crash images
	lib="$$(scripts/kafka)" && export TIDEMARK_KAFKA_LIB="$$lib" TIDEMARK_KCAT=1 TIDEMARK_EVERY_SCENARIO=1 TIDEMARK_IMAGES=10000 TIDEMARK_GARBAGE_MIB=1024 && \
	go test -count=1 -parallel 6 -timeout 30m ./...

truth: ## every scenario of the simulator through the real binary, line by line, on both brokers; a whole ordinary day
	@lib="$$(scripts/kafka)" && TIDEMARK_EVERY_SCENARIO=1 TIDEMARK_KAFKA_LIB="$$lib" go test -count=1 -timeout 15m -run '^TestTruth$$|^TestAnOrdinaryDayRaisesNothing$$' ./e2e ./simulator/truth

crashes: ## servers killed and stopped, ten thousand crash images of the engine, its disk failing at every operation, bits flipped
	lib=$$(scripts/kafka) && TIDEMARK_KAFKA_LIB=$$lib go test -count=1 -timeout 15m -run '^(TestKilledAgain.*|TestStoppedFor.*|TestTwoServers.*)$$' ./e2e
	TIDEMARK_IMAGES=10000 go test -count=1 -run '^(TestCrashImages|TestEveryWriteFails|TestEveryReadFails|TestBitFlips)$$' ./e2e

hostile: ## a gigabyte of garbage through the binary, with memory flat
	TIDEMARK_GARBAGE_MIB=1024 go test ./e2e -run Garbage -count 1 -v

fuzz: ## every fuzz target, FUZZTIME seconds together
	@scripts/fuzz $(FUZZTIME)

bench: ## CPU per event and allocations of each stage, beside a hand-written loop of the same job
	go run ./scripts/benchtable

gate: ## the benchmarks' ratios, within one run
	go run ./scripts/benchtable -gate

crash-drill: build ## a server is killed again and again for a minute, and compared with an undisturbed one
	$(BINARY) demo --crash-drill 60s

soak: ## every proof at its full numbers, for hours; docs/reference/recovery.md has what was run
	@scripts/soak

browser: ## the dashboard in a real Chromium
	@scripts/browser

screenshots: ## pictures of the dashboard, into docs/screenshots
	@scripts/browser --screenshots docs/screenshots

packaging: ## what deploy/ offers, by the tools of those who read it; and that a release is the same wherever it is built
	cd tools/packaging && go vet . && go test .
	TIDEMARK_PACKAGING=1 go test -count=1 -run 'Takes|Release' . ./scripts/release

release: ## binaries for Linux, macOS and Windows with checksums and bills of materials, into bin/release; VERSION=v1.2.3 names it
	go run ./scripts/release $(if $(VERSION),-version $(VERSION))

clean: ## remove what was built
	rm -rf bin web/test/node_modules
