"""What a sign that was measured means, in words: a sentence for each, with room for its value."""

from __future__ import annotations

from typing import Final

# Measures of the baseline run.
_OF_THE_RUN: Final = {
    "initial_loss": "The training loss begins at {}",
    "initial_metric": "The training metric begins at {}",
    "lowest_train_loss": "The lowest training loss on the way is {}",
    "lowest_validation_loss": "The lowest validation loss on the way is {}",
    "lowest_validation_step": "The validation loss is lowest after {} updates",
    "highest_batch_loss": "The highest loss of a batch is {}",
    "last_half_fall": "In the last half of the training its loss falls by {}",
    "last_quarter_fall": "In the last quarter of the training its loss falls by {}",
    "validation_last_half_fall": "In the last half of the training the validation loss falls by {}",
    "batch_loss_noise": "In the last half, the loss of a batch varies by {} around its trend (standard deviation)",
    "late_jumps": "In the last half, the training loss varies by {} around its trend (standard deviation)",
    "plateau_share": "The training loss stays where it began, within a fiftieth, for {} of the training",
    "lost_again_share": "Of what the training loss had fallen by at its lowest, {} is lost again at the end",
    "averaging_gains_train_loss": "With the mean of the late weights, the training loss is lower by {}",
    "averaging_gains_validation_loss": "With the mean of the late weights, the validation loss is lower by {}",
    "updates": "The training has {} updates",
    "median_update_ratio": "An update is {} times as long as the weights that it changes (median)",
    "median_gradient_cosine": "Successive gradients have a cosine of {} (median): 1 is the same direction, below 0 is back again",
    "late_gradient_cosine": "In the last quarter, successive gradients have a cosine of {} (median): 1 is the same direction, below 0 is back again",
    "first_gradient_norm": "The gradient's norm begins at {}",
    "highest_gradient_norm": "The highest norm of the gradient is {}",
    "median_gradient_norm": "The gradient's norm is {} (median)",
    "late_gradient_norm": "In the last quarter, the gradient's norm is {} (median)",
    "last_half_rate_share": "In the last half, the rate is {} of its highest (mean)",
    "weight_layers": "The network has {} layers with weights",
    "first_last_gradient_ratio": "Before the first update, the gradient of the first layer is {} times that of the last",
    "gradient_decay_per_layer": "Before the first update, the gradient is {} times as large from each layer to the next",
    "gradient_spread": "The largest gradient of a layer is {} times the smallest",
    "activation_scale_ratio": "Before the first update, what the last hidden layer puts out is {} times as wide as what the first does",
    "initial_zero_share": "Before the first update, {} of the rectified units are zero for every row of a batch (mean over layers)",
    "final_zero_share": "At the end, {} of the rectified units are zero for every row of a batch (mean over layers)",
    "initial_pinned_share": "Before the first update, {} of the bounded activations are near an end of their range (mean over layers)",
    "final_pinned_share": "At the end, {} of the bounded activations are near an end of their range (mean over layers)",
}

# Measures of the audit, which trains nothing.
_OF_THE_PARTS: Final = {
    "rows": "There are {} training rows",
    "planned_updates": "The recipe has {} updates",
    "batch_share": "A batch holds {} of the training rows",
    "momentum": "Momentum is {}",
    "weight_decay": "Weight decay is {}",
    "planned_warmup": "The warm-up takes {} of the updates",
    "spent_share": "For {} of the updates, the schedule leaves hardly anything of the rate",
    "clip_norm": "Gradients are clipped to a norm of {}",
    "row_order": "Targets of neighbouring rows are alike to {}: 0 is no order, 1 is sorted",
    "target_mean": "The mean of the targets is {}",
    "target_std": "The standard deviation of the targets is {}",
    "feature_scale_largest": "The largest root mean square of a feature is {}",
    "feature_scale_median": "The middle root mean square of a feature is {}",
    "feature_scale_spread": "The widest feature varies {} times as much as the narrowest",
    "feature_offset": "The mean of a feature is up to {} of its standard deviations away from zero",
    "class_ratio": "The largest class has {} times the rows of the smallest",
    "rarest_class_share": "The rarest class has {} of the rows",
    "parameters": "The network has {} parameters",
    "learnable": "Of its parameters, {} can be trained",
    "frozen_share": "Of the parameters, {} are frozen",
    "cut_share": "Of the parameters that can be trained, {} change the outputs and receive no gradient",
    "unused_share": "Of the parameters that can be trained, {} receive no gradient",
    "dropout": "The highest rate of dropout is {}",
    "norm_layers": "The network has {} normalization layers",
    "smallest_gain": "The smallest fresh weights multiply their inputs' scale by {}: near 1 keeps it",
    "largest_gain": "The largest fresh weights multiply their inputs' scale by {}: near 1 keeps it",
    "unit_spread": "Units of a layer differ from one another by {} of the size of their weights at least; 0 is all the same",
    "bias_offset": "The largest mean of fresh biases is {}",
    "dead_share": "Before training, {} of the rectified units of the worst layer are zero for every row",
    "pinned_share": "Before training, {} of the bounded activations of the worst layer are near an end of their range",
    "distance_from_affine": "The network differs from an affine map by {}: 0 is a linear model",
    "output_width": "The outputs are {} wide",
    "needed_width": "The targets need outputs that are {} wide",
    "pure_error": "No function of the inputs explains {} of the targets: rows with equal inputs differ in them",
    "loss_growth_with_rows": "The loss of the same rows twice is {} times that of once: 1 is a mean, 2 is a sum",
}

SIGNS: Final = {
    **{("baseline", measure): said for measure, said in _OF_THE_RUN.items()},
    **{("audit", measure): said for measure, said in _OF_THE_PARTS.items()},
}
"""The sentence for an experiment and its measure."""
OPPOSITE: Final = {"falls by": "rises by", "is lower by": "is higher by"}
"""What is said of a change below zero, with its size."""
