# The commands behind most targets are the steps of .ci/run, the gate.
STEPS := test race lint fmt vet nocgo examples fuzz bench

.DEFAULT_GOAL := help
.PHONY: help ci cover mutants $(STEPS)

help: ## Show this list
	@awk -F ' *:.*## ' '/^[a-z]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

ci: ## Run the whole gate, as CI does
	@.ci/run

test: ## Run all tests
race: ## Run all tests with the race detector
lint: ## Run the linters
fmt: ## Format the code
vet: ## Run go vet
nocgo: ## Build and test without cgo
examples: ## Run the example programs
fuzz: ## Fuzz every target for a moment; longer: make fuzz FUZZTIME=10m
bench: ## Run every benchmark once

$(STEPS):
	@.ci/run $@

cover: ## Run all tests and show the coverage of each function
	go test -coverpkg=./... -coverprofile=coverage.out ./...
	go tool cover -func=coverage.out

mutants: ## Change the code and list the changes that no test notices; more: make mutants MUTANTS="-sample 0 accounts"
	nice go run ./tools/mutants $(MUTANTS)
