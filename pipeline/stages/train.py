"""Stage `train`: one method, every seed."""

from __future__ import annotations

import shutil

from pipeline.artifacts.checkpoints import CheckpointStore, save_weights, weights_path
from pipeline.artifacts.datasets import load_info, load_split
from pipeline.artifacts.files import save_artifact, write_atomic
from pipeline.artifacts.paths import dataset_dir, model_dir, scratch_dir
from pipeline.artifacts.provenance import file_digest, make_provenance, settings_hash
from pipeline.core.settings import MethodName
from pipeline.stages.params_file import read_params
from pipeline.stages.running import exclusive
from pipeline.stages.tables import learning_curves, mean_curves
from pipeline.train.run import train_method


def run(dataset: str, method: MethodName) -> None:
    settings = read_params().dataset(dataset)
    train_settings = settings.train_for(method)
    method_settings = getattr(settings.methods, method)
    data, out = dataset_dir(dataset), model_dir(dataset, method)
    # neither which other seeds are trained nor how often is saved decides a seed's result
    decisive = train_settings.model_copy(update={"seeds": [], "checkpoint_seconds": 0.0})
    key = settings_hash(
        decisive, method_settings, file_digest(data / "samples.parquet"), file_digest(data / "images.npy")
    )
    scratch = scratch_dir("train", dataset, method)
    with exclusive("train", dataset, method, outputs=[out / "weights"]):
        store = CheckpointStore(scratch / key)
        info = load_info(data)
        folder = out / "weights"
        history = train_method(
            name=method,
            train=load_split(data, "train"),
            val=load_split(data, "val"),
            info=info,
            settings=train_settings,
            method=method_settings,
            store=store,
            save_weights=lambda seed, state, spec: save_weights(weights_path(folder, seed), state, spec),
            provenance=make_provenance(key, train_settings.seeds),
        )
        curves = learning_curves(history, info)
        write_atomic(out / "curves.csv", lambda path: curves.to_csv(path, index=False))
        means = mean_curves(history)
        write_atomic(out / "mean_curves.csv", lambda path: means.to_csv(path, index=False))
        save_artifact(out / "history.json", history)
        shutil.rmtree(scratch, ignore_errors=True)
