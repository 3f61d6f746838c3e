"""Stage `gradcam`: where do the models look?"""

from __future__ import annotations

import logging
from functools import partial

import numpy as np
from PIL import Image

from pipeline.artifacts.files import find_foreign, fresh_dir, save_artifact, write_text
from pipeline.artifacts.maps import SavedMaps, save_maps
from pipeline.artifacts.not_trained import or_reason, pass_on
from pipeline.artifacts.paths import gradcam_dir
from pipeline.artifacts.plans import read_plan
from pipeline.artifacts.provenance import make_provenance, settings_hash
from pipeline.artifacts.running import exclusive
from pipeline.artifacts.tables import metrics_json
from pipeline.artifacts.trained import load_trained
from pipeline.models.hardware import choose_device
from pipeline.settings.plans.gradcam import GradcamPlan
from pipeline.statistics.sampling import choose_by_group

_log = logging.getLogger(__name__)


def run(dataset: str, method: str) -> None:
    plan = read_plan(GradcamPlan, "gradcam", dataset, method)
    settings, device = plan.gradcam, choose_device(plan.device)
    out = gradcam_dir(dataset, method)
    with exclusive("gradcam", dataset, method), or_reason("gradcam", dataset, method):
        if pass_on("evaluate", "gradcam", dataset, method):
            return
        trained = load_trained(dataset, method, device)
        from pipeline.explain.cam.run import run_gradcam  # late: grad-cam takes as long to load as torch

        rows = choose_by_group(trained.test.groups, settings.images_per_group, settings.seed)
        result, pictures, maps_SNhw = run_gradcam(
            method=method,
            models=trained.models,
            test=trained.test,
            rows=rows,
            predicted_SN=trained.predicted_SN[:, rows],
            worst_group=trained.worst_group,
            best_group=trained.best_group,
            info=trained.info,
            settings=settings,
            layer_of=plan.layer_of,
            provenance=make_provenance(settings_hash(settings), trained.seeds, data=trained.info.digest),
        )
        with fresh_dir(out / "overlays", foreign=partial(find_foreign, holds=r".+\.png")) as folder:
            for name, pixels in pictures.items():
                Image.fromarray(pixels).save(folder / name)
        faithful = result.faithfulness
        summary = {
            "blank_rate": result.blank_rate,
            "energy_in_mask": result.energy_in_mask.value if result.energy_in_mask else None,
            "lift": result.lift.value if result.lift else None,
            "pointing": result.pointing.value if result.pointing else None,
            "faithfulness_over_random": faithful.over_random.value if faithful else None,
        }
        n_models = len(maps_SNhw)
        maps = SavedMaps(
            seeds_S=np.array(trained.seeds[:n_models], np.int64),
            ids_N=trained.test.ids[rows],
            predicted_SN=trained.predicted_SN[:n_models, rows],
            maps_SNhw=maps_SNhw,
        )
        save_maps(out / "maps.npz", maps)
        write_text(out / "metrics.json", metrics_json(summary))
        save_artifact(out / "gradcam.json", result)
        _log.info(
            "%s %s: layer %s, %.1f %% blank maps", dataset, method, result.layer, 100 * result.blank_rate
        )
