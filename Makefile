# Each target does all of its own set-up. `make demo` is the place to begin.
# Dozens of processes of ours are started by the tests alone: none of them compiles our modules anew.
unexport PYTHONDONTWRITEBYTECODE
.PHONY: demo up test check bench proof screenshots lock clean .venv

demo: .venv
	@.venv/bin/semo demo

up: .venv
	@.venv/bin/semo up

test: .venv
	@scripts/test-tools
	@.venv/bin/pytest -m "not proof" -n 4 --dist loadfile --no-loadscope-reorder

proof: .venv
	@scripts/test-tools
	@.venv/bin/pytest -m proof

check: .venv
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/pyright
	@.venv/bin/lint-imports

bench: .venv
	@scripts/test-tools
	@.venv/bin/python -m benchmarks

.venv:
	@scripts/venv

screenshots: .venv
	@.venv/bin/python -m tests.support.pictures
	@SEMO_PICTURES=$(CURDIR)/docs/pictures .venv/bin/pytest -q --basetemp=/tmp/semo-pictures tests/e2e/test_desktop.py

lock: .venv
	@.venv/bin/uv pip compile pyproject.toml --all-extras --generate-hashes --no-emit-index-url --universal \
	  --python-version 3.11 --no-header --quiet --upgrade -o requirements/lock.txt
	@echo uv | .venv/bin/uv pip compile - --generate-hashes --no-emit-index-url --universal \
	  --python-version 3.11 --no-header --quiet --upgrade -o requirements/uv.txt

clean:
	rm -rf .venv .tools
