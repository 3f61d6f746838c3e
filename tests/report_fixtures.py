"""Synthetic but realistic audits for the report's tests.

`photo_birds()` is a planted shortcut with everything present; `plain_hundred()` has no masks, one
method, 60 derived groups and 100 classes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from scipy.stats import binomtest

from pipeline.core.results import (
    Association,
    AttributeColor,
    AttributeInfo,
    AttributionResult,
    Balance,
    CamGroup,
    CamOverlay,
    Carried,
    ColorAgreement,
    ColorExamples,
    ColorFinding,
    ColorResult,
    CueAssociation,
    CueExchange,
    CueUse,
    DatasetInfo,
    DuplicateSet,
    DuplicateSummary,
    EpochRecord,
    Estimate,
    EvaluationResult,
    Faithfulness,
    GradcamResult,
    GroupAttribution,
    GroupEstimate,
    GroupInfo,
    HygieneResult,
    ImageIssue,
    Influence,
    Intervention,
    LabelColor,
    MapAgreement,
    MethodComparison,
    Palette,
    Predictability,
    Provenance,
    SanityStep,
    SeedResult,
    SourceInfo,
    SplitMetrics,
    TargetAttribution,
    TrainHistory,
)
from pipeline.core.settings import ColorSettings, EvaluateSettings, ReportSettings
from pipeline.core.types import UInt8Array
from pipeline.report.pictures import PictureSource
from pipeline.report.records import MethodSettings
from pipeline.report.summary import ReportInputs
from pipeline.report.test_images import MethodOutcomes
from tests.proof_fixtures import around, prove, removal, removal_controls

SETTINGS = ReportSettings(examples_per_group=6, targets_shown=6, thumbnail=96, min_effect=0.05)
EVALUATE_SETTINGS = EvaluateSettings(min_test=100, min_val=30, max_images=None, seed=0)
COLOR_SETTINGS = ColorSettings(
    permutations=999,
    min_omega_squared=0.06,
    min_kappa=0.05,
    alpha=0.05,
    folds=5,
    boosted_max_train=10_000,
    examples_per_class=4,
    seed=0,
)
PROVENANCE = Provenance(
    params_hash="4f2a90c1d7be",
    versions={"python": "3.11.9", "torch": "2.15.0", "traker": "0.3.2", "grad-cam": "1.5.5"},
    seeds=[0, 1, 2],
    created="2026-03-02T09:41:00+00:00",
)
SECTIONS = [
    "verdict",
    "groups",
    "color",
    "reliance",
    "attribution",
    "images",
    "mitigation",
    "dynamics",
    "hygiene",
    "dataset",
    "modelcard",
    "reading",
    "provenance",
]
HOSTILE_CLASS = "<script>alert(1)</script>"
HOSTILE_NAMES = [HOSTILE_CLASS, '"quo\'ted" & <b>bold</b>', "🦆 café", "طائر الماء \u202e txt", "x" * 300]


def wilson(value: float, n: int) -> Estimate:
    """An accuracy with its Wilson interval."""
    found = binomtest(round(value * n), n)
    interval = found.proportion_ci(method="wilson")
    return Estimate(value=round(value * n) / n, low=interval.low, high=interval.high, n=n)


def named(estimate: Estimate, name: str, *, sufficient: bool = True) -> GroupEstimate:
    return GroupEstimate(**estimate.model_dump(), name=name, sufficient=sufficient)


def metrics(
    accuracies: list[float], groups: list[GroupInfo], *, split: str = "test", seeds: int = 3
) -> SplitMetrics:
    """Split metrics with the given group accuracies; small groups are insufficient."""
    sizes = [getattr(g, f"n_{split}") for g in groups]
    rows = [
        named(
            wilson(a, n),
            g.name,
            sufficient=n >= (EVALUATE_SETTINGS.min_test if split == "test" else EVALUATE_SETTINGS.min_val),
        )
        for a, n, g in zip(accuracies, sizes, groups, strict=True)
    ]
    enough = [row for row in rows if row.sufficient] or rows
    worst = min(enough, key=lambda row: row.value)
    total = sum(sizes)
    average = wilson(sum(a * n for a, n in zip(accuracies, sizes, strict=True)) / total, total)
    train = np.array([g.n_train for g in groups], float)
    return SplitMetrics(
        average=average,
        adjusted_average=wilson(float(np.dot(accuracies, train) / train.sum()), total),
        group_mean=wilson(float(np.mean(accuracies)), total),
        worst_group=worst,
        groups=rows,
        per_seed=[
            SeedResult(
                seed=s,
                average=average.value + 0.004 * (s - 1),
                worst_group=worst.value + 0.01 * (s - 1),
                worst_group_name=worst.name,
                groups=[r.value + 0.01 * (s - 1) for r in rows],
            )
            for s in range(seeds)
        ],
        expected_worst_if_equal=average.value - 0.03,
    )


def history(
    method: str, final: list[float], *, labels: list[str], seeds: int = 3, epochs: int = 20
) -> TrainHistory:
    """Curves that rise to the final group accuracies, slower where they end lower."""
    rng = np.random.default_rng(len(method))
    records = []
    for seed in range(seeds):
        for epoch in range(1, epochs + 1):
            accuracy = [
                float(np.clip(a * (1 - np.exp(-epoch * a / 2.5)) + rng.normal(0, 0.015), 0, 1)) for a in final
            ]
            records.append(
                EpochRecord(
                    seed=seed,
                    epoch=epoch,
                    train_loss=float(np.exp(-epoch / 5)),
                    train_accuracy=[None, *accuracy[1:]],
                    val_accuracy=list(accuracy),
                    val_average=float(np.mean(accuracy)),
                    val_worst=min(accuracy),
                    seconds=2.0,
                )
            )
    return TrainHistory(
        provenance=PROVENANCE,
        method=method,
        labels_used=labels,
        model="small_resnet",
        n_parameters=412_345,
        precision="fp32",
        device="cpu",
        selection="average" if method == "erm" else "worst_group",
        selected_epoch={str(s): epochs - s for s in range(seeds)},
        epochs=records,
        seconds=125.0,
    )


def predictability(
    target: str, *, kappa: float, n: int, k: int, p: float = 0.001, given: str | None = None
) -> Predictability:
    return Predictability(
        target=target,
        given=given,
        fitted_on="train",
        n_fitted=3836,
        read_on="train (cross-fitted)" if target == "label" else "test",
        n=n,
        n_classes=k,
        balanced_accuracy=1 / k + kappa * (1 - 1 / k),
        kappa=kappa,
        low=kappa - 0.03,
        high=kappa + 0.03,
        p_value=p,
        v_information_bits=0.21,
    )


def color_result(
    classes: list[str], associations: list[Association], *, kappa: float, p: float = 0.001
) -> ColorResult:
    findings = [
        ColorFinding(
            feature="ring_lightness_mean",
            region="ring",
            target="label",
            omega_squared=0.31,
            p_value=0.001,
            q_value=0.004,
            class_name=classes[0],
            auroc=0.84,
            auroc_low=0.81,
            auroc_high=0.87,
            confirmed=True,
            test=around(0.7, 0.03, 5794),
            holds_on_test=True,
            sentence=f"The border of {classes[0]} images is darker (AUROC 0.84 [0.81, 0.87]).",
        ),
        ColorFinding(
            feature="whole_hue_sin",
            region="whole",
            target="label",
            omega_squared=0.12,
            p_value=0.002,
            q_value=0.011,
            class_name=classes[-1],
            auroc=0.61,
            auroc_low=0.52,
            auroc_high=0.70,
            confirmed=False,
            test=around(0.51, 0.03, 5794),
            holds_on_test=False,
            sentence=f"The hue of {classes[-1]} images is shifted to green.",
        ),
    ]
    k = len(classes)
    return ColorResult(
        provenance=PROVENANCE,
        n_features=78,
        n_permutations=999,
        findings=findings if kappa > 0.05 else [],
        color_only=predictability("label", kappa=kappa, n=4795, k=k, p=p),
        color_only_test=predictability("label", kappa=kappa / 2, n=5794, k=k, p=p),
        color_only_boosted_train=predictability("label", kappa=kappa + 0.01, n=4795, k=k, p=p),
        color_only_boosted=predictability("label", kappa=kappa / 2 + 0.01, n=5794, k=k, p=p),
        background_only=predictability("label", kappa=kappa, n=4795, k=k, p=p) if associations else None,
        attributes=[
            AttributeColor(
                attribute="place",
                to_attribute=predictability("place", kappa=0.6, n=4795, k=2),
                to_attribute_test=predictability("place", kappa=0.58, n=5794, k=2),
                label_given_attribute=predictability("label", kappa=0.02, n=4795, k=k, p=0.3, given="place"),
                label_given_attribute_test=None,
                findings=[f.model_copy(update={"target": "place"}) for f in findings[:1]],
            )
        ]
        if associations
        else [],
        associations=associations,
        labels=[
            LabelColor(
                label=name,
                feature="lightness_mean",
                region="ring",
                direction="darker",
                auroc=around(0.84, 0.03, 2400) if i % 3 else None,
                q_value=0.0004 if i % 3 else 0.3,
                separable=i % 3 != 0,
            )
            for i, name in enumerate(classes)
        ],
        regions=["whole", "ring", "center"] + (["background", "foreground"] if associations else []),
        examples=[
            ColorExamples(
                class_name=name,
                typical=[4 * i % 200, (4 * i + 1) % 200],
                atypical=[(4 * i + 2) % 200, (4 * i + 3) % 200],
            )
            for i, name in enumerate(classes)
        ],
        palettes=[
            Palette(
                class_name=name,
                colors=[
                    f"#{(i * 37 + 60) % 256:02x}{(i * 91 + 90) % 256:02x}{c:02x}"
                    for c in (40, 90, 140, 190, 230)
                ],
                shares=[0.34, 0.26, 0.19, 0.13, 0.08],
            )
            for i, name in enumerate(classes)
        ],
        seconds=12.0,
    )


def attribution_result(
    method: str, groups: list[GroupInfo], matrix: np.ndarray[Any, np.dtype[np.float64]], *, worst: int
) -> AttributionResult:
    rng = np.random.default_rng(3)

    def influences(sign: int, count: int) -> list[Influence]:
        return [
            Influence(
                id=int(rng.integers(0, 200)), group=int(rng.integers(len(groups))), score=sign * 0.4 / (i + 1)
            )
            for i in range(count)
        ]

    targets = [
        TargetAttribution(
            id=1000 + 10 * g + i,
            label=g % 2,
            group=g,
            predicted=(g + (i == 0)) % 2,
            correct_share=0.0 if i == 0 else 2 / 3,
            helpful=influences(1, 5),
            harmful=influences(-1, 5),
        )
        for g in range(min(len(groups), 8))
        for i in range(3)
    ]
    return AttributionResult(
        provenance=PROVENANCE,
        method=method,
        library="traker 0.3.2",
        n_models=3,
        proj_dim=2048,
        ridge=0.01,
        n_train=2000,
        n_train_total=4795,
        n_targets=len(targets),
        seconds=341.0,
        groups=[
            GroupAttribution(
                train_group=groups[i].name,
                test_group=groups[j].name,
                value=float(matrix[i, j]),
                low=float(matrix[i, j]) - 0.004,
                high=float(matrix[i, j]) + 0.004,
            )
            for i in range(len(groups))
            for j in range(len(groups))
        ],
        targets=targets,
        most_harmful_to_worst=influences(-1, 14),
        flipped_share_in_harmful=0.31,
        flipped_share_overall=0.03,
    )


def outcomes(shift: int, *, maps: bool, seeds: int = 3) -> MethodOutcomes:
    """Predictions of the audited images; every third one has a map where maps were made."""
    ids = np.array([1000 + 10 * g + i for g in range(8) for i in range(3)])
    predicted = np.array([[(i // 10 + i + s + shift) % 2 for i in ids] for s in range(seeds)])
    return MethodOutcomes(ids, predicted, {int(i): int(i) % 2 for i in ids[::3]} if maps else {})


def gradcam_result(method: str, groups: list[GroupInfo], *, masks: bool, worst: int) -> GradcamResult:
    return GradcamResult(
        provenance=PROVENANCE,
        method=method,
        library="grad-cam 1.5.5",
        layer="stages.3",
        cells=[4, 4],
        n_images=200,
        n_models=3,
        blank_rate=0.015,
        energy_in_mask=around(0.38, 0.03, 197) if masks else None,
        mask_area=0.22 if masks else None,
        lift=around(1.7, 0.2, 197) if masks else None,
        computed_by="closed form",
        pointing=around(0.55, 0.07, 197) if masks else None,
        pointing_by_chance=0.31 if masks else None,
        faithfulness=Faithfulness(
            n_steps=16,
            score=around(0.31, 0.05, 100),
            random=around(0.02, 0.03, 100),
            center=around(0.2, 0.05, 100),
            over_random=around(0.29, 0.05, 100),
            over_center=around(0.11, 0.06, 100),
        ),
        sanity=[
            SanityStep(layer="head", spearman=around(0.11, 0.05, 50)),
            SanityStep(layer="stages.3", spearman=around(0.02, 0.05, 50)),
        ],
        groups=[
            CamGroup(
                name=g.name,
                n=50,
                sufficient=i != 1,
                blank_rate=0.01,
                energy_in_mask=around(0.3 + 0.05 * (i % 9), 0.05, 50) if masks else None,
                lift=around(1.3, 0.2, 50) if masks else None,
                pointing=around(0.5, 0.1, 50) if masks else None,
                faithfulness=around(0.3, 0.1, 25),
            )
            for i, g in enumerate(groups)
        ],
        overlays=[
            CamOverlay(
                id=1000 + i,
                group=worst if i < 3 else 0,
                predicted=0,
                label=1 if i < 3 else 0,
                role="failure_in_worst_group" if i < 3 else "success_in_best_group",
                image=f"overlay_{i}.png",
                energy_in_mask=0.1 * (i + 1) if masks else None,
            )
            for i in range(6)
        ],
        seconds=20.0,
    )


def intervention(
    name: str,
    family: Any,
    groups: list[GroupInfo],
    *,
    change: float,
    flips: float,
    control: float | None = None,
) -> Intervention:
    """An intervention whose accuracy changes by `change` everywhere and a little more in the worst group."""
    return Intervention(
        name=name,
        family=family,
        description=f"{name.replace('_', ' ').capitalize()}, nothing else.",
        n_images=5794,
        accuracy=around(0.9 + change, 0.008, 5794),
        flip_rate=around(flips, 0.01, 5794),
        flip_rate_control=None if control is None else around(control, 0.006, 5794),
        accuracy_change=around(change, 0.008, 5794),
        worst_group=groups[0].name,
        worst_group_change=around(1.3 * change - 0.01, 0.03, 642),
        groups=[named(wilson(0.06, g.n_test), g.name, sufficient=g.n_test >= 100) for g in groups],
        label_changes=[
            named(around(change, 0.01, 900), label)
            for label in dict.fromkeys(label for g in groups for label in (g.label,))
        ],
        group_changes=[
            named(around(change, 0.03, g.n_test), g.name, sufficient=g.n_test >= 100) for g in groups
        ],
    )


def interventions(groups: list[GroupInfo], *, masks: bool, excess: float) -> list[Intervention]:
    found = [
        intervention("greyscale", "color", groups, change=-0.01, flips=0.05),
        intervention("patch_shuffle", "shape", groups, change=-0.25, flips=0.3),
    ]
    if masks:
        found[1:1] = [
            intervention(
                "background_swap",
                "background",
                groups,
                change=-0.8 * excess,
                flips=0.06 + excess,
                control=0.06,
            )
        ]
    return found


def cue_use(
    shift: float,
    *,
    cue: str = "place",
    values: tuple[str, ...] = ("land", "water"),
    cramers_v: float | None = 0.87,
    natural: float | None = None,
    n: int = 5794,
) -> CueUse:
    """Exchanges that shift predictions by `shift` in both directions; color's where there is no V."""
    is_attribute = cramers_v is not None
    name = "background_swap" if is_attribute else "color_exchange"
    return CueUse(
        cue=cue,
        is_attribute=is_attribute,
        values=list(values),
        association=None
        if cramers_v is None
        else CueAssociation(cramers_v=cramers_v, p_value=1e-9 if cramers_v > 0.1 else 0.9, n=4795),
        natural=around(shift if natural is None else natural, 0.02, n),
        carried=[Carried(name=name, share=around(0.97, 0.02, 400))],
        exchanges=[
            CueExchange(
                name=name,
                n_images=n,
                flip_rate=around(0.06 + abs(shift), 0.01, n),
                flip_rate_control=around(0.06, 0.006, n),
                up=around(shift, 0.015, n),
                down=around(shift, 0.015, n),
                size=around(shift, 0.01, n),
                is_balanced=True,
            )
        ],
    )


def color_agreement(excess: float) -> ColorAgreement:
    return ColorAgreement(
        n_errors=600,
        share=around(0.4 + excess, 0.04, 600),
        expected=0.4,
        excess=around(excess, 0.04, 600),
        p_value=0.001 if excess > 0.1 else 0.4,
    )


def hygiene_result(groups: list[GroupInfo], n_classes: int) -> HygieneResult:
    """A few leaking twins, one issue that one group has more of, uneven groups."""
    twins = [
        DuplicateSet(
            ids=[i, i + 50, i + 100],
            splits=["train", "val", "test"],
            labels=[0, 0, i % min(n_classes, 2)],
            similarity=0.98,
        )
        for i in range(3)
    ]
    return HygieneResult(
        provenance=PROVENANCE,
        n_images=11_788,
        duplicates=[
            DuplicateSummary(
                kind=kind,
                rule=rule,
                n_sets=n,
                n_images=3 * n,
                n_leaking=n,
                leaking=wilson(n / 5794, 5794),
                n_conflicting=n // 2,
                examples=twins[:n],
            )
            for kind, rule, n in (
                ("exact", "every pixel is the same", 0),
                ("near", "similarity of at least 0.95", 3),
            )
        ],
        issues=[
            ImageIssue(
                name=name,
                rule=f"A rule for {name} images.",
                n=120,
                share=wilson(0.01, 11_788),
                groups=[
                    named(wilson(0.03 if i == 0 else 0.005, g.n_test), g.name) for i, g in enumerate(groups)
                ],
                p_value=q and q / 2,
                q_value=q,
                examples=[3, 14, 15, 92],
            )
            for name, q in (("dark", 0.0002), ("grey", 0.6), ("blurry", None))
        ],
        balance=[
            Balance(
                over=over,
                split="train",
                n_cells=n,
                n_empty=0,
                smallest=56,
                smallest_name=groups[0].name,
                largest=3498,
                largest_name=groups[-1].name,
                effective_cells=0.6 * n,
            )
            for over, n in (("classes", n_classes), ("groups", len(groups)))
        ],
        seconds=8.0,
    )


def method_settings(epochs: int = 20) -> MethodSettings:
    """A few settings that are on and one that is off."""
    train = {"model": "small_resnet", "seeds": [0, 1, 2], "epochs": epochs, "lr": 0.02, "mixup": 0.0}
    return MethodSettings(train=train, method={"selection": "average", "identification": {"lr": 0.0005}})


def photo_birds(
    *, class_names: tuple[str, str] = ("landbird", "waterbird"), planted: bool = True
) -> ReportInputs:
    """A planted background shortcut (or none), two methods, masks, everything present."""
    land, water = class_names
    groups = [
        GroupInfo(name=f"{label} / {place}", label=label, attribute=place, n_train=t, n_val=v, n_test=n)
        for label, place, t, v, n in (
            (land, "land", 3498, 467, 2255),
            (land, "water", 184, 466, 2255),
            (water, "land", 56, 133, 642),
            (water, "water", 1057, 133, 642),
        )
    ]
    info = DatasetInfo(
        provenance=PROVENANCE,
        name="photo_birds",
        title="Birds on photographs",
        classes=[land, water],
        group_labels=[land, water],
        class_to_group_label=[0, 1],
        attributes=[
            AttributeInfo(
                name="place",
                values=["land", "water"],
                origin="annotated",
                description="What the bird stands on.",
            )
        ],
        groups=groups,
        n={"train": 4795, "val": 1199, "test": 5794},
        image_size=64,
        has_masks=True,
        n_label_flips=144,
        notes=["Three species are marked as waterbirds because their names contain “tern”."],
        channel_mean=[0.5, 0.5, 0.4],
        channel_std=[0.2, 0.2, 0.2],
        source_info=SourceInfo(
            source="Published archive",
            licence="not stated",
            citation="Sagawa et al. 2020",
            checksums={"birds.tar.gz": "d41d8cd98f00b204e9800998ecf8427e"},
        ),
    )
    table = [[3498, 184], [56, 1057]] if planted else [[1841, 1841], [557, 556]]
    association = Association(
        attribute="place",
        split="train",
        cramers_v=0.87 if planted else 0.0,
        p_value=1e-9 if planted else 0.9,
        n=4795,
        table=table,
    )
    before = [0.985, 0.78, 0.62, 0.95] if planted else [0.93, 0.935, 0.92, 0.925]
    after = [0.94, 0.90, 0.84, 0.90] if planted else [0.93, 0.93, 0.92, 0.93]
    matrix = np.full((4, 4), 0.002) + np.eye(4) * 0.03
    matrix[0, 2] = matrix[3, 1] = -0.021 if planted else 0.001
    labels = {"erm": ["class label"], "group_dro": ["class label", "group label (training and selection)"]}
    accuracies = {"erm": before, "group_dro": after}
    evaluations = {
        method: EvaluationResult(
            provenance=PROVENANCE,
            method=method,
            labels_used=labels[method],
            seeds=[0, 1, 2],
            selection="average" if method == "erm" else "worst_group",
            val=metrics(values, groups, split="val"),
            test=metrics(values, groups),
            interventions=interventions(
                groups, masks=True, excess=(0.22 if method == "erm" else 0.08) if planted else 0.004
            ),
            foreground_sensitivity=around(-0.4 if method == "erm" and planted else 0.3, 0.1, 2897),
            color_agreement=color_agreement(0.2 if method == "erm" and planted else 0.01),
            cue_use=cue_use(
                (0.22 if method == "erm" else 0.08) if planted else 0.004,
                cramers_v=0.87 if planted else 0.0,
            ),
        )
        for method, values in accuracies.items()
    }
    gain = after[2] - before[2]
    return ReportInputs(
        info=info,
        color=color_result(
            [land, water], [association], kappa=0.34 if planted else 0.01, p=0.001 if planted else 0.4
        ),
        settings=SETTINGS,
        evaluate_settings=EVALUATE_SETTINGS,
        color_settings=COLOR_SETTINGS,
        params_hash=PROVENANCE.params_hash,
        command="python -m pipeline report photo_birds",
        provenance=PROVENANCE,
        histories={m: history(m, values, labels=labels[m]) for m, values in accuracies.items()},
        method_settings={m: method_settings() for m in accuracies},
        evaluations=evaluations,
        attributions={
            "erm": prove(attribution_result("erm", groups, matrix, worst=2), groups)
            if planted
            else attribution_result("erm", groups, matrix, worst=2),
            "group_dro": attribution_result("group_dro", groups, matrix, worst=2).model_copy(
                update={"lds_reason": "not asked for: name it in retrain.methods"}
            ),
        },
        gradcams={m: gradcam_result(m, groups, masks=True, worst=2) for m in accuracies},
        cam_agreement=[
            MapAgreement(
                baseline="erm",
                method="group_dro",
                spearman=around(0.21, 0.04, 190),
                top_overlap=around(0.28, 0.03, 190),
                seed_spearman=around(0.44, 0.04, 190),
                seed_top_overlap=around(0.41, 0.03, 190),
                below_seeds=around(0.23, 0.04, 190),
            )
        ],
        outcomes={m: outcomes(i, maps=True) for i, m in enumerate(accuracies)},
        hygiene=hygiene_result(groups, 2),
        comparisons=[
            MethodComparison(
                baseline="erm",
                method="group_dro",
                group=groups[2].name,
                gain=around(gain, 0.04, 642),
                worst_group_gain=around(gain - 0.01, 0.045, 642),
                p_value=1e-4 if planted else 0.8,
                per_seed_gain=[gain - 0.02, gain, gain + 0.02],
            )
        ],
    )


def repaired_birds() -> ReportInputs:
    """`photo_birds` with a third method that leaves out the most harmful training images."""
    inputs = photo_birds()
    groups, worst = inputs.info.groups, inputs.info.groups[2].name
    values, labels = [0.96, 0.88, 0.81, 0.93], ["class label", "group label (removal and selection)"]
    evaluation = inputs.evaluations["group_dro"].model_copy(
        update={
            "method": "repair",
            "labels_used": labels,
            "val": metrics(values, groups, split="val"),
            "test": metrics(values, groups),
            "removal_controls": removal_controls(worst, groups[2].n_test),
        }
    )
    past = history("repair", values, labels=labels).model_copy(update={"removal": removal(groups, worst)})
    comparison = inputs.comparisons[0].model_copy(
        update={"method": "repair", "gain": around(0.19, 0.04, 642)}
    )
    return replace(
        inputs,
        evaluations={**inputs.evaluations, "repair": evaluation},
        outcomes={**inputs.outcomes, "repair": outcomes(2, maps=False)},
        histories={**inputs.histories, "repair": past},
        comparisons=[*inputs.comparisons, comparison],
    )


def hostile_birds() -> ReportInputs:
    """`photo_birds` whose class names attack the page."""
    inputs = photo_birds(class_names=(HOSTILE_CLASS, HOSTILE_NAMES[4]))
    info = inputs.info.model_copy(
        update={
            "title": HOSTILE_NAMES[1],
            "notes": HOSTILE_NAMES,
            "skipped": [f"bad/{n}.png" for n in HOSTILE_NAMES],
        }
    )
    color = color_result([HOSTILE_NAMES[3], HOSTILE_NAMES[2]], inputs.color.associations, kappa=0.3)
    hygiene = hygiene_result(info.groups, 2)
    return replace(inputs, info=info, color=color, hygiene=hygiene)


def plain_hundred() -> ReportInputs:
    """100 classes, 20 superclasses x 3 derived levels = 60 groups, no masks, one method and seed."""
    classes = [f"class {i:03d}" for i in range(100)]
    labels = [f"superclass {i:02d}" for i in range(20)]
    rng = np.random.default_rng(0)
    groups = [
        GroupInfo(
            name=f"{label} / {level}",
            label=label,
            attribute=level,
            n_train=int(rng.integers(200, 1200)),
            n_val=int(rng.integers(20, 120)),
            n_test=int(rng.integers(60, 260)),
        )
        for label in labels
        for level in ("dark", "medium", "bright")
    ]
    info = DatasetInfo(
        provenance=PROVENANCE,
        name="plain_hundred",
        title="One hundred plain classes",
        classes=classes,
        group_labels=labels,
        class_to_group_label=[i // 5 for i in range(100)],
        attributes=[
            AttributeInfo(
                name="ring_lightness",
                values=["dark", "medium", "bright"],
                origin="derived",
                description="Lightness of the outer border, cut at the terciles of the training images.",
            )
        ],
        groups=groups,
        n={"train": 45_000, "val": 5_000, "test": 10_000},
        image_size=32,
        has_masks=False,
        channel_mean=[0.5, 0.5, 0.4],
        channel_std=[0.2, 0.2, 0.2],
        source_info=SourceInfo(source="A local folder", licence="CC BY 4.0"),
    )
    accuracies = [float(a) for a in rng.uniform(0.45, 0.8, len(groups))]
    matrix = rng.normal(0, 0.01, (60, 60))
    return ReportInputs(
        info=info,
        color=color_result(classes, [], kappa=0.11),
        settings=SETTINGS,
        evaluate_settings=EVALUATE_SETTINGS,
        color_settings=COLOR_SETTINGS,
        params_hash=PROVENANCE.params_hash,
        command="python -m pipeline report plain_hundred",
        provenance=PROVENANCE,
        histories={"erm": history("erm", accuracies, labels=["class label"], seeds=1, epochs=8)},
        evaluations={
            "erm": EvaluationResult(
                provenance=PROVENANCE,
                method="erm",
                labels_used=["class label"],
                seeds=[0],
                selection="average",
                val=metrics(accuracies, groups, split="val", seeds=1),
                test=metrics(accuracies, groups, seeds=1),
                interventions=interventions(groups, masks=False, excess=0),
                foreground_sensitivity=None,
                color_agreement=color_agreement(0.02),
                cue_use=cue_use(0.004, cue="color", values=tuple(classes), cramers_v=None),
            )
        },
        attributions={"erm": attribution_result("erm", groups, matrix, worst=0)},
        gradcams={"erm": gradcam_result("erm", groups, masks=False, worst=0)},
        outcomes={"erm": outcomes(0, maps=True, seeds=1)},
        hygiene=hygiene_result(groups, 100),
    )


def bare() -> ReportInputs:
    """Data and colors only: no model was trained."""
    inputs = photo_birds()
    return replace(
        inputs,
        histories={},
        evaluations={},
        attributions={},
        gradcams={},
        outcomes={},
        cam_agreement=[],
        comparisons=[],
        method_settings={},
    )


def picture_source(inputs: ReportInputs) -> PictureSource:
    """Deterministic pictures: a disc on a gradient, its colors set by the id."""
    size = inputs.info.image_size
    grid = np.stack(np.mgrid[0:size, 0:size], axis=-1) / size

    def pixels(image: int) -> UInt8Array:
        hue = np.array([(image * 53) % 200 + 30, (image * 97) % 200 + 30, (image * 29) % 200 + 30])
        disc = ((grid - 0.5) ** 2).sum(-1) < 0.08
        picture = np.where(disc[..., None], hue, 255 * grid.mean(-1, keepdims=True))
        return picture.astype(np.uint8)

    def overlay(method: str, name: str) -> UInt8Array:
        heat = np.exp(-20 * ((grid - 0.3) ** 2).sum(-1, keepdims=True)) * np.array([255, 60, 30])
        return np.clip(0.5 * pixels(len(method) + len(name)) + heat, 0, 255).astype(np.uint8)

    return PictureSource(
        pixels=pixels,
        overlay=overlay,
        heat=lambda method, image: overlay(method, str(image)),
        train_ids={g: list(range(g, 200, len(inputs.info.groups))) for g in range(len(inputs.info.groups))},
        file_name=lambda image: f"images/{image:05d}.png",
        known_wrong=frozenset(range(0, 200, 11)),
    )
