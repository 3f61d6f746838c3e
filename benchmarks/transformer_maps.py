"""Where maps of transformers point when the answer is a patch planted at a random place.

Run: python -m benchmarks.transformer_maps [--networks vit swin] [--depths 2 4] [--seeds 5] [--log FILE]

Images of 32 px, noise with one patch of 8 px whose color is the class (four colors): of a map that knows
nothing 6 % of its energy and of its highest cells lie on it. Networks are trained with a softmax until they
are right, then asked about images whose answer goes when the patch is covered with noise (of one color a
network may say "none of the others": then nothing in the image speaks for it, and these are left out). Of
every block and every normalization that gives a map of tokens: GradCAM, with one weight for each channel, and
the same cell by cell (`GradCAMElementWise` of grad-cam). The log has a line for each network; printed are
means over networks, and the lowest.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import timm
import torch
import transformers
from torch import Tensor, nn

from pipeline.models.adapted import Adapted, Door
from pipeline.models.dissect import unwrap

SIDE, PATCH, CLASSES = 32, 8, 4
COLORS = torch.tensor([[0.9, 0.1, 0.1], [0.1, 0.1, 0.9], [0.1, 0.9, 0.1], [0.9, 0.9, 0.1]])
LEARNED, RELIED = 0.95, 0.3  # accuracy on other images; what covering the patch takes off the probability
VIT = {"img_size": SIDE, "patch_size": 8, "embed_dim": 32, "num_heads": 4, "num_classes": CLASSES}


class Planted(NamedTuple):
    pixels: Tensor  # N x 3 x 32 x 32 in [0, 1]
    labels: Tensor
    masks: Tensor  # N x 32 x 32


def plant(n: int, seed: int) -> Planted:
    draw = torch.Generator().manual_seed(seed)
    labels = torch.randint(CLASSES, (n,), generator=draw)
    pixels = torch.rand(n, 3, SIDE, SIDE, generator=draw) * 0.8 + 0.1
    noise = torch.rand(n, 3, PATCH, PATCH, generator=draw) * 0.1 - 0.05
    masks = torch.zeros(n, SIDE, SIDE)
    for i, (y, x) in enumerate((torch.randint(SIDE // PATCH, (n, 2), generator=draw) * PATCH).tolist()):
        pixels[i, :, y : y + PATCH, x : x + PATCH] = COLORS[labels[i]][:, None, None] + noise[i]
        masks[i, y : y + PATCH, x : x + PATCH] = 1
    return Planted(pixels, labels, masks)


def of_timm(name: str, **given: Any) -> Callable[[int], nn.Module]:
    return lambda depth: timm.create_model(name, depth=depth, **VIT, **given)


def swin_of_timm(depth: int) -> nn.Module:
    sizes = {"img_size": SIDE, "patch_size": 4, "window_size": 4, "embed_dim": 16}
    return timm.create_model(
        "swin_tiny_patch4_window7_224",
        num_classes=CLASSES,
        depths=(depth, depth),
        num_heads=(2, 4),
        drop_path_rate=0.0,
        **sizes,
    )


def of_transformers(kind: str, **given: Any) -> nn.Module:
    config = getattr(transformers, f"{kind}Config")(image_size=SIDE, num_labels=CLASSES, **given)
    net: nn.Module = getattr(transformers, f"{kind}ForImageClassification")(config)
    return net


def vit_of_transformers(depth: int) -> nn.Module:
    sizes = {"hidden_size": 32, "num_attention_heads": 4, "intermediate_size": 64, "patch_size": 8}
    return of_transformers("ViT", num_hidden_layers=depth, **sizes)


def swin_of_transformers(depth: int) -> nn.Module:
    sizes = {"embed_dim": 16, "num_heads": [2, 4], "window_size": 4, "patch_size": 4}
    return of_transformers("Swin", depths=[depth, depth], **sizes)


NETWORKS: dict[str, Callable[[int], nn.Module]] = {
    "vit": of_timm("vit_tiny_patch16_224"),
    "vit_avg": of_timm("vit_tiny_patch16_224", global_pool="avg"),
    "vit_norm_avg": of_timm("vit_tiny_patch16_224", global_pool="avg", fc_norm=False),
    "vit_map": of_timm("vit_base_patch16_siglip_224"),
    "deit": of_timm("deit_tiny_distilled_patch16_224"),
    "swin": swin_of_timm,
    "hf_vit": vit_of_transformers,
    "hf_swin": swin_of_transformers,
}


def train(build: Callable[[int], nn.Module], depth: int, seed: int) -> tuple[Adapted, float]:
    """A network, and its accuracy on images that it was not trained on."""
    torch.manual_seed(seed)
    model = Adapted(build(depth), Door((0.5,) * 3, (0.5,) * 3), image_size=SIDE)
    seen, other = plant(1024, 1000 + seed), plant(256, 6)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.05)
    accuracy = 0.0
    for epoch in range(40):
        model.train()
        for rows in torch.randperm(len(seen.labels)).split(64):
            loss = nn.functional.cross_entropy(model(seen.pixels[rows]), seen.labels[rows])
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        model.eval()
        with torch.no_grad():
            accuracy = float((model(other.pixels).argmax(1) == other.labels).float().mean())
        if accuracy > 0.985 and epoch >= 4:
            break
    return model, accuracy


def layers_of(model: Adapted) -> tuple[list[str], list[str]]:
    """Blocks of tokens in the order in which they come, and normalizations of tokens."""
    blocks = model.map_layers()
    norms = [name for name, m in model.named_modules() if isinstance(m, nn.LayerNorm)]
    return blocks, norms


def relied_on(model: Adapted, images: Planted) -> Tensor:
    """The images whose answer goes with their patch."""
    noise = torch.rand(images.pixels.shape, generator=torch.Generator().manual_seed(9)) * 0.8 + 0.1
    covered = torch.where(images.masks[:, None] > 0, noise, images.pixels)
    with torch.no_grad():
        before, after = (
            model(p).softmax(1).gather(1, images.labels[:, None])[:, 0] for p in (images.pixels, covered)
        )
    return before - after > RELIED


def maps_at(model: Adapted, names: list[str], images: Planted) -> dict[str, dict[str, Tensor]]:
    """Maps N x h x w by layer and kind, of the logit of the images' class."""
    seen: dict[str, Tensor] = {}
    hooks = [
        model.get_submodule(name).register_forward_hook(
            lambda _m, _i, out, name=name: seen.update({name: out})
        )
        for name in names
    ]
    logits = unwrap(model(images.pixels)).gather(1, images.labels[:, None]).sum()
    for hook in hooks:
        hook.remove()
    outputs = {name: out for name, out in seen.items() if model.to_map(out).ndim == 4}
    grads = torch.autograd.grad(logits, list(outputs.values()), allow_unused=True)
    found = {}
    for (name, out), grad in zip(outputs.items(), grads, strict=True):
        if grad is not None:
            values, slopes = model.to_map(out).detach(), model.to_map(grad)
            found[name] = {
                "gradcam": (slopes.mean((2, 3), keepdim=True) * values).sum(1).relu(),
                "cell by cell": (slopes * values).relu().sum(1),
            }
    return found


def score(map_Nhw: Tensor, masks_NHW: Tensor) -> tuple[float, float]:
    """Share of energy on the patch, and share of images whose highest cell lies on it; blank: none."""
    on_Nhw = nn.functional.adaptive_avg_pool2d(masks_NHW[:, None], map_Nhw.shape[1:])[:, 0]
    total_N = map_Nhw.sum((1, 2))
    energy_N = (map_Nhw * on_Nhw).sum((1, 2)) / total_N.clamp(min=1e-12)
    peak_N = map_Nhw.flatten(1).argmax(1, keepdim=True)
    hit_N = (on_Nhw.flatten(1).gather(1, peak_N)[:, 0] > 0.5) & (total_N > 0)
    return float(energy_N.mean()), float(hit_N.float().mean())


def measure(name: str, depth: int, seed: int) -> dict[str, Any]:
    model, accuracy = train(NETWORKS[name], depth, seed)
    images = plant(256, 5)
    rows = relied_on(model, images)
    images = Planted(*(part[rows] for part in images))
    blocks, norms = layers_of(model)
    found = maps_at(model, list(dict.fromkeys([*blocks, *norms])), images)
    return {
        "network": name,
        "depth": depth,
        "seed": seed,
        "accuracy": accuracy,
        "n": len(images.labels),
        "blocks": blocks,
        "scores": {
            n: {kind: score(m, images.masks) for kind, m in kinds.items()} for n, kinds in found.items()
        },
        "cells": {n: kinds["gradcam"].shape[1] for n, kinds in found.items()},
    }


def before_last_attention(run: dict[str, Any]) -> str:
    """The last normalization whose patches count, as the map's layer was chosen before."""
    return [n for n, kinds in run["scores"].items() if n not in run["blocks"] and kinds["gradcam"][0] > 0][-1]


def first_of_last_grid(run: dict[str, Any]) -> str:
    cells = [run["cells"][name] for name in run["blocks"]]
    return str(run["blocks"][cells.index(cells[-1])])


RULES: dict[str, tuple[Callable[[dict[str, Any]], str], str]] = {
    "GradCAM, last normalization that counts": (before_last_attention, "gradcam"),
    "cell by cell, last normalization that counts": (before_last_attention, "cell by cell"),
    "GradCAM, last block that counts": (lambda run: run["blocks"][-1], "gradcam"),
    "cell by cell, last block that counts": (lambda run: run["blocks"][-1], "cell by cell"),
    "GradCAM, first block of the last grid": (first_of_last_grid, "gradcam"),
    "cell by cell, first block of the last grid": (first_of_last_grid, "cell by cell"),
}


def show(runs: list[dict[str, Any]]) -> None:
    for key in dict.fromkeys((run["network"], run["depth"]) for run in runs):
        own = [run for run in runs if (run["network"], run["depth"]) == key]
        learned = [run for run in own if run["accuracy"] > LEARNED]
        print(f"\n{key[0]}, depth {key[1]}: {len(learned)} of {len(own)} networks learned it")
        for rule, (layer_of, kind) in RULES.items() if learned else ():
            pairs = [run["scores"][layer_of(run)][kind] for run in learned]
            energy, hits = ([pair[i] for pair in pairs] for i in (0, 1))
            print(
                f"  {rule:46s} energy {sum(energy) / len(energy):.2f}, lowest {min(energy):.2f}; "
                f"highest cell on it {sum(hits) / len(hits):.2f}, lowest {min(hits):.2f}"
            )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--networks", nargs="*", default=list(NETWORKS), choices=list(NETWORKS))
    parser.add_argument("--depths", nargs="*", type=int, default=[2, 4])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument(
        "--log", type=Path, help="a line for each network; those that are there are not trained again"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    known = options.log and options.log.exists()
    runs = [json.loads(line) for line in options.log.read_text().splitlines()] if known else []
    done = {(run["network"], run["depth"], run["seed"]) for run in runs}
    for seed in range(options.seeds):
        for depth in options.depths:
            for name in options.networks:
                if (name, depth, seed) in done:
                    continue
                runs.append(measure(name, depth, seed))
                print(json.dumps(runs[-1])[:120], file=sys.stderr)
                if options.log:
                    with options.log.open("a") as out:
                        out.write(json.dumps(runs[-1]) + "\n")
    show(runs)


if __name__ == "__main__":
    main()
