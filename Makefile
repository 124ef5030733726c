# Everything a developer types. `make help` lists it. The virtual environments live outside the tree.
PYTHON ?= python3
CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/xradiffslicer
CONSTRAINTS := Testing/constraints.txt
RUN_PACKAGES := numpy scipy SimpleITK pydicom vtk psutil torch diffusers safetensors
TEST_PACKAGES := $(RUN_PACKAGES) odl accelerate tensorboard matplotlib distributed pytest pytest-xdist hypothesis ruff mypy slicer-core PySide6-Essentials
# a new pin or package makes a new environment
KEY := $(shell (cat $(CONSTRAINTS); echo $(TEST_PACKAGES)) | cksum | cut -d' ' -f1)-$(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
VENV_RUN := $(CACHE)/run-$(KEY)
VENV_TEST := $(CACHE)/test-$(KEY)
PIP := -m pip install --quiet --disable-pip-version-check --constraint $(CONSTRAINTS)
OUT ?= xradiff-demo
JOBS ?= 2
PLATFORM ?= linux
OFFLINE ?= XRADiffSlicer-offline
CORE := PYTHONPATH=XRADiffSlicer

.PHONY: help demo test lint types bench sample package package-offline clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

demo: $(VENV_RUN)/.ready  ## reconstruct the bundled case into xradiff-demo/ (pictures and report.html)
	$(CORE) $(VENV_RUN)/bin/python -m xradiff demo --out $(OUT)

test: lint types  ## lint, types and all tests
	$(VENV_TEST)/bin/python -m pytest -q -n $(JOBS) $(ARGS)

lint: $(VENV_TEST)/.ready  ## ruff: rules and format
	$(VENV_TEST)/bin/ruff check .
	$(VENV_TEST)/bin/ruff format --check .

types: $(VENV_TEST)/.ready  ## mypy, strict, on the core
	$(VENV_TEST)/bin/mypy

bench: $(VENV_TEST)/.ready  ## every benchmark; tables go to Testing/Benchmarks/results
	@for script in Testing/Benchmarks/*.py; do echo "== $$script"; $(CORE) $(VENV_TEST)/bin/python $$script || exit 1; done

sample: $(VENV_RUN)/.ready  ## make the bundled sample case again
	$(CORE) $(VENV_RUN)/bin/python -m xradiff.synthetic.sample_case

package:  ## the extension as a zip of the committed files, to unpack anywhere and add to Slicer's module paths
	git archive --format=zip --prefix=XRADiffSlicer/ -o XRADiffSlicer.zip HEAD XRADiffSlicer README.md LICENSE.txt

package-offline: package  ## the zip, wheels for a Slicer without network (PLATFORM=linux|windows|macos) and the weights
	$(PYTHON) Testing/Packaging/offline_package.py --platform $(PLATFORM) --out $(OFFLINE)
	cp XRADiffSlicer.zip $(OFFLINE)

clean:  ## remove what the targets above made in the tree
	rm -rf $(OUT) $(OFFLINE) XRADiffSlicer.zip .mypy_cache .ruff_cache .pytest_cache

define make_venv
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; try: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(dir $@)
	$(dir $@)bin/python $(PIP) $(1)
	@touch $@
endef

$(VENV_RUN)/.ready: $(CONSTRAINTS)
	$(call make_venv,$(RUN_PACKAGES))

$(VENV_TEST)/.ready: $(CONSTRAINTS)
	$(call make_venv,$(TEST_PACKAGES))
