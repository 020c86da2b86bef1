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

# What was done to test inputs before they were told from training inputs again.
_ALIGNED: Final = {"aligned": "mapped onto training inputs", "flexibly_aligned": "flexibly mapped onto training inputs"}
# Measures of the questions about the data.
DATA: Final = {
    ("relation", "explained"): "Of the targets of rows held out, the inputs explain {}",
    ("relation", "explained_shifted"): "With targets moved by some rows against the inputs, these explain {} of them",
    ("label_noise", "contradicted_among_surest"): "Of the surest held-out predictions, {} contradict their label",
    ("label_noise", "agreement"): "Held-out predictions agree with the labels in {} more of the rows than by chance",
    ("label_noise", "concentration"): "Among the very surest predictions, that agreement is {} times as large",
    ("label_noise", "paired"): "Contradictions of one class share their label to {}: 0 is spread over all others, 1 is always the same",
    ("label_noise", "suspect_share"): "Of the labels, {} are suspect",
    ("label_noise", "outlying_targets"): "Of the targets, {} are far from a held-out prediction",
    ("label_noise", "exchanged_targets"): "Of the targets, {} seem to be those of other rows",
    ("consistency", "loss"): "With the validation inputs as they are, the loss is {}",
    ("consistency", "shifted_loss"): "With the validation inputs shifted, the loss is {}",
    ("consistency", "mirrored_loss"): "With the validation inputs mirrored, the loss is {}",
    ("class_balance", "rare_recall"): "Of the rows of a rare class, {} are recognised (mean over classes)",
    ("class_balance", "recall_gain"): "With classes drawn equally often, the mean recall rises by {}",
    ("class_index", "gain_of_naming"): "A classifier of the numbers is right in {} more of the rows than a regression that is rounded",
    ("label_map", "agreement"): "Held-out predictions agree with the labels to {}",
    ("label_map", "auc"): "A classifier tells the validation inputs from the training inputs with an AUC of {}",
    ("label_map", "aligned_validation_loss"): "After the map of the validation inputs the validation loss is {}",
    ("two_sample", "agreement"): "Predictions agree with the test labels to {}",
    ("two_sample", "auc_within_classes"): "Within its class, a test row is told from training rows with an AUC of {}; 0.5 is no difference",
    ("two_sample", "shifted_features"): "Of the features, {} are distributed otherwise in test rows",
    (
        "two_sample",
        "label_distance",
    ): "Between training and test rows, {} of the labels would have to change for equal shares of the classes",
    ("two_sample", "test_loss"): "The test loss is {}",
    ("two_sample", "reweighted_test_loss"): "With test rows weighted as the classes are in training, the test loss is {}",
    ("two_sample", "repaired_test_loss"): "With the labels of the test rows mapped back, the test loss is {}",
    **{
        ("two_sample", f"{kind}_auc"): f"With test inputs {done}, a classifier tells them from training inputs with an AUC of {{}}"
        for kind, done in _ALIGNED.items()
    },
    **{("two_sample", f"{kind}_test_loss"): f"With test inputs {done}, the test loss is {{}}" for kind, done in _ALIGNED.items()},
}
"""Those of the questions about the data, said of its inputs or labels as a whole."""

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
    "frozen_drawn_share": "Of the parameters, {} are frozen as they were drawn at random",
    "constant_output": "The output is {} whatever the input",
    "targets_out_of_reach": "Of the targets, {} are out of the reach of the outputs",
    "frozen_share": "Of the parameters, {} are frozen",
    "cut_share": "Of the parameters that can be trained, {} change the outputs and receive no gradient",
    "unused_share": "Of the parameters that can be trained, {} receive no gradient",
    "dropout": "The highest rate of dropout is {}",
    "weight_layers": "The network has {} layers with weights",
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
    **DATA,
}
"""The sentence for an experiment and its measure."""
OPPOSITE: Final = {"falls by": "rises by", "rises by": "falls by", "is lower by": "is higher by"}
"""What is said of a change below zero, with its size."""
