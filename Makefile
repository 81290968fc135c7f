# `make repro`: from a fresh clone to trained models, metrics, plots and a scored CSV. `make test`: the whole test suite.
PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)

# Pretrained encoders: KerasHub names, hf://… or local folders.
IMAGE_PRESET ?= efficientnet_lite0_ra_imagenet
TEXT_PRESET ?= hf://sentence-transformers/all-MiniLM-L6-v2

# How many films the published recipe keeps.
FILMS ?= 20530

.PHONY: repro encoders sweep tmdb-recipe check test quick-test test-browser chromium benchmark constraints wheel

repro: .venv/ready data
	dvc repro
	genre-predict --posters data/posters --out predictions/demo.csv --overwrite || [ $$? -eq 3 ]  # 3: some posters are damaged
	python -m demo.show metrics/evaluate.json predictions/demo.csv
	@echo "The report, to open in a browser:  file://$(CURDIR)/report/index.html"
	@echo "Next, with posters of your own:    genre-predict --posters DIR --out preds.csv"
	@echo "and to look at what came of it:    genre-report preds.csv --posters DIR --out site/"

# The best configuration; writes it to params.yaml and runs it, on the films in data/.
encoders: .venv/ready data
	dvc exp run \
		--set-param '+encoders.efficientnet={modality: poster, preset: "$(IMAGE_PRESET)", pixels: [127, 128], fine_tune: true, image_size: [300, 200]}' \
		--set-param '+encoders.minilm={modality: overview, preset: "$(TEXT_PRESET)", fine_tune: true}' \
		--set-param 'fusion.inputs=[cnn, lstm, efficientnet, minilm]'

# Better settings than those committed, by sweep.yaml; goes on where it was stopped.
sweep: .venv/ready data
	python -m experiments.sweep

# The published recipe for films of TMDB: the twelve most frequent genres, two periods in equal parts, undersampled.
tmdb-recipe: .venv/ready data
	dvc exp run \
		--set-param 'prepare.top_genres=12' \
		--set-param 'prepare.periods=[[1975, 2000], [2001, 2025]]' \
		--set-param 'prepare.films=$(FILMS)'

# Style, types, and the directions in which the rooms of movie_genres import.
check: .venv/ready
	ruff check .
	mypy
	lint-imports

test: check
	python -m pytest --numprocesses 2 --dist loadfile

quick-test: check
	python -m pytest --numprocesses 2 --dist loadfile -m "not slow"

# The sites in Chromium. Without it, these tests are skipped wherever else they are.
test-browser: .venv/ready chromium
	python -m pytest -m browser

# From Debian's packages, where it is missing and may be installed.
chromium:
	@command -v chromium || command -v chromium-browser || command -v google-chrome || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
		apt-get update --quiet && apt-get install --quiet --yes --no-install-recommends chromium fonts-dejavu-core; } || \
		echo "There is no Chromium, and it cannot be installed here: tests in a browser will be skipped."

benchmark: .venv/ready data released
	dvc repro train_cnn train_lstm train_fusion tune
	python -m benchmarks.lstm_epoch
	python -m benchmarks.cnn_epoch
	python -m benchmarks.score_posters
	python -m benchmarks.score_posters --large 300
	python -m benchmarks.score_overviews
	python -m benchmarks.start_up
	python -m benchmarks.gallery

# Only where there is no data yet: films of your own are never replaced by the demo.
data: | .venv/ready
	dvc pull data

# The best models; small ones come with the package.
released: | .venv/ready
	dvc pull released

# The package as it is published: scoring, with the small released models inside.
wheel: .venv/ready
	rm -rf build dist
	python -m pip wheel --quiet --no-deps --wheel-dir dist .

.venv/ready: setup.cfg constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
		{ echo "Python 3.11, 3.12 or 3.13 is needed; $(PYTHON) is `$(PYTHON) --version`. Use: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv
	python -m pip install --quiet --constraint constraints.txt --editable '.[train,test,collect,dvclive,encoders,ocr,parquet,ray,sweep]'
	touch .venv/ready

# Pins the newest versions that setup.cfg allows, for all supported Pythons.
constraints: .venv/ready
	python -m pip install --quiet uv
	uv pip compile setup.cfg --all-extras --universal --python-version 3.11 --upgrade --no-annotate \
		--no-header --no-emit-package movie-genres --output-file constraints.txt
