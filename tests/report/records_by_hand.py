"""Realistic records, built by hand: what a diagnosis of each kind looks like."""

from __future__ import annotations

import math
import random

from traindx.records import (
    Branch,
    Comparison,
    Cost,
    Curve,
    Diagnosis,
    Evidence,
    Finding,
    Outcome,
    Recipe,
    RemedyRef,
    Run,
    Standing,
    Step,
    Treatment,
)

LOWER_RATE = RemedyRef(id="learning-rate", params={"factor": 0.1})
LOWEST_RATE = RemedyRef(id="learning-rate", params={"factor": 0.03})
ADAM = RemedyRef(id="optimizer", params={"name": "adam"})
CLIPPING = RemedyRef(id="clip-norm", params={"norm": 1.0})
RECIPE = Recipe(optimizer="sgd", lr=2.0, momentum=0.9, batch_size=64, epochs=10)
SEEDS = (0, 1, 2)
STEPS = 400


def run(
    seed: int = 0,
    *,
    remedies: tuple[RemedyRef, ...] = (),
    start: float = 2.3,
    end: float = 0.25,
    steps: int = STEPS,
    outcome: Outcome = Outcome.FINISHED,
    horizon: int | None = None,
    observations: int = 41,
    gap: float = 0.06,
    recipe: Recipe = RECIPE,
    task_name: str = "digits",
) -> Run:
    """One run whose loss falls from ``start`` to ``end``, with noise that its seed decides."""
    noise = random.Random(f"{seed} {remedies} {steps}")
    at = sorted({round(i * steps / (observations - 1)) for i in range(observations)})
    fall = [math.exp(-5 * s / steps) for s in at]
    train = [(end + (start - end) * f) * (1 + noise.uniform(-0.04, 0.04)) for f in fall]
    if outcome is Outcome.DIVERGED:
        train = [*(t * math.exp(12 * (s / steps) ** 2) for t, s in zip(train[:-1], at, strict=False)), math.nan]
    accuracy = [max(0.1, min(1.0, 1 - t / 2.6)) for t in train]
    curves = {
        "train_loss": Curve(steps=at, values=train),
        "validation_loss": Curve(steps=at, values=[t + gap for t in train]),
        "train_metric": Curve(steps=at, values=accuracy),
        "validation_metric": Curve(steps=at, values=[a - gap / 4 for a in accuracy]),
        "batch_loss": Curve(steps=range(1, steps + 1), values=[1.0 + noise.random() for _ in range(steps)]),
        "gradient_norm": Curve(
            steps=range(1, steps + 1), values=[0.05 + 3 * math.exp(-4 * s / steps) * noise.uniform(0.5, 2) for s in range(steps)]
        ),
        "learning_rate": Curve(
            steps=range(1, steps + 1), values=[recipe.lr * (0.5 + 0.5 * math.cos(math.pi * s / steps)) for s in range(steps)]
        ),
    }
    name = "-".join(["run", *(r.id for r in remedies), *(f"{v}" for r in remedies for v in r.params.values()), str(seed), str(steps)])
    return Run(
        key=name,
        task="9f3c1e",
        task_name=task_name,
        recipe=recipe.replace(seed=seed),
        remedies=remedies,
        outcome=outcome,
        reason="loss is not finite" if outcome is Outcome.DIVERGED else "",
        steps=steps,
        epochs=10.0,
        seconds=1.9,
        horizon=horizon,
        parameters=2410,
        curves=curves,
        spread={"train_loss": 0.01, "validation_loss": 0.02, "train_metric": 0.004, "validation_metric": 0.008},
    )


def references(linear: float = 0.34, boosting: float = 0.27, network: float = 0.21, constant: float = 2.303) -> tuple[Evidence, ...]:
    """The reference models' losses and accuracies out of fold."""
    losses = {"constant": constant, "linear": linear, "nearest-neighbours": 0.39, "gradient-boosting": boosting, "small-network": network}
    loss = [
        Evidence(experiment="references", measure="out_of_fold_loss", subject=n, value=v, low=v * 0.93, high=v * 1.07, seeds=(0,))
        for n, v in losses.items()
    ]
    metric = [
        Evidence(
            experiment="references",
            measure="out_of_fold_metric",
            subject=n,
            value=1 - v / 2.56,
            low=0.98 - v / 2.56,
            high=1.02 - v / 2.56,
        )
        for n, v in losses.items()
    ]
    return (*loss, *metric)


def baseline(train: float, validation: float, test: float | None = None, metric: float = 0.9) -> tuple[Evidence, ...]:
    """The network's own losses and accuracy on each split."""
    losses = {"train": train, "validation": validation} | ({"test": test} if test is not None else {})
    loss = [
        Evidence(experiment="baseline", measure=f"{s}_loss", value=v, low=v * 0.95, high=v * 1.05, seeds=SEEDS) for s, v in losses.items()
    ]
    return (*loss, Evidence(experiment="baseline", measure="validation_metric", value=metric, low=metric - 0.02, high=metric + 0.02))


def intervention(remedy: RemedyRef, recovered: float, after: float, runs: tuple[Run, ...], step: int = STEPS) -> Evidence:
    """What a remedy recovers of the gap between the baseline and reachable."""
    return Evidence(
        experiment="intervention",
        measure="recovered",
        subject=str(remedy),
        remedy=remedy,
        value=recovered,
        low=recovered - 0.06,
        high=recovered + 0.05,
        threshold=0.5,
        runs=tuple(r.key for r in runs),
        seeds=SEEDS,
        step=step,
        details={"quantity": "train_loss", "before": 2.31, "after": after, "reachable": 0.21},
    )


def finding(
    cause: str, branch: Branch, standing: Standing, summary: str, confidence: float = 0.5, evidence: tuple[Evidence, ...] = ()
) -> Finding:
    """A finding; its remedies are those its evidence tried."""
    remedies = tuple(e.remedy for e in evidence if e.remedy)
    return Finding(
        cause=cause, branch=branch, standing=standing, confidence=confidence, summary=summary, evidence=evidence, remedies=remedies
    )


CLEARED = (
    finding(
        "vanishing-gradient",
        Branch.OPTIMIZATION,
        Standing.CLEARED,
        "Swapping in ReLU recovers 3% of the gap, within the noise of 5%.",
        0.93,
    ),
    finding(
        "non-finite-data",
        Branch.DATA,
        Standing.CLEARED,
        "Every input and target is finite.",
        1.0,
        (Evidence(experiment="audit", measure="non_finite_share", value=0.0, threshold=0.0),),
    ),
    finding("class-imbalance", Branch.DATA, Standing.CLEARED, "The rarest of 10 classes has 9.7% of the rows.", 0.98),
)
NOT_APPLICABLE = (
    finding(
        "missing-augmentation",
        Branch.OVERFITTING,
        Standing.NOT_APPLICABLE,
        "The inputs are not images: no label-preserving change is known.",
    ),
    finding("covariate-shift", Branch.MISMATCH, Standing.NOT_APPLICABLE, "No test set was given."),
)


def healthy() -> Diagnosis:
    """Nothing wrong: the network is where the references are."""
    fine = Recipe(optimizer="adam", lr=0.001, batch_size=32, epochs=10)
    return Diagnosis(
        key="4be0c77a12d9f301",
        task_name="digits",
        task_fingerprint="9f3c1e",
        task_summary={"kind": "classification", "metric": "accuracy", "rows": 1437, "features": 64, "classes": 10},
        recipe=fine,
        branch=Branch.HEALTHY,
        sentence="Healthy: training and validation loss are where the best reference model is, and no remedy makes them better.",
        findings=(*CLEARED, *NOT_APPLICABLE),
        path=(
            Step(question="Is the training loss large?", answer="No: 0.19 against 0.21 reachable."),
            Step(question="Is the validation loss worse than reachable?", answer="No: 0.22 against 0.21, margin 0.21."),
        ),
        advice=("Cosine decay would lower the validation loss by about 2%.",),
        evidence=(
            *references(),
            *baseline(0.19, 0.22, metric=0.95),
            Evidence(experiment="reachable", measure="loss", value=0.21, subject="small-network"),
        ),
        runs=(run(0, end=0.19, recipe=fine, gap=0.03),),
        cost=Cost(runs=1.6, seconds=9.4, baseline_seconds=3.9),
    )


def optimization() -> Diagnosis:
    """The learning rate is too high; three seeds, and one run of the baseline diverges."""
    short = 100
    base = (run(0, end=2.2), run(1, end=2.25), run(2, end=2.2, steps=260, outcome=Outcome.DIVERGED))
    lower = tuple(run(s, remedies=(LOWER_RATE,), end=0.24) for s in SEEDS)
    lowest = tuple(run(s, remedies=(LOWEST_RATE,), end=0.61) for s in SEEDS)
    adam = tuple(run(s, remedies=(ADAM,), end=0.31, steps=short, horizon=short) for s in SEEDS)
    short_base = tuple(run(s, end=2.28, steps=short, horizon=short) for s in SEEDS)
    clipped = tuple(
        run(s, remedies=(CLIPPING,), end=1.9, steps=short, horizon=short, outcome=Outcome.DIVERGED if s == 1 else Outcome.FINISHED)
        for s in SEEDS
    )
    top = finding(
        "learning-rate-too-high",
        Branch.OPTIMIZATION,
        Standing.CONFIRMED,
        "With a tenth of the learning rate and nothing else changed, the training loss comes down to reachable, on all three seeds.",
        0.97,
        (
            Evidence(
                experiment="audit",
                measure="update_cosine",
                value=-0.71,
                threshold=-0.3,
                runs=(base[0].key,),
                seeds=(0,),
                text="Successive updates point against each other",
            ),
            intervention(LOWER_RATE, 0.985, 0.24, (*base, *lower)),
            intervention(LOWEST_RATE, 0.81, 0.61, (*base, *lowest)),
        ),
    )
    others = (
        finding(
            "optimizer-unsuited",
            Branch.OPTIMIZATION,
            Standing.SUSPECTED,
            "Adam also lowers the loss, but its steps are smaller too.",
            0.4,
            (intervention(ADAM, 0.95, 0.31, (*short_base, *adam), short),),
        ),
        finding(
            "exploding-gradient",
            Branch.OPTIMIZATION,
            Standing.UNDECIDED,
            "Clipping helps on two seeds and diverges on one.",
            0.3,
            (intervention(CLIPPING, 0.19, 1.9, (*short_base, *clipped), short),),
        ),
        finding("local-minimum", Branch.OPTIMIZATION, Standing.UNDECIDED, "The budget ended before restarts were tried.", 0.1),
    )
    floor = Evidence(experiment="reachable", measure="loss", value=0.21, low=0.195, high=0.225, subject="small-network")
    return Diagnosis(
        key="c09d51e2aa47b6f8",
        task_name="digits",
        task_fingerprint="9f3c1e",
        task_summary={
            "kind": "classification",
            "metric": "accuracy",
            "loss": "CrossEntropyLoss",
            "rows": 1437,
            "features": 64,
            "classes": 10,
            "parameters": 2410,
        },
        recipe=RECIPE,
        branch=Branch.OPTIMIZATION,
        sentence="The network does not train because the learning rate of 2 is too high: at 0.2 it recovers 98% of what is reachable.",
        findings=(top, *others, *CLEARED, *NOT_APPLICABLE),
        path=(
            Step(question="Are data and code sound?", answer="Yes: 14 checks found nothing."),
            Step(question="Is the training loss large?", answer="Yes: 2.31 against 0.21 reachable.", evidence=(floor,)),
            Step(question="Does the same model train lower with another recipe?", answer="Yes: optimization, not model bias."),
        ),
        advice=("Keep the cosine schedule.", "Standardise the inputs before trying wider layers."),
        evidence=(*references(), *baseline(2.31, 2.34, metric=0.13), floor),
        runs=(*base, *short_base, *lower, *lowest, *adam, *clipped),
        cost=Cost(runs=6.3, seconds=21.7, baseline_seconds=1.9),
    )


def mismatch() -> Diagnosis:
    """The test inputs come from elsewhere."""
    shift = Evidence(experiment="two_sample", measure="auc", value=0.974, low=0.96, high=0.985, threshold=0.7)
    column = Evidence(experiment="two_sample", measure="auc", subject="column sensor_3", value=0.94, low=0.92, high=0.96, threshold=0.7)
    half = Evidence(experiment="learning_curve", measure="validation_loss", value=0.31, low=0.29, high=0.33, details={"share": 0.5})
    top = finding(
        "covariate-shift",
        Branch.MISMATCH,
        Standing.CONFIRMED,
        "The test rows come from elsewhere: a classifier tells them apart, and the loss on them is 17 times as large.",
        0.96,
        (shift, column, half),
    )
    return Diagnosis(
        key="77aa01bc93de4455",
        task_name="gas drift",
        task_fingerprint="51ab",
        recipe=Recipe(optimizer="adam", lr=0.001),
        branch=Branch.MISMATCH,
        sentence="Training and validation are fine, but the test set comes from another distribution (AUC 0.97).",
        findings=(top, *CLEARED),
        path=(
            Step(question="Is the training loss large?", answer="No: 0.07 against 0.21 reachable."),
            Step(question="Is the validation loss worse?", answer="No: 0.24."),
            Step(question="Is the test loss worse?", answer="Yes: 4.1, and the inputs are shifted.", evidence=(shift,)),
        ),
        evidence=(
            *references(),
            *baseline(0.07, 0.24, 4.1, metric=0.93),
            Evidence(experiment="reachable", measure="loss", value=0.21, subject="small-network"),
        ),
        runs=(run(0, end=0.07, gap=0.17, task_name="gas drift", recipe=Recipe(optimizer="adam", lr=0.001)),),
        cost=Cost(runs=1.0, seconds=75.2, baseline_seconds=12.0),
        test_openings=2,
    )


def not_a_number() -> Diagnosis:
    """The baseline diverges at once; numbers are missing, infinite or not a number, and names are unknown."""
    diverged = run(0, outcome=Outcome.DIVERGED, steps=30)
    evidence = (
        Evidence(experiment="baseline", measure="train_loss", value=math.nan),
        Evidence(
            experiment="seance",
            measure="ectoplasm_level",
            value=math.inf,
            low=-math.inf,
            high=math.inf,
            threshold=1.0,
            subject="layer 3",
            details={"medium": True},
        ),
        Evidence(
            experiment="intervention",
            measure="recovered",
            subject="learning-rate(factor=0.1)",
            remedy=LOWER_RATE,
            value=math.nan,
            runs=("gone",),
            seeds=(0,),
        ),
    )
    top = finding("non-finite-loss", Branch.UNDECIDED, Standing.UNDECIDED, "The loss is not a number from step 30 on.", 0.5, evidence)
    return Diagnosis(
        key="00ff",
        task_name="<script>alert('task')</script>",
        task_fingerprint="ab",
        task_summary={"metric": "<b>\x1b[31mred</b>", "target": "$x_1$ & <i>y</i>"},
        recipe=RECIPE,
        branch=Branch.UNDECIDED,
        sentence="Cannot tell: the loss of <script>alert('task')</script> is not a number from step 30 on.",
        findings=(top, finding("<img src=x>", Branch.DATA, Standing.CLEARED, "</style><script>1</script>")),
        path=(Step(question="Is the training loss large?", answer="Cannot tell: it is not a number."),),
        evidence=evidence,
        runs=(diverged,),
    )


def treatment() -> Treatment:
    """The optimization case, cured and verified on five seeds, one of whose old runs diverged."""
    seeds = (10, 11, 12, 13, 14)
    cured = RECIPE.replace(lr=0.2, schedule="cosine", warmup_steps=20)
    before = tuple(run(s, end=2.2, outcome=Outcome.DIVERGED if s == 12 else Outcome.FINISHED) for s in seeds)
    after = tuple(run(s, remedies=(LOWER_RATE,), end=0.23, recipe=cured) for s in seeds)
    return Treatment(
        key="e5f1077c00d2",
        diagnosis=optimization(),
        remedies=(LOWER_RATE,),
        recipe=cured,
        changes=("learning-rate(factor=0.1): A tenth of the rate", "in your optimizer: lr 2 -> 0.2"),
        verified=True,
        sentence="Cured: a tenth of the learning rate lowers the validation loss from 2.3 to 0.29 on every one of five fresh seeds.",
        comparisons=(
            Comparison(
                measure="validation_loss",
                higher_is_better=False,
                before=(2.31, 2.28, math.nan, 2.33, 2.3),
                after=(0.29, 0.3, 0.28, 0.31, 0.27),
                seeds=seeds,
                gain=2.01,
                low=1.97,
                high=2.05,
                probability=0.9998,
                wins=1.0,
                p_value=0.0625,
            ),
            Comparison(
                measure="validation_metric",
                higher_is_better=True,
                before=(0.11, 0.1, 0.1, 0.13, 0.12),
                after=(0.93, 0.94, 0.93, 0.92, 0.95),
                seeds=seeds,
                gain=0.822,
                low=0.8,
                high=0.84,
                probability=0.9997,
            ),
            Comparison(
                measure="test_loss",
                higher_is_better=False,
                before=(2.29,),
                after=(0.31,),
                seeds=(10,),
                gain=1.98,
                low=1.9,
                high=2.06,
                probability=0.99,
            ),
        ),
        runs=(*before, *after),
        cost=Cost(runs=16.1, seconds=48.0, baseline_seconds=1.9),
        test_openings=1,
    )


def treatment_of_two() -> Treatment:
    """The same with dropout on top, chosen on two seeds of their own; one run was cut short and tells nothing."""
    dropout = RemedyRef(id="dropout", params={"p": 0.5})
    ends = {(): 2.2, (LOWER_RATE,): 0.5, (LOWER_RATE, dropout): 0.3}
    curves = {remedies: {"validation_loss": Curve(steps=(0, STEPS), values=(2.3, end))} for remedies, end in ends.items()}
    chosen = [run(s, remedies=remedies).replace(curves=curves[remedies]) for s in (21, 22) for remedies in ends]
    short = run(21, remedies=(dropout,), end=9.0, horizon=100)
    before = optimization().replace(runs=())
    return treatment().replace(diagnosis=before, remedies=(LOWER_RATE, dropout), runs=(*chosen, short))
