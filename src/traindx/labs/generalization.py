"""Model bias, overfitting, validation and mismatch on rows of data (claims 2, 5, 7, 9 and 10)."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_predict, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from traindx.labs.base import Context, Seen, near
from traindx.labs.datasets import covid, gas
from traindx.records import Check, Plot


class ModelBias:
    """Fewer features, higher loss."""

    name, claims = "model-bias", (2,)
    question = "What if no function in the set is good enough?"
    claim = "More features lower a loss that no training can lower."
    source = "Lee, Machine Learning 2021, general guidance; homework 1"

    def run(self, context: Context) -> Seen:
        """Ridge regression on the states alone, and on all columns, by ten folds; training and held-out error."""
        (x, y), states = covid(context.folder("covid-hw1-2021"))
        model = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-2, 3, 11)))
        folds = KFold(10, shuffle=True, random_state=0)
        errors = {}
        fits = {}
        for name, columns in (("states alone", slice(0, states)), ("all columns", slice(None))):
            errors[name] = float(np.sqrt(np.mean((cross_val_predict(model, x[:, columns], y, cv=folds) - y) ** 2)))
            fits[name] = float(np.sqrt(np.mean((model.fit(x[:, columns], y).predict(x[:, columns]) - y) ** 2)))
        checks = (
            near("held-out RMSE, all columns", errors["all columns"], 0.948, 0.02),
            Check(
                label="held-out RMSE, states alone",
                measured=errors["states alone"],
                lecture="far above",
                holds=errors["states alone"] > 2 * errors["all columns"],
            ),
            Check(
                label="training RMSE, states alone",
                measured=fits["states alone"],
                lecture="as far above: bias, not overfitting",
                holds=fits["states alone"] > 2 * fits["all columns"],
            ),
        )
        axis = (1.0, 2.0)
        plot = Plot(
            title="Error by features",
            caption="Ridge regression on the rate of positive tests, ten folds.",
            x_label="columns of the table",
            y_label="RMSE (percentage points)",
            lines={"held out": (axis, tuple(errors.values())), "training": (axis, tuple(fits.values()))},
            points=True,
            names=tuple(f"{name} ({n})" for name, n in zip(errors, (states, x.shape[1]), strict=True)),
        )
        return Seen(
            sentence=f"With the states alone the error is {errors['states alone']:.2f}, on training rows as well; with all columns {errors['all columns']:.3f}.",
            checks=checks,
            plots=(plot,),
        )


class Overfitting:
    """Degrees of polynomials."""

    name, claims = "overfitting", (5, 7)
    question = "What does flexibility do to training and testing loss?"
    claim = "Training loss falls with complexity; testing loss falls and rises again. More data or the right constraint cure it; too much of it is bias."
    source = "Lee, Machine Learning 2021, general guidance"

    def run(self, context: Context) -> Seen:
        """Polynomials of growing degree on y = x^2 + noise, a lookup table, and more rows."""
        degrees = tuple(range(1, 16))
        train, test = np.zeros((len(context.seeds), len(degrees))), np.zeros((len(context.seeds), len(degrees)))
        by_rows = np.zeros((len(context.seeds), 3))
        lookup = np.zeros((len(context.seeds), 2))
        for k, seed in enumerate(context.seeds):
            draws = np.random.default_rng(seed)

            def sample(n: int, draws: np.random.Generator = draws) -> tuple[np.ndarray, np.ndarray]:
                x = draws.uniform(-1, 1, n)
                return x, x * x + 0.1 * draws.normal(size=n)

            (x, y), (u, v) = sample(20), sample(2_000)
            for j, degree in enumerate(degrees):
                fitted = np.polynomial.Chebyshev.fit(x, y, degree, domain=[-1, 1])
                train[k, j], test[k, j] = np.mean((fitted(x) - y) ** 2), np.mean((fitted(u) - v) ** 2)
            for j, rows in enumerate((12, 40, 400)):
                a, b = sample(rows)
                by_rows[k, j] = np.mean((np.polynomial.Chebyshev.fit(a, b, 9, domain=[-1, 1])(u) - v) ** 2)
            table = KNeighborsClassifier(1).fit(draws.normal(size=(200, 40)), draws.integers(0, 2, 200))
            lookup[k] = table.score(table._fit_X, table._y), table.score(draws.normal(size=(200, 40)), draws.integers(0, 2, 200))
        tr, te = train.mean(0), np.median(test, 0)
        best = degrees[int(te.argmin())]
        checks = (
            Check(
                label="training loss, degree 15 over degree 2",
                measured=tr[-1] / tr[1],
                lecture="falls",
                holds=bool(tr[-1] < 0.5 * tr[1]),
            ),
            Check(label="degree of the lowest testing loss", measured=best, lecture="2: between the ends", holds=bool(1 < best < 8)),
            Check(
                label="testing loss, degree 15 over the lowest",
                measured=te[-1] / te.min(),
                lecture="rises again",
                holds=bool(te[-1] > 2 * te.min()),
            ),
            Check(
                label="training loss, degree 1 over degree 2", measured=tr[0] / tr[1], lecture="high: bias", holds=bool(tr[0] > 2 * tr[1])
            ),
            Check(
                label="testing loss of degree 9, 400 rows over 12",
                measured=float(np.median(by_rows[:, 2]) / np.median(by_rows[:, 0])),
                lecture="falls",
                holds=bool(np.median(by_rows[:, 2]) < 0.5 * np.median(by_rows[:, 0])),
            ),
            Check(
                label="a lookup table: training accuracy", measured=lookup[:, 0].mean(), lecture="1", holds=bool(lookup[:, 0].min() == 1)
            ),
            Check(
                label="a lookup table: testing accuracy",
                measured=lookup[:, 1].mean(),
                lecture="0.5",
                holds=bool(abs(lookup[:, 1].mean() - 0.5) < 0.1),
            ),
        )
        axis = tuple(map(float, degrees))
        plot = Plot(
            title="Losses by degree",
            caption="Polynomials through 20 noisy points of a parabola.",
            x_label="degree",
            y_label="mean squared error",
            log=True,
            lines={"training": (axis, tuple(np.maximum(tr, 1e-6))), "testing": (axis, tuple(te))},
        )
        return Seen(
            sentence=f"Training loss falls all the way; testing loss is lowest at degree {best} and {te[-1] / te.min():.3g} times that at degree 15.",
            checks=checks,
            plots=(plot,),
        )


class Validation:
    """One split against several."""

    name, claims = "validation", (9,)
    question = "How much does one validation split say on a tiny set?"
    claim = "The mean over folds varies less from split to split than a single validation set."
    source = "Lee, Machine Learning 2021, general guidance"

    def run(self, context: Context) -> Seen:
        """Accuracies of a nearest-neighbour classifier on ECG beats by single splits and by five folds."""
        lines = [
            line.split(",")
            for line in (context.folder("ecg200") / "ECG200_TRAIN.arff").read_text().splitlines()
            if line and line[0] not in "@%"
        ]
        table = np.array(lines, dtype=float)
        x, y = table[:, :-1], table[:, -1].astype(int)
        single, folded = [], []
        for seed in range(40):
            found = cross_val_score(KNeighborsClassifier(1), x, y, cv=StratifiedKFold(5, shuffle=True, random_state=seed))
            single.append(found[0])
            folded.append(found.mean())
        spread = float(np.std(single)), float(np.std(folded))
        checks = (
            Check(
                label="standard deviation over splits: five folds over one",
                measured=spread[1] / spread[0],
                lecture="below 1",
                holds=spread[1] < spread[0],
            ),
        )
        axis = tuple(map(float, range(40)))
        plot = Plot(
            title="Validation accuracy by split",
            caption="The same classifier and rows; only the division changes.",
            x_label="division",
            y_label="accuracy",
            lines={"one split": (axis, tuple(single)), "mean of five folds": (axis, tuple(folded))},
        )
        return Seen(
            sentence=f"From division to division a single split varies by {spread[0]:.3f}, five folds by {spread[1]:.3f}.",
            checks=checks,
            plots=(plot,),
        )


class Mismatch:
    """Sensors that drift."""

    name, claims = "mismatch", (10,)
    question = "Is a bad test score overfitting, when the test data are of another kind?"
    claim = "Where training and test data differ in distribution, more training data does not help; one must know how data are made."
    source = "Lee, Machine Learning 2021, general guidance; gas-drift data"

    def run(self, context: Context) -> Seen:
        """Logistic regression inside one batch and on later ones; a classifier of one batch against the other; more data of the same kind."""
        folder = context.folder("gas-drift")
        (x, y), batches = gas(folder, 1), {b: gas(folder, b) for b in (2, 3, 4, 5)}
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2_000))
        inside = float(cross_val_score(model, x, y, cv=StratifiedKFold(5, shuffle=True, random_state=0)).mean())
        later = {b: float(model.fit(x, y).score(*rows)) for b, rows in batches.items()}
        half = float(model.fit(x[::2], y[::2]).score(*batches[4]))
        u = batches[2][0]
        apart = _auc(model, x, u)
        same = _auc(model, x[::2], x[1::2])
        checks = (
            near("accuracy inside batch 1", inside, 0.98, 0.01),
            near("accuracy on batch 2", later[2], 0.819, 0.03),
            near("accuracy on batch 4", later[4], 0.540, 0.05),
            Check(label="AUC of batch 1 against batch 2", measured=apart, lecture="above 0.9", holds=apart > 0.9),
            Check(label="AUC of two halves of batch 1", measured=same, lecture="about 0.5", holds=abs(same - 0.5) < 0.12),
            Check(
                label="accuracy on batch 4: all rows - half of them",
                measured=later[4] - half,
                lecture="no help",
                holds=later[4] - half < 0.1,
            ),
        )
        axis = tuple(map(float, range(1, len(later) + 2)))
        plot = Plot(
            title="Accuracy by batch",
            caption="Trained on the first months; later batches are measured by the same sensors, months on.",
            x_label="batch",
            y_label="accuracy",
            lines={"trained on batch 1": (axis, (inside, *later.values()))},
            points=True,
            names=("1, held out", *map(str, later)),
        )
        return Seen(
            sentence=f"{inside:.2f} inside the first batch, {later[2]:.2f} and {later[4]:.2f} later; a classifier tells the batches apart with an AUC of {apart:.2f}.",
            checks=checks,
            plots=(plot,),
        )


def _auc(model: object, one: np.ndarray, other: np.ndarray) -> float:
    rows, which = np.r_[one, other], np.r_[np.zeros(len(one)), np.ones(len(other))]
    return float(cross_val_score(model, rows, which, cv=StratifiedKFold(5, shuffle=True, random_state=0), scoring="roc_auc").mean())
