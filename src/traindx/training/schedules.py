"""Learning-rate schedules by name: the factor on the base rate at each update."""

from __future__ import annotations

import math
from collections.abc import Callable

from traindx.records import InputError, Recipe

Schedule = Callable[[int], float]

FORMS = "constant, cosine, linear, exponential:GAMMA, step:EVERY:GAMMA, ramp:FACTOR"


def make_schedule(recipe: Recipe, total_steps: int, steps_per_epoch: int) -> Schedule:
    """The factor at update ``step`` (0-based): a linear warm-up over ``warmup_steps``, then the named decay over what remains.

    Cosine and linear fall to zero at ``total_steps``; exponential and step count whole epochs; a ramp multiplies at every update, to FACTOR
    at the last.
    """
    decay = _decay(recipe.schedule, max(1, total_steps - recipe.warmup_steps), steps_per_epoch)
    if not recipe.warmup_steps:
        return decay
    return lambda step: (step + 1) / recipe.warmup_steps if step < recipe.warmup_steps else decay(step - recipe.warmup_steps)


def _decay(schedule: str, horizon: int, steps_per_epoch: int) -> Schedule:
    name, *numbers = schedule.split(":")
    try:
        values = [float(number) for number in numbers]
    except ValueError:
        raise _unknown(schedule) from None
    match name, values:
        case "constant", []:
            return lambda step: 1.0
        case "cosine", []:
            return lambda step: 0.5 * (1 + math.cos(math.pi * min(step, horizon) / horizon))
        case "linear", []:
            return lambda step: 1 - min(step, horizon) / horizon
        case "exponential", [gamma] if gamma > 0:
            return lambda step: gamma ** (step // steps_per_epoch)
        case "step", [every, gamma] if every >= 1 and gamma > 0:
            return lambda step: gamma ** (step // steps_per_epoch // int(every))
        case "ramp", [factor] if factor > 0:
            return lambda step: factor ** (min(step, horizon - 1) / max(1, horizon - 1))
    raise _unknown(schedule)


def _unknown(schedule: str) -> InputError:
    return InputError("Recipe(schedule=...)", f"found {schedule!r}", f"use one of {FORMS}")
