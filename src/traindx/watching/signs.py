"""The signs of the catalogue's causes, read from the curves of a run that nobody repeated.

The rules of a diagnosis weigh them. What a rule would race to settle its cause is what the finding names; here nothing is raced, so that a
strong sign makes a suspicion and no more.
"""

from __future__ import annotations

import math

import numpy as np

from traindx.diagnosis import RULES, Rule
from traindx.diagnosis.reading import Reading
from traindx.diagnosis.rules.base import ratio
from traindx.experiments.baseline import gradient_signs, layer_signs
from traindx.records import Branch, Curve, Evidence, Finding, Run, Standing
from traindx.watching.rise import LEAST_POINTS, NOISES, RATE_RISEN, Kind, Rise, late_level, rise_of

# Causes with direct signs in a run alone, and how strong the sign must be.
WATCHED, STRONG = ("vanishing-gradient", "exploding-gradient", "dead-units", "saturating-activation"), 0.8
# The confidence in a sign of full strength: about one suspicion in two of this kind is confirmed by its experiment.
BY_SIGN = 0.5
# The confidence where the loss left its level once the rate had risen: something else that happened just then would be a rare coincidence.
BY_RATE = 0.8
# A change of a loss counts from this share of what the loss has fallen in all.
LEAST_SHARE = 0.1
# The validation loss had its minimum before this share of the run, or the rate was spent before it.
EARLY = 0.75
# A rate below this share of its highest is spent.
SPENT = 0.01


def suspicions(run: Run) -> tuple[Finding, ...]:
    """Causes with strong direct signs in what was observed so far; good at any time of a training."""
    reading = Reading(_evidence(run))
    found = [(rule.sign(reading), rule) for rule in RULES if rule.cause in WATCHED]
    risen = _risen(run)
    return (*((risen,) if risen else ()), *(_by_rule(rule, sign, reading) for sign, rule in found if sign >= STRONG))


def _by_rule(rule: Rule, sign: float, reading: Reading) -> Finding:
    remedies = rule.remedies(reading)
    tried = f"; what would settle it: {', '.join(str(r) for r in remedies)}" if remedies else ""
    return rule.finding(Standing.SUSPECTED, BY_SIGN * sign, f"its signs are strong in the curves{tried}", rule.signs(reading), remedies)


def _evidence(run: Run) -> list[Evidence]:
    """The measures that rules read, as far as a run alone has them."""
    losses = np.array(run.curves.get("batch_loss", Curve()).values)
    measures = {**gradient_signs(run), **layer_signs(run)}
    if len(losses) >= LEAST_POINTS:
        measures |= {"train_loss": late_level(losses), "initial_loss": float(np.median(losses[:3]))}
    found = [_measured("baseline", name, value, run) for name, value in measures.items() if not math.isnan(value)]
    for part, measure in (("zero", "dead_share"), ("pinned", "pinned_share")):
        first = [c.values[0] for name, c in run.curves.items() if name.startswith(f"activation/{part}/") and len(c)]
        if first:
            found.append(_measured("audit", measure, max(first), run))
    outcome = {"outcome": run.outcome.value}
    return [*found, Evidence(experiment="baseline", measure="outcome", value=1.0, text=run.reason, details=outcome, runs=(run.key,))]


def _measured(experiment: str, measure: str, value: float, run: Run) -> Evidence:
    return Evidence(experiment=experiment, measure=measure, value=value, runs=(run.key,), step=run.steps)


# --- What only a finished run shows --------------------------------------------------------------------------------------------------


def of_finished(run: Run) -> tuple[Finding, ...]:
    """What the curves of a finished run show besides: losses that are not finite, an early minimum, an unfinished fall, a spent rate."""
    found = [look(run) for look in (_not_finite, _trained_too_long, _spent_early, _trained_too_briefly)]
    return (*(f for f in found if f is not None), *suspicions(run))


def cannot_tell(run: Run) -> tuple[str, ...]:
    """What curves like these leave open, and what would tell."""
    said = ["Whether a lower loss can be reached: that takes reference models on the data, by `traindx diagnose` of a task."]
    if "validation_loss" not in run.curves:
        said.append("Overfitting: no validation loss was logged.")
    if "gradient_norm" not in run.curves:
        said.append("Vanishing or exploding gradients: no gradient norm was logged.")
    return (*said, "Defects of the training code: these are seen by `tdx.watch` while it runs.")


def _finding(
    cause: str, branch: Branch, confidence: float, text: str, settles: str, measure: str, value: float, threshold: float | None, run: Run
) -> Finding:
    evidence = Evidence(experiment="curves", measure=measure, value=value, threshold=threshold, runs=(run.key,), step=run.steps, text=text)
    summary = f"{text}; what would settle it: {settles}"
    return Finding(cause=cause, branch=branch, standing=Standing.SUSPECTED, confidence=confidence, summary=summary, evidence=(evidence,))


def _not_finite(run: Run) -> Finding | None:
    curve = run.curves.get("batch_loss", Curve())
    broken = next((s for s, v in zip(curve.steps, curve.values, strict=True) if not math.isfinite(v)), None)
    if broken is None:
        return None
    text = f"the loss is not finite from step {broken} on"
    return _finding(
        "non-finite-loss", Branch.DEFECT, 0.9, text, "watch the loop: the operation is then named", "first_step", broken, None, run
    )


def _trained_too_long(run: Run) -> Finding | None:
    """A minimum of the validation loss well before the end, and a rise since that is no noise."""
    curve = run.curves.get("validation_loss", Curve())
    values = np.array(curve.values)
    if len(values) < LEAST_POINTS or not np.isfinite(values).all():
        return None
    lowest = int(values.argmin())
    rise, needed = late_level(values) - values[lowest], max(NOISES * _noise(values), LEAST_SHARE * (values[0] - values[lowest]))
    if lowest > EARLY * len(values) or not rise > needed > 0:
        return None
    text = f"the validation loss was lowest at step {curve.steps[lowest]} ({values[lowest]:.3g}) and has risen to {late_level(values):.3g} since"
    return _finding("trained-too-long", Branch.OVERFITTING, 0.6, text, "stop-early", "rise", float(rise), float(needed), run)


def _trained_too_briefly(run: Run) -> Finding | None:
    """A fall over the last quarter that is no noise, in training and, where it was logged, in validation."""
    falls = []
    for name in ("batch_loss", "validation_loss"):
        values = np.array(run.curves.get(name, Curve()).values)
        if name == "validation_loss" and not len(values):
            continue
        if len(values) < LEAST_POINTS or not np.isfinite(values).all():
            return None
        half = values[-max(2, len(values) // 4) :]
        before, after = np.array_split(half, 2)
        fall, error = float(before.mean() - after.mean()), _noise(values) * math.sqrt(1 / len(before) + 1 / len(after))
        needed = max(NOISES * error, 0.5 * LEAST_SHARE * (float(np.median(values[:3])) - late_level(values)))
        falls.append((fall, needed))
    if not falls or not all(fall > needed > 0 for fall, needed in falls):
        return None
    text = f"the loss was still falling when the run ended, by {falls[0][0]:.2g} from one eighth of the run to the next"
    return _finding("trained-too-briefly", Branch.OPTIMIZATION, 0.5, text, "more-epochs", "fall", *falls[0], run)


def _risen(run: Run) -> Finding | None:
    """A loss that has left its level for good, before any that is not finite; with the rate, where that had risen."""
    losses, rates, updates = (run.curves.get(name, Curve()) for name in ("batch_loss", "learning_rate", "update_ratio"))
    rise = rise_of(losses, rates, updates, [curve for name, curve in run.curves.items() if name.startswith("layer_gradient/")])
    if rise is None:
        return None
    confidence = BY_RATE if rise.rates.rose else BY_SIGN
    settles = "scale-rate(factor=0.1)"
    value = ratio(rise.end, rise.before)
    found = _finding(
        "learning-rate-too-high", Branch.OPTIMIZATION, confidence, _said_of(rise), settles, "ratio_to_before", value, rise.threshold, run
    )
    told = () if rise.kind is Kind.BROKEN else (found.evidence[0].replace(step=rise.step),)
    return found.replace(evidence=(*told, *_risen_rate(rise, run)))


def _said_of(rise: Rise) -> str:
    """What rose, and when."""
    match rise.kind:
        case Kind.BROKEN:
            said = f"the loss stood at {rise.end:.3g}"
        case Kind.BACK:
            said = f"the loss is back at {rise.end:.3g}, where it began ({rise.before:.3g}), from {rise.lowest:.3g}, away from that level since step {rise.step}"
        case Kind.THROWN:
            said = f"the loss jumped from {rise.before:.3g} to {rise.end:.3g} at step {rise.step}, and has not been below {rise.lowest:.3g} since"
        case Kind.DIED:
            said = f"the loss jumped from {rise.before:.3g} to {rise.end:.3g} at step {rise.step}, and a layer receives no gradient since"
        case _:
            said = f"the loss rose from {rise.lowest:.3g} to {rise.end:.3g}, away from its level since step {rise.step}"
    if rise.rates.rose:
        said += f", the learning rate having risen from {rise.rates.before:.3g} to {rise.rates.then:.3g}"
    return said + (f", and is not finite from step {rise.broken_at} on" if rise.broken_at is not None else "")


def _risen_rate(rise: Rise, run: Run) -> tuple[Evidence, ...]:
    rates = rise.rates
    if not rates.rose:
        return ()
    text = f"the learning rate had risen to {rates.then:.3g}, from at most {rates.before:.3g} in the first half of the updates until then"
    value = rates.then / rates.before
    return (
        Evidence(
            experiment="curves", measure="rate_ratio", value=value, threshold=RATE_RISEN, step=rates.until, runs=(run.key,), text=text
        ),
    )


def _spent_early(run: Run) -> Finding | None:
    """A rate that was spent well before the end."""
    curve = run.curves.get("learning_rate", Curve())
    values = np.array(curve.values)
    if len(values) < LEAST_POINTS or not values.max() > 0:
        return None
    peak = int(values.argmax())
    spent = next((i for i in range(peak, len(values)) if (values[i:] < SPENT * values[peak]).all()), len(values))
    if spent >= EARLY * len(values):
        return None
    text = f"the learning rate was below {SPENT:.0%} of its highest from step {curve.steps[spent]} of {curve.steps[-1]} on"
    settles = "set-schedule(schedule=constant)"
    return _finding(
        "learning-rate-decays-too-fast", Branch.OPTIMIZATION, 0.5, text, settles, "share_of_the_run", spent / len(values), EARLY, run
    )


def _noise(values: np.ndarray) -> float:
    """The standard deviation around the trend, from differences of neighbours over the last half."""
    late = values[len(values) // 2 :]
    return float(np.diff(late).std() / math.sqrt(2)) if len(late) > 2 else 0.0
