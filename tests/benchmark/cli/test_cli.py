"""The command line: one line for a wrong word, one object for ``--json``, the same lists twice."""

from __future__ import annotations

import json
import logging
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmark.cli import main as cli
from benchmark.cli.examples import EXAMPLES
from benchmark.experiments import run_store
from contracts.runtime.sources import sources_hash
from tests.parameters import copy_parameters, edit

PROJECT = Path(__file__).parents[3]
Emde = Callable[..., tuple[int, str, str]]


@pytest.fixture
def emde(sample, capsys, monkeypatch) -> Emde:
    """Run a command in this process, on the generated data: (exit code, stdout, stderr)."""
    monkeypatch.chdir(PROJECT)
    before = dict(os.environ)

    def call(*arguments: Any) -> tuple[int, str, str]:
        capsys.readouterr()
        try:
            code = cli.main([str(argument) for argument in arguments])
        except SystemExit as exit_:  # argparse
            code = int(exit_.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    yield call
    os.environ.clear()
    os.environ.update(before)
    for handler in logging.getLogger().handlers[:]:  # they hold this test's stderr
        if type(handler) is logging.StreamHandler:
            logging.getLogger().removeHandler(handler)


@pytest.fixture(scope="module")
def store_root(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("runs")


def answer(result: tuple[int, str, str]) -> dict[str, Any]:
    """The one JSON object on stdout."""
    code, out, err = result
    assert code == 0, err
    assert out.count("\n") == 1
    found = json.loads(out)
    assert isinstance(found, dict)
    return found


def refused(result: tuple[int, str, str], *words: str) -> None:
    """Exit code 2, nothing on stdout, one line on stderr that names what is wrong."""
    code, out, err = result
    assert code == 2
    assert out == ""
    lines = [line for line in err.splitlines() if line.startswith("emde: ")]
    assert len(lines) == 1, err
    assert err.splitlines()[-1] == lines[0]
    assert "Traceback" not in err
    for word in words:
        assert word in lines[0], lines[0]


def test_help_from_a_shell() -> None:
    found = subprocess.run(
        [sys.executable, "-m", "benchmark.cli", "--help"], capture_output=True, text=True, cwd=PROJECT
    )
    assert found.returncode == 0
    for command in (
        "data",
        "methods",
        "run",
        "evaluate",
        "density",
        "tables",
        "pipeline",
        "show",
        "doctor",
        "EMDE_MIRROR",
    ):
        assert command in found.stdout


def test_doctor_in_a_screen(emde, monkeypatch) -> None:
    """Of the stages to run their number, and what names them; a folder that is not there is a problem."""
    monkeypatch.setenv("EMDE_MIRROR", "/nowhere")
    found = answer(emde("doctor", "--json"))
    assert found["dvc"]["stale"] in range(100)
    assert found["dvc"]["stages"] == "dvc status dvc.yaml"
    assert "EMDE_MIRROR=/nowhere: expected a folder or URL, found no such folder" in found["problems"]
    code, out, _ = emde("doctor")
    assert code == 0
    assert max(map(len, out.splitlines())) <= 120


@pytest.mark.parametrize("command", EXAMPLES)
def test_every_command_has_help_with_an_example(emde, command: str) -> None:
    """The example is one that the command takes, and stands whole in its help."""
    code, out, _ = emde(*command.split(), "--help")
    assert code == 0
    assert out.endswith(f"\n\nexample: {EXAMPLES[command]}\n")
    words = shlex.split(EXAMPLES[command].partition("emde ")[2])
    assert cli.build_parser().parse_args(words).handler
    assert words[: len(command.split())] == command.split()


def test_version(emde) -> None:
    code, out, _ = emde("--version")
    assert code == 0
    assert re.fullmatch(r"emde \S+ \((unknown|[0-9a-f]{12})(\+dirty)?\)\n", out)


RUN = ("run", "--data", "sample-sessions", "--method", "ar")
EMDE = ("run", "--data", "sample-sessions", "--method", "emde", "--set", "modalities=[{group: random}]")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "--data", "nowhere", "--method", "ar"), ["nowhere", "sample-sessions"]),
        (("run", "--data", "sample-sessions", "--method", "nothing"), ["'nothing'", "vs-knn"]),
        (("run", "--data", "sample-ratings", "--method", "vs-knn"), ["topk method 'vs-knn'", "ease"]),
        (("run", "--data", "digits", "--method", "ar"), ["digits", "vectors"]),
        ((*RUN, "--split", "7"), ["unknown split '7'", "0, 1, 2, 3, 4"]),
        ((*RUN, "--split", "published"), ["unknown split 'published'"]),
        ((*RUN, "--set", "prunning=3"), ["ar: unknown parameter 'prunning'", "pruning"]),
        ((*RUN, "--set", "pruning=-1"), ["ar: parameter 'pruning'", "greater than or equal to 0", "found -1"]),
        ((*RUN, "--set", "pruning=many"), ["ar: parameter 'pruning'", "'many'"]),
        ((*EMDE, "--set", "lr=.inf"), ["emde: parameter 'lr'", "finite number", "found inf"]),
        ((*EMDE, "--set", "lr=.nan"), ["emde: parameter 'lr'", "finite number", "found nan"]),
        ((*EMDE, "--set", "modalities=[{group: random, dim: .inf}]"), ["emde: parameter 'modalities.0.dim'", "inf"]),
        ((*EMDE, "--set", "lr=1e30"), ["emde: expected a finite loss, found nan in epoch 1: try a smaller lr"]),
        ((*RUN, "--set", "pruning"), ["--set: expected NAME=VALUE", "'pruning'"]),
        ((*RUN, "--set", "=3"), ["--set: expected NAME=VALUE"]),
        ((*RUN, "--set", "pruning=[1"), ["--set pruning: expected a YAML value"]),
        (("evaluate", "no/such/folder"), ["no/such/folder", "expected a run directory"]),
        (("data", "stats", "nowhere"), ["nowhere"]),
        (("data", "prepare", "nowhere"), ["nowhere"]),
        (("data", "stats", "movielens-100k"), ["not prepared", "emde data prepare movielens-100k"]),
        (("run", "--data", "movielens-100k", "--method", "ease"), ["not prepared"]),
        (("density", "--data", "sample-sessions"), ["sample-sessions", "vector"]),
        (("tables", "--profile", "nothing"), ["unknown profile 'nothing'", "sample"]),
        (("tables", "--profile", "sample", "--table", "99"), ["no table '99'"]),
        (("pipeline", "--methods", "ar"), ["--methods: expected --data NAME"]),
        (("show", "nothing", "--data", "rsc15"), ["unknown session method 'nothing'"]),
    ],
)
def test_wrong_words(emde, tmp_path, arguments, words) -> None:
    if arguments[0] == "run":
        arguments = (*arguments, "--out", tmp_path)
    refused(emde(*arguments, "--json"), *words)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("fly",), ["invalid choice: 'fly'"]),
        (("run", "--data", "sample-sessions"), ["--method"]),
        ((*RUN, "--threads", "0"), ["--threads", "whole number from 1"]),
        ((*RUN, "--seed", "x"), ["--seed"]),
        ((*RUN, "--device", "tpu"), ["--device", "'tpu'"]),
        (("tables", "--format", "pdf"), ["--format", "'pdf'"]),
    ],
)
def test_wrong_usage(emde, arguments, words) -> None:
    code, out, err = emde(*arguments)
    assert code == 2
    assert out == ""
    assert err.startswith("usage: emde")
    for word in words:
        assert word in err.splitlines()[-1]


def test_missing_mirror_and_no_network(emde, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("EMDE_DATA", str(tmp_path / "data"))
    refused(emde("data", "fetch", "movielens-100k", "--offline"), "movielens-100k", "ml-100k.inter")
    monkeypatch.setenv("EMDE_MIRROR", str(tmp_path / "nothing"))
    refused(emde("data", "fetch", "movielens-100k", "--offline"), "EMDE_MIRROR", "nothing")


def test_wrong_number_of_threads_in_the_environment(emde, monkeypatch) -> None:
    monkeypatch.setenv("EMDE_THREADS", "many")
    refused(emde(*RUN), "EMDE_THREADS")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_without_a_gpu(emde) -> None:
    run = [{"ar": "emde"}.get(word, word) for word in RUN]
    refused(emde(*run, "--device", "cuda"), "device", "CUDA")


def test_wrong_params_file(emde, tmp_path, monkeypatch) -> None:
    edit(copy_parameters(tmp_path), lambda params: params.update(threads="many"))
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    (tmp_path / "pyproject.toml").write_text("[tool.emde]\n")
    monkeypatch.chdir(tmp_path)
    refused(emde(*RUN), str(tmp_path / "params.yaml"), "threads", "'many'")


@pytest.mark.parametrize("arguments", [("data", "list"), ("methods",), ("data", "stats", "sample-ratings")])
def test_lists_as_json_and_for_people(emde, arguments) -> None:
    assert answer(emde(*arguments, "--json"))
    code, out, _ = emde(*arguments)
    assert code == 0
    assert out


def test_methods_show_parameters_and_bounds(emde) -> None:
    found = {(method["kind"], method["name"]): method for method in answer(emde("methods", "--json"))["methods"]}
    assert {("session", "emde"), ("topk", "emde"), ("topk", "pure-emde"), ("session", "vs-knn")} <= set(found)
    k = next(row for row in found["session", "s-knn"]["params"] if row["name"] == "k")
    assert (k["default"], k["bounds"]) == (100, ">= 1")
    names = {row["name"] for row in found["session", "emde"]["params"]}
    fixed = "modalities coder n k alpha w hidden layers dropout epochs batch_size lr gamma decoder variant dtype"
    assert set(fixed.split()) <= names


SMALL = (
    "hidden=16", "epochs=1", "n=4", "k=4", "dtype=float32",
    "modalities=[{group: session, iterations: 1, dim: 16}, {group: random}]",
)  # fmt: skip


def sets(*pairs: str) -> list[str]:
    return [part for pair in pairs for part in ("--set", pair)]


def test_run_and_evaluate(emde, store_root) -> None:
    """The fields that issue 2 fixes; evaluating again gives the same; the lists are the truth."""
    found = answer(emde(*RUN, "--json", "--out", store_root, "--set", "pruning=5"))
    fields = "data split method params seed n_points metrics seconds peak_rss_mb device run_dir"
    assert set(fields.split()) <= set(found)
    assert (found["data"], found["split"], found["method"]) == ("sample-sessions", "0", "ar")
    assert found["params"] == {"pruning": 5}
    assert found["device"] == "cpu"
    assert {"fit", "recommend"} <= set(found["seconds"])
    for k in (1, 5, 10, 20):
        for name in ("HR", "MRR", "P", "R", "MAP", "NDCG", "MAP_textbook", "NDCG_textbook", "R_distinct"):
            assert 0 <= found["metrics"][f"{name}@{k}"] <= 1
    folder = Path(found["run_dir"])
    assert folder == run_store.run_dir(store_root, "sample-sessions", "ar", "0", found["params"])
    first, second = (answer(emde("evaluate", folder, "--json")) for _ in range(2))
    assert first == second
    assert first["metrics"] == found["metrics"]
    assert len(run_store.read_ranks(folder)[0]) == found["n_points"]
    low, high = found["intervals"]["MRR@20"]
    assert low < found["metrics"]["MRR@20"] < high
    lost, won = found["ties"]["MRR@20"]
    assert lost <= found["metrics"]["MRR@20"] <= won
    code, out, _ = emde("evaluate", folder)
    assert code == 0
    assert "MRR@20" in out


def test_peak_memory_is_that_after_the_evaluation(emde, store_root, tmp_path, monkeypatch) -> None:
    marks = count(100)
    monkeypatch.setattr("benchmark.experiments.environment.peak_rss_mb", lambda: float(next(marks)))
    found = answer(emde(*RUN, "--json", "--out", store_root))
    assert found["peak_rss_mb"] > run_store.read_record(Path(found["run_dir"]))["peak_rss_mb"]
    answer(emde("evaluate", found["run_dir"], "--out", tmp_path / "cell", "--json"))
    assert (
        json.loads((tmp_path / "cell/evaluation.json").read_text())[0]["evaluation_peak_rss_mb"] > found["peak_rss_mb"]
    )


@pytest.mark.parametrize(
    ("data", "method", "pairs"),
    [
        ("sample-sessions", "sr", ()),
        ("sample-sessions", "emde", SMALL),
        ("sample-ratings", "ease", ()),
        ("sample-ratings", "emde", (*SMALL[:-1], "modalities=[{group: user, dim: 16}]")),
        ("sample-ratings", "pure-emde-pop", ("n=4", "k=4", "modalities=[{group: user, dim: 16}]")),
    ],
)
def test_a_rerun_gives_the_same_lists(emde, tmp_path, data: str, method: str, pairs) -> None:
    """Bit for bit on the CPU, every file that a stage leaves; times and memory lie elsewhere, and are shown."""
    runs, files = [], []
    for name in ("first", "second"):
        spent = ("--costs", tmp_path / f"{name}-costs", "--json")
        arguments = ("run", "--data", data, "--method", method, *sets(*pairs), "--out", tmp_path / name, *spent)
        runs.append(answer(emde(*arguments, "--device", "cpu")))
        cell = tmp_path / f"{name}-cell"
        assert answer(emde("evaluate", runs[-1]["run_dir"], "--out", cell, *spent))["run"]["machine"]["processor"]
        assert (tmp_path / f"{name}-costs/evaluation.json").is_file()
        made = [*Path(runs[-1]["run_dir"]).iterdir(), *cell.iterdir()]
        files.append({path.name: path.read_bytes() for path in made})
    assert files[0] == files[1]
    assert {run_store.RANKS, run_store.RECORD, "evaluation.json", "units.parquet"} <= set(files[0])
    assert runs[0]["metrics"] == runs[1]["metrics"]
    assert runs[0]["seconds"]["fit"] >= 0
    if data == "sample-ratings":
        for k in (1, 5, 10, 20, 50, 100):
            for metric in ("Recall", "NDCG", "Precision", "MAP", "MRR"):
                assert runs[0]["metrics"][f"{metric}@{k}"] >= 0
        assert {"Recall@20(min)", "NDCG@20(trunc)"} <= set(runs[0]["metrics"])


def test_a_record_says_how_it_came_about(emde, store_root) -> None:
    found = answer(emde(*RUN, "--json", "--out", store_root, "--threads", "1"))
    record = run_store.read_record(Path(found["run_dir"]))
    wanted = (
        "params seed code sources packages data_hashes threads device seconds peak_rss_mb lists_sha256 command finished"
    )
    assert set(wanted.split()) <= set(record)
    assert record["threads"] == 1
    assert record["sources"] == sources_hash("baselines.session.association_rules")
    assert record["packages"]["numpy"] == np.__version__
    assert record["command"] == "emde run --data sample-sessions --split 0 --method ar"


def test_the_recorded_command_gives_the_same_parameters(emde, store_root) -> None:
    """Nulls, booleans and lists survive being written as a command and read again."""
    import shlex

    pairs = ("lambda_spw=null", "k=30", "sample_size=100")
    found = answer(
        emde("run", "--data", "sample-sessions", "--method", "stan", *sets(*pairs), "--json", "--out", store_root)
    )
    assert found["params"]["lambda_spw"] is None
    command = shlex.split(run_store.read_record(Path(found["run_dir"]))["command"])
    again = answer(emde(*command[1:], "--json", "--out", store_root))
    assert again["run_dir"] == found["run_dir"]


def test_all_slices(emde, store_root) -> None:
    arguments = ("run", "--data", "sample-sessions", "--split", "all", "--method", "pop", "--out", store_root)
    found = answer(emde(*arguments, "--json"))["runs"]
    assert [run["split"] for run in found] == ["0", "1", "2", "3", "4"]
    assert len({run["run_dir"] for run in found}) == 5
    both = answer(emde("evaluate", store_root / "sample-sessions" / "pop", "--json"))["runs"]
    assert [run["metrics"] for run in both] == [run["metrics"] for run in found]


def test_validation_twin(emde, store_root) -> None:
    found = answer(emde(*RUN, "--split", "0:valid", "--json", "--out", store_root))
    assert found["split"] == "0:valid"
    assert Path(found["run_dir"]).name.startswith("0.valid-")


def test_aliases(emde) -> None:
    refused(emde("run", "--data", "ML-100k", "--method", "ease"), "movielens-100k", "not prepared")


@pytest.mark.parametrize("damage", ["ranks", "record", "length", "hashes"])
def test_damaged_runs(emde, tmp_path, damage: str) -> None:
    folder = Path(answer(emde(*RUN, "--json", "--out", tmp_path))["run_dir"])
    if damage == "ranks":
        (folder / run_store.RANKS).write_bytes((folder / run_store.RANKS).read_bytes()[:-100])
    elif damage == "record":
        (folder / run_store.RECORD).write_text("{")
    else:
        record = run_store.read_record(folder)
        items, scores = run_store.read_ranks(folder)
        if damage == "hashes":
            record["data_hashes"]["columns"] = {}
        else:
            items, scores = items[1:], scores[1:]
        run_store.write_run(folder, record, {}, items, scores)
    words = {"ranks": "ranks.parquet", "record": "run.json", "length": "ranked lists, found", "hashes": "other hashes"}
    refused(emde("evaluate", folder, "--json"), words[damage])


def test_density(emde, tmp_path, monkeypatch) -> None:
    copy_parameters(tmp_path)
    small = {"n": [1, 10], "k": [3], "seeds": 2, "sweep": [0.5], "methods": ["emde-n100", "hbe"]}
    edit(tmp_path / "params/density.yaml", lambda density: density["digits"].update(small))
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    (tmp_path / "pyproject.toml").write_text("[tool.emde]\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EMDE_CACHE")
    found = answer(emde("density", "--data", "digits", "--out", tmp_path / "out.json", "--json"))
    assert found == json.loads((tmp_path / "out.json").read_text())
    assert found["points"] == 1797
    assert found["h"] == pytest.approx(0.8956513789, abs=1e-9)
    assert [row["method"] for row in found["rows"]] == ["emde-n100", "hbe"]
    for row in found["rows"]:
        assert len(row["pearson"]["seeds"]) == 2
        assert 0.5 < row["pearson"]["mean"] < 1
        assert row["query_us"]["mean"] > 0
    assert [(cell["n"], cell["k"]) for cell in found["grid"]] == [(1, 3), (10, 3)]
    (sweep,) = found["sweep"]
    assert sweep["h"] == pytest.approx(0.5 * found["median_distance"])
    assert [(cell["n"], cell["k"]) for cell in sweep["rows"]] == [(10, 3)]
    assert list((tmp_path / ".cache/density").glob("*.npz"))


@pytest.mark.skipif(os.cpu_count() == 1, reason="one core: one thread either way")
def test_threads_reach_the_matrix_products() -> None:
    """``--threads`` holds for numpy's BLAS, too: sums depend on it."""
    code = (
        "import benchmark.cli.main as c; c.configure(c.build_parser().parse_args("
        "['run', '--data', 'x', '--method', 'y', '--threads', '1'])); import numpy, threadpoolctl; "
        "print(max(pool['num_threads'] for pool in threadpoolctl.threadpool_info()))"
    )
    clean = {name: value for name, value in os.environ.items() if not name.endswith("_THREADS")}
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PROJECT, env=clean)
    assert found.stdout.strip() == "1"


def test_one_run_with_a_small_catalogue_can_be_scored() -> None:
    """Lists are asked for at their full length, even where the catalogue is smaller."""
    from benchmark.data.load import TopKSplit
    from benchmark.experiments import methods
    from benchmark.experiments.run import TOPK_K, rank_users
    from benchmark.protocol import topk_metrics
    from contracts import Interactions
    from tests.contract import random_interactions, rows_of

    train = random_interactions(0, 30, 20)
    profiles = Interactions(rows_of([[0, 1], [3]], 20))
    heldout = rows_of([[2], [4, 5]], 20)
    ids = np.arange(20)
    split = TopKSplit("d", "s", train, profiles, heldout, np.arange(2), ids, None, {})
    ranked = rank_users(methods.find("topk", "top-pop").create({}).fit(train), split, TOPK_K)
    found = topk_metrics.per_user(ranked.items, heldout)
    assert found["Recall@100"].tolist() == [1, 1]
    assert found["Precision@100"].tolist() == [0.01, 0.02]


def test_where_a_parameter_comes_from(emde) -> None:
    found = {one["name"]: one for one in answer(emde("show", "vs-knn", "--data", "rsc15", "--json"))["parameters"]}
    assert found["k"]["file"] == "results/paper/session_rec_tuned.csv"
    assert found["seed" if "seed" in found else "k"]["value"] is not None
    status, out, _ = emde("show", "vs-knn", "--data", "rsc15")
    assert status == 0
    assert "results/paper/session_rec_tuned.csv" in out
