"""How often rung 2 says that a model uses a cue: `python -m benchmarks.used_cues`.

Small networks are trained on digits with one planted cue (`planted_cues`) under three conditions:

- null: the cue is independent of the class in training; *yes* is false
- biased: it goes with nine of ten labels, of which a quarter is wrong; *yes* is right
- innocent: the data are biased, but the network was trained without the bias; *yes* is false, although the
  cue is there to be used and its exchange may be as strange to the network as on the null

Beside the verdict stands what drawing the test images again with the other value does to predictions.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from typing import NamedTuple

import numpy as np
import torch
from joblib import Parallel, delayed

from benchmarks.planted_cues import CUES, CueName, Twin, make_twin, repaint, train_network
from pipeline.core.types import Int64Array
from pipeline.explain.reliance.changed import Editor, predict_classes
from pipeline.explain.reliance.cue_use import choose_cue, measure_cue_use
from pipeline.explain.reliance.interventions import SWAP
from pipeline.plan.params_file import read_params
from pipeline.records.evaluation import EvaluationResult
from pipeline.records.verdict import Rung
from pipeline.verdict.cue.used import judge_used
from pipeline.verdict.evidence.rules import choose_thresholds

MIN_EFFECT = 0.05  # as in params.yaml
CONDITIONS = ("null", "biased", "innocent")


class Found(NamedTuple):
    cue: str
    condition: str
    method: str
    rung: Rung
    exchange: str
    carried: str
    true_shift: float
    seconds: float


def audit(cue: CueName, condition: str, seed: int, method: str = "erm") -> Found:
    """Train one network, measure its reliance and judge it as the report does."""
    torch.set_num_threads(1)
    test_agreement = {"null": 0.5, "biased": 0.1 if cue == "ink" else 0.5, "innocent": 0.9}[condition]
    twin = make_twin(cue, seed, agreement=0.5 if condition == "null" else 0.9, test_agreement=test_agreement)
    learned = make_twin(cue, seed, agreement=0.5, noise=0) if condition == "innocent" else twin
    model = train_network(learned, seed, method=method)
    entry = read_params().dataset("photo_digits")
    predicted_SN = predict_classes([model], twin.test.images)
    started = time.perf_counter()
    rows = np.arange(len(twin.test))
    swap = Editor([model], twin.test, twin.info, seed).predict_masked(rows).get(SWAP)
    cue_use = measure_cue_use(
        choose_cue(twin.train, twin.test, twin.info, np.zeros(len(rows), np.int64)),
        models=[model],
        test=twin.test,
        rows=rows,
        predicted_SN=predicted_SN,
        swap=swap,
        seed=seed,
    )
    seconds = time.perf_counter() - started
    # the rung reads nothing else of an evaluation
    result = EvaluationResult.model_construct(method=method, interventions=[], cue_use=cue_use)
    limits = choose_thresholds(
        min_effect=entry.report.min_effect,
        min_test=entry.evaluate.min_test,
        min_val=entry.evaluate.min_val,
        min_kappa=entry.color.min_kappa,
    )
    rung = judge_used(result, None, limits)
    shares = {c.name: c.share.value if c.share else float("nan") for c in cue_use.carried}
    return Found(
        cue,
        condition,
        method,
        rung,
        " ".join(e.name for e in cue_use.exchanges),
        " ".join(f"{k.split('_')[0]} {v:.2f}" for k, v in shares.items()),
        true_shift(twin, predicted_SN, predict_classes([model], repaint(twin, cue, seed).images)),
        seconds,
    )


def true_shift(twin: Twin, before_SN: Int64Array, after_SN: Int64Array) -> float:
    """Towards the class of the value that images were drawn again with, mean over label x value."""
    other_N = 1 - twin.test.attributes
    shift_N = ((after_SN == other_N) * 1.0 - (before_SN == other_N)).mean(axis=0)
    return float(np.mean([shift_N[twin.test.groups == group].mean() for group in range(4)]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--cues", nargs="*", default=CUES)
    parser.add_argument("--conditions", nargs="*", default=CONDITIONS)
    parser.add_argument("--methods", nargs="*", default=["erm"])
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--jobs", type=int, default=1)
    chosen = parser.parse_args()
    tasks = [
        (cue, condition, seed, method)
        for condition in chosen.conditions
        for method in chosen.methods
        for cue in chosen.cues
        for seed in range(chosen.seeds)
    ]
    found: list[Found] = Parallel(n_jobs=chosen.jobs)(delayed(audit)(*task) for task in tasks)
    for condition in chosen.conditions:
        for method in chosen.methods:
            for cue in chosen.cues:
                rows = [f for f in found if (f.cue, f.condition, f.method) == (cue, condition, method)]
                count = Counter(f.rung.status for f in rows)
                sizes = [f.rung.estimate.value for f in rows if f.rung.estimate]
                size = f"{min(sizes):+.3f} to {max(sizes):+.3f}" if sizes else "none"
                true = [f.true_shift for f in rows]
                false_yes = sum(f.rung.status == "yes" and f.true_shift < MIN_EFFECT for f in rows)
                print(
                    f"{condition:9} {method:9} {cue:11} yes {count['yes']:2}  insufficient "
                    f"{count['insufficient']:2}  no {count['no']:2}  shift {size}  "
                    f"repainted {min(true):+.3f} to {max(true):+.3f}  false yes {false_yes}"
                    f"  {np.mean([f.seconds for f in rows]):.2f} s"
                )
                if chosen.verbose:
                    for f in rows:
                        print("   ", f.rung.status, "|", f.exchange, "|", f.carried, "|", f.rung.evidence)


if __name__ == "__main__":
    main()
