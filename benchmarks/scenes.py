"""Colors of scenes that know nothing of the label: `python -m benchmarks.scenes`.

Forty scenes of 60 frames. Every scene has a color of its own, drawn independently of the label. Its
frames have one label each, an uneven mix, or an even one. Color alone should be called available in at
most 5 % of the seeds when the scene is known (`group_column`), and in at least 95 % where the label moves
the color as well (planted). Without `group_column` frames are taken for independent images.
"""

from __future__ import annotations

import argparse

import numpy as np

from benchmarks.color_cues import is_available
from pipeline.data_audit.color.classifier import Data, cross_fitted
from pipeline.plan.params_file import read_params
from pipeline.settings.audit import ColorSettings
from pipeline.settings.parsing import parse

N_SCENES, N_FRAMES, N_INPUTS = 40, 60, 4


def frames(seed: int, kind: str, cue: float) -> Data:
    """Colors of all frames; `cue` standard deviations of a scene's color go with the label."""
    rng = np.random.default_rng(seed)
    sources = np.repeat(np.arange(N_SCENES), N_FRAMES)
    share = {
        "one label": rng.permutation(np.arange(N_SCENES) % 2),
        "uneven mix": rng.beta(1, 1, N_SCENES),
        "even mix": np.full(N_SCENES, 0.5),
    }[kind]
    labels = (rng.random(len(sources)) < share[sources]).astype(np.int64)
    colors = rng.normal(size=(N_SCENES, N_INPUTS))[sources]
    colors += rng.normal(0, 0.3, colors.shape)
    colors[:, 0] += cue * labels
    return Data(colors.astype(np.float32), labels, sources)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=40)
    options = parser.parse_args()
    settings = parse(ColorSettings, read_params().defaults["color"], "defaults.color").model_copy(
        update={"permutations": 199}
    )
    for kind in ("one label", "uneven mix", "even mix"):
        yes = np.zeros(3)
        for seed in range(options.seeds):
            data, planted = frames(seed, kind, cue=0.0), frames(seed, kind, cue=3.0)
            yes += [
                is_available(cross_fitted(d, "label", 2, settings), settings)
                for d in (data._replace(sources_N=None), data, planted)
            ]
        before, after, found = yes / options.seeds
        print(
            f"{kind:12} null: {before:4.0%} without group_column, {after:4.0%} with; planted: {found:4.0%}",
            flush=True,
        )


if __name__ == "__main__":
    main()
