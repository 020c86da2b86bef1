"""The baseline run and the signs in it: what was lost, how it moved, what its gradients did.

Signs only order the suspects. Every one is a plain number; the rules hold them against named thresholds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from traindx.experiments.base import Lab
from traindx.records import Curve, Evidence, Outcome, Question, Run

# A loss that fell by less than this share of where it began has not fallen.
LEAST_FALL = 0.1


class Baseline:
    """Trains the untouched task once and reads the run."""

    name, title, version, reads_test = "baseline", "baseline run", 4, False

    def run(self, lab: Lab, question: Question) -> Sequence[Evidence]:
        """Losses and metrics with intervals, and the signs."""
        run = lab.baseline()
        where = {"runs": (run.key,), "seeds": (run.seed,), "step": run.steps}
        finals = ("train_loss", "validation_loss", "train_metric", "validation_metric")
        found = [_ending(run), *(_final(run, name) for name in finals if name in run.curves)]
        signs = {**_loss_signs(run), **_averaged_signs(run), **gradient_signs(run), **layer_signs(run)}
        signs |= {"updates": float(lab.total), "epochs": run.epochs, "updates_per_epoch": float(lab.per_epoch)}
        return [*found, *(Evidence(experiment="baseline", measure=m, value=v, **where) for m, v in signs.items() if not math.isnan(v))]


def _ending(run: Run) -> Evidence:
    return Evidence(
        experiment="baseline",
        measure="outcome",
        value=float(run.outcome is Outcome.FINISHED),
        text=f"{run.outcome.value}: {run.reason}" if run.reason else run.outcome.value,
        details={"outcome": run.outcome.value},
        runs=(run.key,),
        seeds=(run.seed,),
    )


def _final(run: Run, name: str) -> Evidence:
    error = run.spread.get(name, math.nan)
    value = run.last(name)
    low, high = (value - 1.96 * error, value + 1.96 * error) if math.isfinite(error) else (None, None)
    if run.outcome is Outcome.DIVERGED:
        value, low, high = math.inf if name.endswith("loss") else math.nan, None, None
    return Evidence(
        experiment="baseline", measure=name, value=value, low=low, high=high, runs=(run.key,), seeds=(run.seed,), step=run.steps
    )


def _loss_signs(run: Run) -> dict[str, float]:
    """How the losses moved: initial, lowest, where the lowest validation loss was, the fall over the last quarter."""
    train, validation = run.curves.get("train_loss", Curve()), run.curves.get("validation_loss", Curve())
    if len(train) < 2:
        return {}
    values = np.array(validation.values)
    best = int(np.nanargmin(values)) if np.isfinite(values).any() else len(values) - 1
    return {
        "initial_loss": train.values[0],
        "initial_metric": run.curves["train_metric"].values[0] if "train_metric" in run.curves else math.nan,
        "lowest_train_loss": float(np.nanmin(train.values)),
        "lowest_validation_loss": float(values[best]),
        "lowest_validation_step": float(validation.steps[best]),
        "highest_batch_loss": _highest(run.curves["batch_loss"]),
        "last_quarter_fall": train.at(int(run.steps * 0.75)) - train.last,
        "last_half_fall": train.at(run.steps // 2) - train.last,
        "validation_last_half_fall": validation.at(run.steps // 2) - validation.last,
        "batch_loss_noise": _late_noise(run.curves["batch_loss"]),
        "late_jumps": _late_noise(train),
        "plateau_share": _plateau(train),
        "lost_again_share": _lost_again(train),
    }


def _averaged_signs(run: Run) -> dict[str, float]:
    """What the mean of the late weights loses less than the last weights do."""
    kept = {name: run.curves[f"averaged/{name}"] for name in ("train_loss", "validation_loss") if f"averaged/{name}" in run.curves}
    return {f"averaging_gains_{name}": run.last(name) - curve.last for name, curve in kept.items()}


def _plateau(losses: Curve) -> float:
    """The share of the training during which the loss stays within a fiftieth of where it began."""
    start = losses.values[0]
    left = next((s for s, v in zip(losses.steps, losses.values, strict=True) if not abs(v - start) <= abs(start) / 50), losses.steps[-1])
    return left / max(losses.steps[-1], 1)


def _lost_again(losses: Curve) -> float:
    """The share of what the training loss had fallen by, at its lowest, that was lost again at the end; NaN where it had hardly fallen."""
    start, lowest = losses.values[0], min((v for v in losses.values if math.isfinite(v)), default=math.nan)
    return (losses.last - lowest) / (start - lowest) if start - lowest > LEAST_FALL * abs(start) else math.nan


def _highest(losses: Curve) -> float:
    return max((v for v in losses.values if math.isfinite(v)), default=math.nan)


def _late_noise(losses: Curve) -> float:
    """Standard deviation of a loss around its trend over the last half."""
    late = np.array(losses.values[len(losses) // 2 :])
    return float(np.diff(late).std() / math.sqrt(2)) if len(late) > 3 and np.isfinite(late).all() else math.nan


def gradient_signs(run: Run) -> dict[str, float]:
    """Middle, first, highest and late values of what was recorded of gradients, updates and the rate."""
    signs = {}
    for name in ("update_ratio", "gradient_cosine", "gradient_norm", "learning_rate"):
        values = np.array(run.curves[name].values) if name in run.curves and len(run.curves[name]) else np.array([math.nan])
        signs[f"median_{name}"] = float(np.nanmedian(values)) if np.isfinite(values).any() else math.nan
        if np.isfinite(values).any():
            signs[f"first_{name}"] = float(values[0])
            signs[f"highest_{name}"], signs[f"mean_{name}"] = float(np.nanmax(values)), float(np.nanmean(values))
        half, late = values[len(values) // 2 :], values[len(values) * 3 // 4 :]
        if name == "learning_rate" and signs.get("highest_learning_rate", 0.0) > 0:
            signs["last_half_rate_share"] = float(np.nanmean(half)) / signs["highest_learning_rate"]
        signs[f"late_{name}"] = float(np.nanmedian(late)) if np.isfinite(late).any() else math.nan
    return signs


def layer_signs(run: Run) -> dict[str, float]:
    """Gradients of the weights against each other (root mean square an entry), and shares of units dead or pinned."""
    layers = [curve for name, curve in run.curves.items() if name.startswith("layer_gradient/")]
    signs: dict[str, float] = {"weight_layers": float(len(layers))}
    if len(layers) >= 3 and layers[-1].values[0] > 0:
        signs["first_last_gradient_ratio"] = layers[0].values[0] / layers[-1].values[0]
        start = [curve.values[0] for curve in layers]
        if min(start) > 0:
            signs["gradient_decay_per_layer"] = float(np.exp(np.polyfit(range(len(start)), np.log(start), 1)[0]))
    middles = [m for curve in layers if math.isfinite(m := float(np.median(curve.values))) and m > 0]
    if len(middles) >= 2:
        signs["gradient_spread"] = max(middles) / min(middles)
    spreads = [curve.values[0] for name, curve in run.curves.items() if name.startswith("activation/std/")]
    spreads = spreads[:-1]  # the output layer's own scale is no drift
    if len(spreads) >= 2 and min(spreads) > 0:
        signs["activation_scale_ratio"] = spreads[-1] / spreads[0]
    for part in ("zero", "pinned"):
        shares = [curve for name, curve in run.curves.items() if name.startswith(f"activation/{part}/")]
        if shares:
            signs[f"initial_{part}_share"] = float(np.mean([curve.values[0] for curve in shares]))
            signs[f"final_{part}_share"] = float(np.mean([curve.last for curve in shares]))
    return signs
