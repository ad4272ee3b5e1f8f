# Two commands do it all on a fresh machine: make run, make test.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3)
PORT ?= 8000
VENV := .venv
BIN := $(VENV)/bin
# durable-rules overwrites CFLAGS, so the optimiser is asked for through CC; only its source archive exists.
PIP := CC="gcc -O2" $(BIN)/python -m pip --disable-pip-version-check --quiet install --require-hashes

.PHONY: run test core fuzz check evaluate bench bench-memory bench-telemetry serving faults hostile load-soak proof soak mutation ladders screenshots console-speed sbom openapi lock clean

run: $(VENV)/.runtime
	$(BIN)/gunicorn --bind 127.0.0.1:$(PORT) wsgi:app

test: $(VENV)/.dev $(VENV)/.clients
	$(BIN)/pytest --numprocesses auto

# the rules, the reasoning and every route in one process: what to run while writing
core: $(VENV)/.dev
	$(BIN)/pytest --numprocesses auto -m "not outside and not soak and not proof"

# what the tests of generated clients and of the linter need from node; without node they are skipped with a message
$(VENV)/.clients: tests/clients/package-lock.json $(VENV)/.dev
	@if command -v npm >/dev/null; then npm ci --prefix tests/clients --ignore-scripts --no-audit --no-fund --loglevel=error \
	  && touch $@ || echo "npm ci failed: the tests that need node are skipped"; else echo "no node: its tests are skipped"; fi

# every route against the contract, some hundred random requests each beside all the fixed ones; some minutes
fuzz: $(VENV)/.dev
	FUZZ_EXAMPLES=300 $(BIN)/pytest --numprocesses auto tests/test_fuzz.py

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python .ci/audit.py

# accuracy on a case file or a folder of them; the last line is one JSON object
CASES ?= tests/cases
evaluate: $(VENV)/.runtime
	@$(BIN)/python -m service.evaluate $(CASES)

$(VENV)/.built: requirements/build.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) -r requirements/build.txt
	touch $@

$(VENV)/.runtime: requirements/runtime.txt $(VENV)/.built
	$(PIP) --no-build-isolation --no-binary durable-rules -r requirements/runtime.txt
	touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.runtime
	$(PIP) -r requirements/dev.txt
	touch $@

# speed, as ratios in one run, written to benchmarks/results.json; five minutes. PART=engine (request, steps, growth) for one part
bench: $(VENV)/.bench
	@$(BIN)/python -m benchmarks.bench $(PART)

# other engines to compare with; without node, or without wrk, the bench says what it did not measure
$(VENV)/.bench: requirements/bench.txt benchmarks/node/package-lock.json $(VENV)/.dev
	$(PIP) -r requirements/bench.txt
	@if command -v npm >/dev/null; then npm ci --prefix benchmarks/node --ignore-scripts --no-audit --no-fund --loglevel=error \
	  || echo "npm ci failed: one engine is not measured"; else echo "no node: one engine is not measured"; fi
	touch $@

# memory over 200,000 assessments in one process; half an hour
bench-memory: $(VENV)/.dev
	@$(BIN)/python -m benchmarks.memory

# what telemetry costs
bench-telemetry: $(VENV)/.runtime
	@$(BIN)/python -m benchmarks.telemetry

# worker classes and threads in turn, in one run; three minutes
serving: $(VENV)/.runtime
	@$(BIN)/python -m benchmarks.serving

# killed workers, reload, slow clients, full disk, no memory, under load; three minutes
faults: $(VENV)/.runtime
	@$(BIN)/python -m benchmarks.faults

# 10,000 hostile requests over the wire
hostile: $(VENV)/.dev
	@$(BIN)/python -m benchmarks.hostile

# half load for long: memory of the workers each minute, wrong answers
MINUTES ?= 30
load-soak: $(VENV)/.runtime
	@$(BIN)/python -m benchmarks.load_soak $(MINUTES)

# every pair of red-flag words and 20,000 people, engine against oracle; a few minutes
proof: $(VENV)/.dev
	$(BIN)/pytest --numprocesses auto -m proof

# 50,000 assessments in one process
soak: $(VENV)/.dev
	$(BIN)/pytest -m soak tests/test_soak.py

# changes to engine, findings and urgency that no test notices; half an hour
mutation: $(VENV)/.mutation
	$(BIN)/mutmut run
	$(BIN)/mutmut results

$(VENV)/.mutation: requirements/mutation.txt $(VENV)/.dev
	$(PIP) -r requirements/mutation.txt
	touch $@

# the page of ten ladders
ladders: $(VENV)/.dev
	$(BIN)/python -m tests.ladders_page

# the pictures of the console in docs/images; needs chromium
screenshots: $(VENV)/.dev
	$(BIN)/python -m tests.screenshots

# from the last key to the answer on the screen, in a real browser
console-speed: $(VENV)/.dev
	@$(BIN)/python -m benchmarks.console

# what the service is made of, as CycloneDX, from the locked runtime requirements
sbom: $(VENV)/.dev
	$(BIN)/cyclonedx-py requirements requirements/runtime.txt --pyproject pyproject.toml \
	  --output-reproducible --output-format JSON --output-file sbom.cdx.json

openapi: $(VENV)/.runtime
	$(BIN)/python -m service.contract

# renew the locked dependencies from requirements/*.in
lock: $(VENV)/.dev
	for part in build runtime dev mutation bench; do CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --quiet --generate-hashes \
	  --allow-unsafe --strip-extras --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options \
	  --upgrade --output-file requirements/$$part.txt requirements/$$part.in; done

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis mutants
