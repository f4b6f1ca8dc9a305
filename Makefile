GO       ?= go
GOFMT    ?= gofmt
DEST     ?= data
FUZZTIME ?= 10s
PARTS    ?=
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)

export GO DEST FUZZTIME

.DEFAULT_GOAL := help
.PHONY: help deps run tour kafka loop faults test test-kafka race bench figures peers train-python lint fuzz cover build

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

deps: ## fetch the optional data and libraries into DEST (PARTS="geo redis" asks for them by name and fails without)
	@scripts/deps.sh $(PARTS)

run: build ## start the daemon on loopback, show what it does, keep serving until Ctrl-C
	@scripts/run.sh serve

tour: build ## the same, then end: non-zero if any answer is not as told
	@scripts/run.sh tour

kafka: ## start one Kafka broker on loopback; scripts/kafka.sh stop ends it
	@scripts/deps.sh kafka && scripts/kafka.sh start

test-kafka: kafka ## the tests that want a real broker, which is ended and wiped after them
	@WARY_KAFKA=127.0.0.1:$${KAFKA_PORT:-19092} $(GO) test -count 1 -p 1 -run Real ./engine/exchange ./cmd/waryd; code=$$?; scripts/kafka.sh stop; scripts/kafka.sh wipe; exit $$code

test: lint deps ## lint, fetch what the fuller tests read, run all tests
	$(GO) test ./...

faults: kafka ## what is lost and counted twice under each fault of broker and disk, and by its control
	@mkdir -p run; rm -f run/faults.txt
	@WARY_FAULTS=$(CURDIR)/run/faults.txt WARY_KAFKA=127.0.0.1:$${KAFKA_PORT:-19092} $(GO) test -count 1 ./engine/exchange; code=$$?; \
		scripts/kafka.sh stop; scripts/kafka.sh wipe; cat run/faults.txt; exit $$code

loop: ## an attack that is new, learnt from labels days later (minutes; run/loop.html; ends with 1 if short)
	@scripts/loop.sh

race: ## all tests under the race detector
	$(GO) test -race ./...

bench: ## all benchmarks
	$(GO) test -run '^$$' -bench . ./...

figures: ## the figures to reach: name, value, goal, ok or short
	@$(GO) run ./bench/figures

peers: ## make the compiled and Python peers of our kernels in data/peers, and measure the models beside them
	@scripts/peers.sh

train-python: ## grow the embedded model's trees from Python too, and compare every byte
	@scripts/train-python.sh

lint: ## gofmt, go vet, staticcheck (the house rules are tests of internal/lint)
	@unformatted=$$($(GOFMT) -l .) && test -z "$$unformatted" || { echo "not formatted: $$unformatted"; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

fuzz: ## every fuzz function for FUZZTIME
	@scripts/fuzz.sh

cover: ## coverage of all tests: run/cover.out and the total
	@mkdir -p run
	$(GO) test -coverprofile=run/cover.out -coverpkg=./... ./...
	@$(GO) tool cover -func=run/cover.out | tail -n 1

build: ## bin/waryd and bin/wary
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-X main.version=$(VERSION)' -o bin/ ./cmd/waryd ./cmd/wary
