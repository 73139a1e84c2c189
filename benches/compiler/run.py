#!/usr/bin/env python3
"""What it costs to compile models of size: trees of many classes, and CTR tables of many values, each at three sizes.

    benches/compiler/run.py [FOLDER]

Makes the models with CatBoost, generates and builds each with release settings, lets the program check itself, and prints
docs/compiler-cost.md's table. Models and builds stay in FOLDER (target/compiler-cost), and models that are there are taken.
Needs catboost, numpy and GNU time.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TREES = [500, 1_000, 2_000]
VALUES = [250_000, 500_000, 1_000_000]

PACKAGE = """[package]
name = "{name}"
version = "0.0.0"
edition = "2024"
[workspace]
[profile.release]
strip = true
[dependencies]
{crate} = {{ path = "{root}/crates/{crate}" }}
"""
GENERATE = """fn main() {
    let path = std::env::args_os().nth(1).expect("a model");
    catboost_codegen::Config::new().compile(path).unwrap();
}
"""
EMPTY = "fn main() { println!(\"{}\", catboost_runtime::hash::cat_hash(\"\")); }\n"
MODEL = """#[allow(dead_code, non_snake_case)]
mod model { include!(concat!(env!("OUT_DIR"), "/model.rs")); }
fn main() { model::self_check().expect("the interpreter's bits"); }
"""


def trees(path, count):
    """`count` trees of depth 8 with 10 classes: 50 that are trained, put together as often as it takes, each time weaker."""
    import catboost
    import numpy as np
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(2_000, 20)).astype(np.float32)
    classes = np.arange(len(rows)) % 10
    once = catboost.CatBoostClassifier(
        loss_function="MultiClass", iterations=50, depth=8, random_seed=1, verbose=False, allow_writing_files=False)
    once.fit(rows, classes)
    copies = count // once.tree_count_
    weights = [1 / (1 + copy) for copy in range(copies)]
    catboost.sum_models([once] * copies, weights=weights).save_model(str(path))


def values(path, count):
    """A CTR of `count` values, each seen twice with the same target: the value alone tells it."""
    import catboost
    import numpy as np
    rng = np.random.default_rng(1)
    targets = rng.integers(0, 2, count)
    order = rng.permutation(np.arange(2 * count) % count)
    rows = catboost.Pool([[f"value {value}"] for value in order], targets[order], cat_features=[0])
    model = catboost.CatBoostClassifier(
        iterations=3, depth=2, boosting_type="Plain", simple_ctr=["Borders:Prior=0.5"],
        combinations_ctr=["Borders:Prior=0.5"], max_ctr_complexity=1,
        random_seed=1, verbose=False, allow_writing_files=False)
    model.fit(rows)
    model.save_model(str(path))


def measure(command, **settings):
    """Processor time in seconds, and the peak memory, in MB, of the largest process."""
    env = dict(os.environ, **settings)
    run = subprocess.run(["/usr/bin/time", "-f", "%U %S %M", *command], env=env, capture_output=True, text=True)
    if run.returncode:
        sys.exit(run.stderr)
    user, system, peak = map(float, run.stderr.splitlines()[-1].split())
    return user + system, peak * 1024 / 1e6


def package(folder, name, crate, source):
    """A program of one file that depends on one of our crates."""
    (folder / name / "src").mkdir(parents=True, exist_ok=True)
    (folder / name / "Cargo.toml").write_text(PACKAGE.format(name=name, crate=crate, root=ROOT))
    main = folder / name / "src/main.rs"
    main.write_text(source)
    command = ["cargo", "build", "-q", "--release", "--manifest-path", str(folder / name / "Cargo.toml")]
    return command, folder / name / "target/release" / name


def main():
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "target/compiler-cost").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    build, generate = package(folder, "generate", "catboost-codegen", GENERATE)
    measure(build)
    build, program = package(folder, "program", "catboost-runtime", EMPTY)
    measure(build)
    empty = program.stat().st_size
    # Seconds of processor time, so that what else the machine does matters little.
    print("| model | .cbm, MB | generation, s | its memory, MB | source, KB | tables, MB | rustc, s | its memory, MB | program grows by, MB |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|", flush=True)
    cases = [(f"{count:,} trees × depth 8 × 10 classes", trees, count) for count in TREES]
    cases += [(f"{count:,} CTR values", values, count) for count in VALUES]
    for name, make, count in cases:
        path = folder / f"{make.__name__}-{count}.cbm"
        if not path.exists():
            make(path, count)
        out = folder / path.stem
        out.mkdir(exist_ok=True)
        seconds, peak = measure([str(generate), str(path)], OUT_DIR=str(out))
        package(folder, "program", "catboost-runtime", MODEL)
        compiling, compiler = measure(build, OUT_DIR=str(out))
        measure([str(program)])
        source = (out / "model.rs").stat().st_size
        tables = sum(file.stat().st_size for file in (out / "model").iterdir())
        megabytes = [size / 1e6 for size in (path.stat().st_size, tables, program.stat().st_size - empty)]
        print(f"| {name} | {megabytes[0]:.1f} | {seconds:.2f} | {peak:.0f} | {source / 1e3:.0f} | {megabytes[1]:.1f} "
              f"| {compiling:.2f} | {compiler:.0f} | {megabytes[2]:.1f} |", flush=True)


if __name__ == "__main__":
    main()
