"""The benchmark of Ising's probability goes through all of its tables, on few lattices."""

import json

from test_benchmarks import script


def test_every_table_of_the_benchmark_has_its_rows(tmp_path):
    benchmark = script("ising_probability")
    few = ["--lattices", "400", "--tests", "200", "--per_beta", "100", "--drawn", "200"]
    words = ["--models", "one_way", "both_ways", "--training", "size:debug", "jit_compile:false"]
    paths = ["--folder", str(tmp_path / "trainings"), "--json", str(tmp_path / "rows.json")]
    benchmark.main([*few, *words, *paths])
    rows = {each["name"]: each["measured"] for each in json.loads((tmp_path / "rows.json").read_text())}
    assert rows["centred RMSE, source-like: both_ways, from its log-odds"] > 0
    assert 0 < rows["effective sample size, beta 0.25"] <= 100
    assert rows["drawn at 0.25, weighed for 0.3: free energy a spin, standard error"] > 0
    assert rows["cross-entropy: least possible, the entropy"] < rows["cross-entropy: frontier"]
    assert rows["training: one_way"] > 0
