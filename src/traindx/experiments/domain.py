"""Can two sets of rows be told apart? (Classifier two-sample test, Lopez-Paz and Oquab 2017.)"""

from __future__ import annotations

import math

import numpy as np

from traindx.tasks.features import one_thread


def domain_auc(mine: np.ndarray, theirs: np.ndarray) -> tuple[float, float]:
    """Cross-fitted area under the curve of telling the two apart, and its standard error (Hanley and McNeil 1982, equation 1)."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold

    rows, domain = np.concatenate([mine, theirs]), np.repeat([0, 1], [len(mine), len(theirs)])
    scores = np.zeros(len(rows))
    models = (
        LogisticRegression(C=0.1, max_iter=100, class_weight="balanced"),
        HistGradientBoostingClassifier(max_iter=40, max_leaf_nodes=8, min_samples_leaf=10, early_stopping=False, random_state=0),
    )
    with one_thread():
        for train, held in StratifiedKFold(3, shuffle=True, random_state=0).split(rows, domain):
            for model in models:
                scores[held] += model.fit(rows[train], domain[train]).decision_function(rows[held]).clip(-5, 5)
    auc = float(roc_auc_score(domain, scores))
    return auc, _auc_error(auc, len(mine), len(theirs))


def _auc_error(auc: float, negatives: int, positives: int) -> float:
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = auc * (1 - auc) + (positives - 1) * (q1 - auc**2) + (negatives - 1) * (q2 - auc**2)
    return math.sqrt(max(variance, 1e-8) / (negatives * positives))
