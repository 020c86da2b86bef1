"""Several networks of what is chosen in place of one, where their verification can be paid."""

from __future__ import annotations

import math

import numpy as np
import torch

from traindx.experiments import Lab
from traindx.experiments.verification import CHOOSING, final_loss
from traindx.records import NotApplicable
from traindx.remedies import Ensemble
from traindx.remedies.ensemble import Averaged
from traindx.training import evaluate, evaluated_index
from traindx.treatment.candidates import on_top
from traindx.treatment.choosing import Choosing, Remedies

# So many networks, the most that can be paid. Of the variance between networks, three leave a third and two a half.
MEMBERS = (3, 2)
# A smaller share of the loss is not worth several networks.
WORTH_SEVERAL = 0.01


def averaged(choosing: Choosing, chosen: Remedies) -> Remedies:
    """What is chosen, by several networks, if the mean of their outputs is worth it on one repeat; else as it was.

    One repeat is enough: of a convex loss, the mean output never has more than the networks have on average. Cost: a training a network.
    """
    for members in MEMBERS:
        plan = on_top(chosen, (Ensemble(members).ref,))
        try:
            if choosing.cost(plan) / len(CHOOSING) > choosing.left(plan):
                continue
            alone, together = _losses(choosing.lab, plan, f"{members} networks")
        except NotApplicable:
            break
        return plan if together < alone - WORTH_SEVERAL * abs(alone) else chosen
    return chosen


def _losses(lab: Lab, plan: Remedies, stage: str) -> tuple[float, float]:
    """The validation losses of one repeat: that of the networks on average, and that of their mean output; NaN where the training failed."""
    job = lab.job(*plan, repeat=CHOOSING[0], refold=True, keep_weights=True)
    (run,) = lab.train([job], stage)
    if not math.isfinite(final_loss(run)):
        return math.nan, math.nan
    model, rows, device = lab.trained_model(job), job.task.validation, torch.device("cpu")
    assert isinstance(model, Averaged), "several networks are around all else"
    losses = [evaluate(job.task, network, rows, device, evaluated_index(len(rows))).loss for network in (*model.members, model)]
    return float(np.mean(losses[:-1])), losses[-1]
