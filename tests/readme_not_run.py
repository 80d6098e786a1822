"""Commands of the pages that tests do not run, each with the reason."""

PARSED = {
    "python -m benchmark run --suite digits-defences": "five minutes",
    "python -m benchmark reproduce": "hours, and CIFAR-10",
    "python -m benchmark reproduce --images 5 --query-samples 100 --samples 100 --epochs 1": "minutes, and CIFAR-10",
    "python -m benchmark run --suite cifar10-hybrid": "hours, and CIFAR-10",
    "python -m benchmark run --suite cifar10-larger": "hours, and CIFAR-10",
    "python -m benchmark run --suite cifar10-from-10 --ceiling-samples 10000": "an hour, and CIFAR-10",
    "python -m benchmark run --suite audit-cifar10 --targets 'cifar10-sigma*-bf16' --attacks cross-and-land "
    "--epsilons 0.25 0.5 1.0": "twenty minutes, and CIFAR-10",
    "python -m benchmark run --suite cifar10 --targets cifar10-sigma0.25-bf16 --attacks clean --epsilons 1.0 "
    "--ceiling-samples-max 1280000": "hours, and CIFAR-10",
    "python -m benchmark run --suite cifar10 --samples 10000 --targets cifar10-sigma0.50-bf16 --epsilons 1.0 "
    "--attacks clean cross-and-land": "hours, and CIFAR-10",
    "python -m benchmark run --suite cifar10 --targets 'cifar10-consistency-*-bf16' 'cifar10-stability-*-bf16' "
    "'cifar10-ensemble-*-bf16' --attacks clean gaussian cross-and-land same-data-hybrid same-data-transfer "
    "--epsilons 0.5 1.0 --no-best-of --ceiling-samples 10000": "five hours, and CIFAR-10",
    "python -m benchmark run --all --engine dask --workers 2": "a package that need not be installed",
    "python -m benchmark run --all --engine dask --scheduler tcp://head:8786": "a cluster",
    "python -m benchmark run --suite cifar10 --engine submitit --workers 16 --engine-options slurm_partition=gpu "
    "gpus_per_node=1 cpus_per_task=4 timeout_min=240": "a cluster",
    "python -m benchmark train cifar10-sigma0.50": "half an hour, and CIFAR-10",
}
"""Commands of the program that are not run here, and why."""

OTHERS = {
    'python -m pip install -e ".[test,lint]"': "a network; .ci/run installs both extras",
    'python -m pip install -e ".[dask]"': "a network; .ci/run installs both engines",
    'python -m pip install -e ".[slurm]"': "a network; .ci/run installs both engines",
    "python -m pip install -c constraints.txt -e .": "a network",
    "python -m pytest": "these tests",
    "python -m pytest -n 0 tests/attacks": "among these tests",
    "ABSTENTION_BENCH_CASES=8 python -m pytest -n 0 tests/benchmark/faults tests/benchmark/test_benchmark_fuzz.py "
    "tests/benchmark/test_benchmark_interrupted.py": "these tests, with eight times as many cases",
    "ruff check . && ruff format --check . && mypy": "run by .ci/run",
    ".ci/run": "runs these tests",
    ".ci/lowest": "a network, and gigabytes",
    "python -m pytest tests/timings --benchmark-only --benchmark-json=timings.json": "half an hour, on idle cores",
    "python tests/timings/load.py make FOLDER 4000": "gigabytes, and half an hour",
    "python tests/timings/load.py measure FOLDER publish >> lines.jsonl": "reads what the command before it writes",
    "python tests/timings/load.py measure FOLDER plan >> lines.jsonl": "reads what the first of these writes",
    "python tests/timings/load.py plot lines.jsonl docs/load.svg": "reads what the two before it write",
    "python tests/timings/long_run.py FOLDER 10000": "a quarter of an hour",
    "python tests/timings/overhead.py FOLDER": "minutes, on idle cores",
    "python tests/timings/summary.py timings.json growth.svg": "reads what the command before it writes",
}
"""Commands of other programs, and why they are not run here. The files that they name exist."""
