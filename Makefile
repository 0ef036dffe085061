# make run    set everything up, then start Tollbridge
# make test   set everything up, then run the tests (`make test-slow` has the few that take minutes)
# make check  lint, types and tests
PYTHON ?= python3
BIN := .venv/bin

.PHONY: run test test-slow test-postgresql lint check set-up set-up-tests pjsua2 lock

run: set-up
	@exec $(BIN)/tollbridge serve

# More workers than cores: the tests wait for real-time sound more than they compute.
test: set-up-tests
	$(BIN)/pytest -n 4 --dist worksteal -m "not slow" --durations 25

test-slow: set-up-tests
	$(BIN)/pytest -n 3 --dist worksteal -m slow

# The same tests (not the slow ones) on PostgreSQL, which they start themselves; TESTS narrows them down, as for pytest.
test-postgresql: set-up-tests
	TOLLBRIDGE_TEST_DATABASE=postgresql $(BIN)/pytest -n 4 --dist worksteal -m "not slow" $(TESTS)

lint: set-up
	$(BIN)/ruff check .
	$(BIN)/mypy

check: lint test

set-up:
	@$(PYTHON) scripts/set_up.py

set-up-tests:
	@$(PYTHON) scripts/set_up.py --tests

# Build pjsua2 again, for example after it fell back to the four-line wheel.
pjsua2:
	@$(PYTHON) scripts/set_up.py --rebuild-pjsua2

lock:
	@PYTHON=$(PYTHON) scripts/lock.sh
