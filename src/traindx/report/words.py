"""Numbers into words: how a value, an interval, a duration and one piece of evidence are said."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

from traindx.records import Cost, Curve, Evidence, Finding, Recipe, Run, Standing
from traindx.report.signs import DATA, OPPOSITE, SIGNS

SUBJECTS: Final = {
    "constant": "constant prediction",
    "linear": "linear model",
    "nearest-neighbours": "nearest neighbours",
    "gradient-boosting": "gradient boosting",
    "small-network": "small network",
    "convolutional-network": "small convolutional network",
}
"""The reference models, from the least to the most flexible, as a reader calls them."""

QUANTITIES: Final = {
    "train_loss": "training loss",
    "validation_loss": "validation loss",
    "test_loss": "test loss",
    "train_metric": "training metric",
    "validation_metric": "validation metric",
    "test_metric": "test metric",
    "batch_loss": "loss on the batches",
    "out_of_fold_loss": "out-of-fold loss",
    "out_of_fold_metric": "out-of-fold metric",
    "auc": "AUC",
    "lr": "learning rate",
}


SHARES: Final = frozenset(
    {
        "recovered",
        "share",
        "contradicted_among_surest",
        "planned_warmup",
        "pure_error",
        "explained",
        "explained_shifted",
        "agreement",
        "outlying_targets",
        "exchanged_targets",
        "rare_recall",
        "recall_gain",
        "gain_of_naming",
        "shifted_features",
        "label_distance",
        "targets_out_of_reach",
    }
)
REFUSED: Final = "not-applicable"
"""The measure of an experiment that could not be made; its text is the missing precondition."""
OBSERVED: Final = ("watch", "curves")
"""Experiments that watch, and make nothing."""
USUAL_INTERVAL: Final = "95% interval"


def clean(text: str) -> str:
    """The text on one line without control characters: a name cannot steer the terminal or break a page."""
    return "".join(c if c.isprintable() else "\ufffd" for c in " ".join(text.split()))


def quantity(name: str) -> str:
    """A curve's or measure's name as words: ``train_loss`` is "training loss"."""
    return QUANTITIES.get(name, clean(name.replace("_", " ").replace("-", " ")))


def subject(name: str) -> str:
    """A reference model's name as words; any other name unchanged."""
    return SUBJECTS.get(name, clean(name))


def number(value: float) -> str:
    """Three significant digits; large integers in full; NaN and infinities in words."""
    if math.isnan(value):
        return "not a number"
    if math.isinf(value):
        return "infinity" if value > 0 else "-infinity"
    size = abs(value)
    if value == int(value) and size < 1e7:
        return str(int(value))
    if 1000 <= size < 1e6:
        return f"{value:.0f}"
    if 1e-3 <= size < 1000:
        return f"{value:.3g}"
    mantissa, exponent = f"{value:.2e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"


def apart(first: float, second: float) -> tuple[str, str]:
    """Two numbers in as many digits as it takes to tell them apart; equal ones alike."""
    said = number(first), number(second)
    if said[0] != said[1] or not (math.isfinite(first) and math.isfinite(second)):
        return said
    digits = next((d for d in range(4, 10) if f"{first:.{d}g}" != f"{second:.{d}g}"), 0)
    return (f"{first:.{digits}g}", f"{second:.{digits}g}") if digits else said


def mean(values: Sequence[float]) -> str:
    """The mean of the finite values, and how many are none."""
    finite = [v for v in values if math.isfinite(v)]
    if not finite:
        return number(math.nan)
    missing = f" ({len(finite)} of {len(values)} finite)" if len(finite) < len(values) else ""
    return number(sum(finite) / len(finite)) + missing


def percent(value: float) -> str:
    """A share as a percentage: 0.934 is "93%"; one decimal where whole percents would round to 0 or 100."""
    if not math.isfinite(value):
        return number(value)
    if 0 < value < 0.001 or 0.999 < value < 1:
        return "under 0.1%" if value < 0.5 else "over 99.9%"
    digits = 1 if 0 < value < 0.01 or 0.99 < value < 1 else 0
    return f"{100 * value:z.{digits}f}%"


def duration(seconds: float) -> str:
    """Wall time in the two largest units that fit: "0.4 s", "12 s", "3 min 5 s", "2 h 10 min"."""
    if not math.isfinite(seconds):
        return number(seconds)
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def plural(count: int, noun: str) -> str:
    """A count with its noun: "1 seed", "3 seeds"."""
    return f"{count} {noun}" + ("" if count == 1 else "s")


def cost(spent: Cost) -> str:
    """What a diagnosis took, in baseline runs and seconds."""
    times = f"; {number(spent.ratio)} times as long as one baseline run" if math.isfinite(spent.ratio) else ""
    return f"{number(round(spent.runs, 2))} baseline run{'' if spent.runs == 1 else 's'}, {duration(spent.seconds)}{times}"


def openings(count: int) -> str:
    """How often the sealed test set was looked at."""
    if count == 0:
        return "The test set was never opened."
    wider = " Its intervals are widened accordingly." if count > 1 else ""
    return f"The test set was opened {'once' if count == 1 else 'twice' if count == 2 else f'{count} times'}.{wider}"


def level_name(evidence: Evidence) -> str:
    """What ``low`` and ``high`` are: a 95 % interval unless the details say otherwise."""
    said = evidence.details.get("interval", evidence.details.get("level"))
    if isinstance(said, str):
        return clean(said)
    if isinstance(said, float) and 0 < said < 1:
        return f"{100 * said:g}% interval"
    return USUAL_INTERVAL


def interval(evidence: Evidence, say: Callable[[float], str] = number) -> str:
    """The bounds of the value, "0.30 to 0.33"; empty when there are none."""
    return bounds(evidence.low, evidence.high, say)


def bounds(low: float | None, high: float | None, say: Callable[[float], str] = number) -> str:
    """Two bounds in words; one that is missing or not a number is left out."""
    low, high = (None if end is None or math.isnan(end) else end for end in (low, high))
    if low is not None and high is not None:
        return f"{say(low)} to {say(high)}"
    if low is not None:
        return f"at least {say(low)}"
    return f"at most {say(high)}" if high is not None else ""


def says_share(evidence: Evidence) -> bool:
    """Whether the value is a share of a whole, read best as a percentage."""
    return evidence.measure in SHARES or evidence.measure.endswith(("_share", "-share"))


def say(evidence: Evidence) -> Callable[[float], str]:
    """How the value of this evidence is written: as a percentage or as a number."""
    return percent if says_share(evidence) else number


def value_with_interval(evidence: Evidence) -> str:
    """The value and, in brackets, its interval."""
    between = interval(evidence, say(evidence))
    return say(evidence)(evidence.value) + (f" ({level_name(evidence)} {between})" if between else "")


def against(evidence: Evidence) -> str:
    """Where the value lies with respect to its threshold: ", above the threshold of 0.6"; empty without one."""
    if evidence.threshold is None:
        return ""
    if math.isnan(evidence.value):
        return f", to be held against the threshold of {say(evidence)(evidence.threshold)}"
    side = "above" if evidence.value > evidence.threshold else "below" if evidence.value < evidence.threshold else "at"
    return f", {side} the threshold of {say(evidence)(evidence.threshold)}"


def sample(evidence: Evidence) -> str:
    """What stands behind the value: "3 seeds, 6 runs, to step 400"; empty when it was measured without a run."""
    parts = [plural(len(evidence.seeds), "seed")] if evidence.seeds else []
    parts += [plural(len(evidence.runs), "run")] if evidence.runs else []
    parts += [f"to step {evidence.step}"] if evidence.step is not None else []
    return ", ".join(parts)


def explain(evidence: Evidence) -> str:
    """One sentence that says one piece of evidence; unknown experiments and measures are said plainly, never left out."""
    made = _not_applicable if evidence.measure == REFUSED else _sentence_of(evidence)
    sentence = made(evidence)
    return clean(sentence).rstrip(".") + "."


def _sentence_of(evidence: Evidence) -> Callable[[Evidence], str]:
    """What a watch or a log showed comes in its own words, whatever its measure."""
    own = _said if evidence.experiment in OBSERVED else _plainly
    return _SENTENCES.get((evidence.experiment, evidence.measure), own)


def brief(evidence: Evidence) -> str:
    """The same in few words, for a table: "learning-rate(factor=0.1) recovers 98% (92% to 103%), threshold 50%, 3 seeds"."""
    if (evidence.experiment, evidence.measure) != ("intervention", "recovered"):
        return explain(evidence)
    between = interval(evidence, percent)
    held = f", threshold {percent(evidence.threshold)}" if evidence.threshold is not None else ""
    seeds = f", {plural(len(evidence.seeds), 'seed')}" if evidence.seeds else ""
    if math.isnan(evidence.value):
        return clean(f"{_name(evidence)}: what it recovers is not a number{seeds}")
    return clean(f"{_name(evidence)} recovers {percent(evidence.value)}{f' ({between})' if between else ''}{held}{seeds}")


def _name(e: Evidence) -> str:
    return e.subject or str(e.remedy or "the intervention")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _plainly(e: Evidence) -> str:
    named = quantity(e.measure) + (f" of {subject(e.subject)}" if e.subject else "") + f" is {value_with_interval(e)}{against(e)}"
    return _capital(f"{e.text.rstrip('. ')}: {named}" if e.text else f"{quantity(e.experiment)}: {named}")


def _sign(e: Evidence) -> str:
    """What was measured of the whole; what was measured of one part, or was not to be had, is said plainly."""
    if e.subject or e.text or math.isnan(e.value):
        return _plainly(e)
    said = SIGNS[e.experiment, e.measure]
    word = next((word for word in OPPOSITE if word in said), "")
    if word and e.value < 0:
        return _capital(said.replace(word, OPPOSITE[word]).format(say(e)(-e.value))) + against(e)
    return _capital(said.format(value_with_interval(e))) + against(e)


def _not_applicable(e: Evidence) -> str:
    what = (
        _name(e)
        if e.experiment == "intervention"
        else _capital(quantity(e.experiment)) + (f" of {subject(e.subject)}" if e.subject else "")
    )
    return f"{what}: not applicable" + (f" ({e.text.rstrip('. ')})" if e.text else "")


def _outcome(e: Evidence) -> str:
    return f"The baseline run ended so: {e.text or e.details.get('outcome', 'unknown')}"


def _reference(e: Evidence) -> str:
    return f"{_capital(subject(e.subject))}: {quantity(e.measure)} {value_with_interval(e)}{against(e)}"


def _network(e: Evidence) -> str:
    return f"The network's {quantity(e.measure)} is {value_with_interval(e)}{against(e)}"


def _reachable(e: Evidence) -> str:
    by = f", as the {subject(e.subject)} shows" if e.subject else ""
    return f"A loss of {value_with_interval(e)} is reachable on the same rows{by}"


def _two_sample(e: Evidence) -> str:
    what = f" by {clean(e.subject)}" if e.subject else ""
    return (
        f"A classifier tells test rows from training rows{what} with an AUC of {value_with_interval(e)}{against(e)}; 0.5 is no difference"
    )


def _learning_curve(e: Evidence) -> str:
    share = e.details.get("share")
    rows = f"{percent(float(share))} of the training rows" if isinstance(share, int | float) else "a part of the training rows"
    return f"With {rows} the {quantity(e.measure)} is {value_with_interval(e)}{against(e)}"


def _doubling(e: Evidence) -> str:
    return f"Twice the training rows lower the validation loss by {value_with_interval(e)}{against(e)}"


def _intervention(e: Evidence) -> str:
    name = _name(e)
    if math.isnan(e.value):
        effect = f"{name}: what it recovers is not a number"
    elif e.value < 0:
        effect = f"{name} makes it worse by {percent(-e.value)} of the gap to reachable"
        if e.low is not None and e.high is not None:
            effect += f" ({level_name(e)} {bounds(-e.high, -e.low, percent)})"
    else:
        effect = f"{name} recovers {value_with_interval(e)} of the gap to reachable"
    losses = _before_after(e)
    behind = sample(e)
    return effect + against(e) + (f": {losses}" if losses else "") + (f" ({behind})" if behind else "")


def _before_after(e: Evidence) -> str:
    before, after, reachable = (e.details.get(name) for name in ("before", "after", "reachable"))
    if not isinstance(before, int | float) or not isinstance(after, int | float):
        return ""
    floor = f", reachable {number(float(reachable))}" if isinstance(reachable, int | float) else ""
    said = apart(float(before), float(after))
    return f"{quantity(str(e.details.get('quantity', 'loss')))} {said[0]} before, {said[1]} after{floor}"


def _named(e: Evidence) -> str:
    return f"The {quantity(e.measure)} is {e.text}"


def _gradient_norm(e: Evidence) -> str:
    noise = e.details.get("noise")
    beside = f"; noise alone would give {number(float(noise))}" if isinstance(noise, int | float) and math.isfinite(noise) else ""
    return f"The gradient over all rows has norm {number(e.value)}{beside}"


def _gradient_over_noise(e: Evidence) -> str:
    return f"The gradient is {number(e.value)} times its own noise{against(e)}"


def _slope_gain(e: Evidence) -> str:
    return f"Following the slope alone lowers the loss by {percent(e.value)}{against(e)}"


def _smallest(e: Evidence) -> str:
    return f"The smallest eigenvalue of the Hessian is {value_with_interval(e)}"


def _bound(e: Evidence) -> str:
    delta = e.details.get("delta")
    sure = f" (wrong with probability {number(float(delta))} at most)" if isinstance(delta, int | float) else ""
    return f"No eigenvalue of the Hessian is below {number(e.value)}{sure}"


def _negative(e: Evidence) -> str:
    noise = e.details.get("noise")
    beside = f", {number(e.value / -float(noise))} times the noise of the product" if isinstance(noise, float) and noise > 0 else ""
    return f"Along one direction the curvature is {number(e.value)}{beside}"


def _escape_fall(e: Evidence) -> str:
    way = clean(str(e.details.get("by", "negative curvature")))
    if e.value <= 0:
        return f"A step by {way} lowers the loss nowhere"
    return f"A step by {way} lowers the loss by {percent(e.value)}: {_before_after(e)}"


def _eigenvalue(e: Evidence) -> str:
    return f"Eigenvalue {clean(e.subject)} of the Hessian is {value_with_interval(e)}"


def _rate(e: Evidence) -> str:
    when = f" after {plural(e.step, 'update')}" if e.step is not None else ""
    largest = e.details.get("eigenvalue")
    of = f" ({number(float(largest))})" if isinstance(largest, int | float) else ""
    said = f"The rate times the largest eigenvalue{of} is {number(e.value)}{when}"
    if e.threshold is None:
        return said
    side = "above: steps along it grow" if e.value > e.threshold else "below: steps along it shrink"
    return f"{said}; the bound of stable gradient descent is {number(e.threshold)}, and this is {side}"


def _sharpness(e: Evidence) -> str:
    box = "each weight" if e.measure == "relative_sharpness" else "each weight's size plus one"
    width = e.details.get("epsilon")
    of = f" {number(float(width))} of {box}" if isinstance(width, int | float) else f" a share of {box}"
    rise = "without bound" if math.isinf(e.value) else f"by {number(e.value)}% of one plus the loss, at least"
    return f"A change of all weights by up to{of} raises the loss {rise}"


def _eigenvalue_share(e: Evidence) -> str:
    zero = e.details.get("within")
    beside = f" (near zero: within {number(float(zero))})" if isinstance(zero, int | float) else ""
    return f"Of the eigenvalues, {percent(e.value)} are {quantity(e.measure.removesuffix('_share'))}{beside}"


def _continued(e: Evidence) -> str:
    without, escaped = apart(float(e.details["without"]), float(e.details["escaped"]))
    return f"Trained on for {plural(e.step or 0, 'update')}, the training loss is {without}; from the escaped weights it is {escaped}"


def _of_data(e: Evidence) -> str:
    """Of a set as a whole: its sentence names it."""
    return _plainly(e) if math.isnan(e.value) else _sign(e.replace(subject="", text=""))


def _said(e: Evidence) -> str:
    """In its own words, and a name that they begin with as it is written."""
    if not e.text:
        return _plainly(e)
    return e.text if e.subject and e.text.startswith(e.subject) else _capital(e.text)


def _shuffled(e: Evidence) -> str:
    return f"Rows are {'' if e.value else 'not '}shuffled"


def _probabilities(e: Evidence) -> str:
    return f"The outputs are {'' if e.value else 'not '}probabilities"


def _distance_on_classes(_: Evidence) -> str:
    return "The loss takes the numbers of classes for quantities"


_AUDIT_SAYS: Final = (
    "broadcast_pairs",
    "not_what_the_loss_expects",
    "non_finite_rows",
    "unseen_labels",
    "refused_labels",
    "copied_share",
    "repeated_outputs",
    "loss_error",
)
"""Measures of the audit that come with their own words."""
_SENTENCES: Final[dict[tuple[str, str], Callable[[Evidence], str]]] = {
    **dict.fromkeys(SIGNS, _sign),
    **dict.fromkeys(DATA, _of_data),
    **{("audit", measure): _named for measure in ("schedule", "optimizer", "output_activation")},
    **{("audit", measure): _said for measure in _AUDIT_SAYS},
    **{("two_sample", measure): _said for measure in ("copied_share", "refused", "agreement_gain", "affine_map")},
    **{("label_map", measure): _said for measure in ("agreement_gain", "affine_map", "agreement_surplus")},
    ("audit", "shuffled"): _shuffled,
    ("audit", "outputs_are_probabilities"): _probabilities,
    ("audit", "distance_on_classes"): _distance_on_classes,
    ("references", "out_of_fold_loss"): _reference,
    ("references", "out_of_fold_metric"): _reference,
    **{("baseline", f"{split}_{kind}"): _network for split in ("train", "validation", "test") for kind in ("loss", "metric")},
    ("reachable", "loss"): _reachable,
    ("two_sample", "auc"): _two_sample,
    ("baseline", "outcome"): _outcome,
    ("learning_curve", "validation_loss"): _learning_curve,
    ("learning_curve", "gain_of_doubling"): _doubling,
    ("intervention", "recovered"): _intervention,
    **{
        ("critical_point", measure): say
        for measure, say in {
            "answer": _said,
            "gradient_norm": _gradient_norm,
            "gradient_over_noise": _gradient_over_noise,
            "slope_gain_share": _slope_gain,
            "smallest_eigenvalue": _smallest,
            "eigenvalue_bound": _bound,
            "negative_curvature": _negative,
            "escape_fall_share": _escape_fall,
            "eigenvalue": _eigenvalue,
            "largest_eigenvalue": lambda e: f"The largest eigenvalue of the Hessian is {number(e.value)}",
            "products": lambda e: f"All of it took {plural(int(e.value), 'product')} of the Hessian with a vector",
            "rate_times_largest_eigenvalue": _rate,
            "sharpness": _sharpness,
            "relative_sharpness": _sharpness,
            "positive_share": _eigenvalue_share,
            "negative_share": _eigenvalue_share,
            "near_zero_share": _eigenvalue_share,
            "gain_of_escape_share": _continued,
        }.items()
    },
}


def remedies_title(finding: Finding) -> str:
    """What a finding's remedies are: what cures it where the cause holds or may hold, else only what was tried."""
    if finding.standing not in (Standing.CONFIRMED, Standing.SUSPECTED):
        return "Tried"
    return "Remedy" if len(finding.remedies) == 1 else "Remedies"


def ending(run: Run) -> str:
    """How a run ended: "finished after 400 steps", "diverged at step 120 (loss is not finite)"."""
    reason = f" ({clean(run.reason)})" if run.reason else ""
    when = "after" if run.outcome.value in {"finished", "stopped"} else "at"
    return f"{run.outcome.value} {when} {'step ' + str(run.steps) if when == 'at' else plural(run.steps, 'step')}{reason}"


def run_sentence(run: Run) -> str:
    """One sentence that says how one run went."""
    losses = [
        f"{quantity(name)} {number(run.last(name))}" for name in ("train_loss", "validation_loss") if len(run.curves.get(name, Curve()))
    ]
    remedies = f" and {listed(run.remedies)}" if run.remedies else ""
    return (
        f"A run of {clean(run.task_name)} with seed {run.seed}{remedies} {ending(run)}" + (f": {', '.join(losses)}" if losses else "") + "."
    )


def field_value(value: object) -> str:
    """A field of a recipe or of a task's summary as text; "none" for nothing set."""
    if value is None or value in ({}, []):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return number(float(value))
    if isinstance(value, dict):
        return ", ".join(f"{clean(str(k))}={field_value(v)}" for k, v in value.items())
    return clean(str(value))


FIELDS: Final = {
    "lr": "learning rate",
    "momentum": "momentum",
    "clip_norm": "clipping norm",
    "max_steps": "steps at most",
    "early_stopping": "patience (epochs)",
}


def listed(things: Sequence[object]) -> str:
    """Things one after the other, "nothing" where there are none."""
    return ", ".join(clean(str(thing)) for thing in things) or "nothing"


def recipe_fields(recipe: Recipe) -> dict[str, str]:
    """Every field of a recipe with its value, both in words."""
    return {name: field_value(value) for name, value in recipe}


def field_name(name: str) -> str:
    """A field of a recipe or of a task's summary in words."""
    return FIELDS.get(name, clean(name.replace("_", " ")))
