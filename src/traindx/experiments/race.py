"""Interventions race on the same seeds and batches: short first, longer only for those that lead, then repeated with other seeds.

A contender is the baseline with one remedy. What it *recovers* is the share of the gap it closes, between the loss at which the baseline
ended (``before``) and the loss that is reachable (``goal``): it settles the cause. Its *lead* is what it is ahead of the baseline at the same
update, in shares of the same gap: it decides who goes on to the next heat.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from traindx.experiments.base import Lab
from traindx.experiments.gap import LEAST_SHARE, PAIRS, Gap
from traindx.records import Curve, Evidence, NotApplicable, Outcome, Question, RemedyRef, Run
from traindx.remedies import make_remedy
from traindx.training import Job, steps_per_epoch, total_steps

# Heats as shares of the training. The first is long enough to show a direction, the last is the training itself.
HEATS = (0.125, 0.5, 1.0)
# This many contenders go on to the next heat, and the one with the strongest signs in any case.
SURVIVORS = 2
# A leader that recovers this share needs no longer heat.
ENOUGH = 0.8
# Who is less than this ahead at half of the training will not recover the half at its end; a sign from DIRECT on is given the whole length.
WITHIN_REACH = 0.35
STRONG, DIRECT = 0.5, 0.8
# A remedy too weak to learn anything says nothing of a stronger one: this many are tried, where signs speak for it.
BLIND_CLIMBS, CLIMBING_SIGN = 3, 0.3
# A longer training that the budget cuts off is run from this many times the baseline's length on.
LEAST_LONGER = 1.5
# A sign that is stronger by this much keeps its contender in a race that another has won.
CLEARLY = 0.2
# Of contenders that recover alike, signs decide: a sign of full strength is worth this share, a unit of size costs that share.
SIGN_WORTH, SIZE_COST = 0.3, 0.03
REPEATS, MOST_REPEATS = PAIRS - 1, 4
# A loss falls on where the second half of a training lowers it by so many times what it jumps from one evaluation to the next.
FALLS_ON = 2.0
# A leader that recovers less than half of the gap settles nothing: its repeats would be wasted.
WORTH_REPEATING = 0.5


@dataclass(eq=False)
class Contender:
    """A remedy in the race, with what its runs showed."""

    ref: RemedyRef
    prior: float
    size: float
    runs: list[Run] = field(default_factory=list)
    repeats: list[Run] = field(default_factory=list)
    horizons: list[int] = field(default_factory=list)
    pairs: list[tuple[float, float]] = field(default_factory=list)
    horizon: int = 0
    recovered: float = -math.inf
    lead: float = -math.inf
    after: float = math.nan
    after_other: float = math.nan
    low: float | None = None
    high: float | None = None
    seeds: tuple[int, ...] = ()
    mean_effect: float | None = None
    settled: bool | None = None

    @property
    def score(self) -> float:
        """What orders contenders: recovery, then signs, then smallness."""
        return min(self.recovered, 1.0) + SIGN_WORTH * self.prior - SIZE_COST * self.size

    @property
    def promise(self) -> float:
        """What orders contenders before the last heat: the score with the lead in the place of the recovery, if that is more."""
        return self.score + max(0.0, min(self.lead, 1.0) - min(self.recovered, 1.0))


class Race:
    """Successive halving (Jamieson and Talwalkar 2016) over interventions."""

    name, title, version, reads_test = "intervention", "race of interventions", 3, False

    def run(self, lab: Lab, question: Question) -> Sequence[Evidence]:
        """``recovered`` for every remedy that could be tried, ``not-applicable`` with its reason for the others."""
        track = _Track(lab, question)
        refused = track.enter(question.remedies, question.priors)
        for heat in HEATS[int(question.params.get("first_heat", 0)) :]:
            track.heat(heat)
            if track.is_over(heat) and track.settle():
                break
        while not track.settle():
            pass
        return [*refused, *(track.evidence(c) if c.runs else _not_run(c) for c in track.contenders), *track.baselines()]


class _Track:
    def __init__(self, lab: Lab, question: Question) -> None:
        self.lab, self.params = lab, question.params
        self.quantity = str(question.params["quantity"])
        self.other = "train_loss" if self.quantity == "validation_loss" else "validation_loss"
        before, goal, ceiling = (float(question.params.get(name, math.inf)) for name in ("before", "goal", "ceiling"))
        self.gap = Gap(before, goal, ceiling)
        self.refold = bool(question.params.get("refold", False))
        self.goes_on = bool(question.params.get("goes_on", False))
        self.baseline = lab.baseline()
        self.contenders: list[Contender] = []
        self.other_seeds: list[float] = []

    # -- the field -----------------------------------------------------------------------------------------------------------------

    def enter(self, remedies: Sequence[RemedyRef], priors: Sequence[float]) -> list[Evidence]:
        refused = []
        for ref, prior in zip(remedies, priors, strict=True):
            try:
                self.lab.job(ref)
            except NotApplicable as reason:
                refused.append(
                    Evidence(
                        experiment="intervention", measure="not-applicable", value=math.nan, subject=str(ref), remedy=ref, text=str(reason)
                    )
                )
                continue
            self.contenders.append(Contender(ref, prior, make_remedy(ref).size))
        return refused

    @property
    def leader(self) -> Contender | None:
        """The best so far, if any recovers anything; who failed with other seeds leads no more."""
        helping = [c for c in self.contenders if c.recovered > LEAST_SHARE and c.settled is not False]
        return max(helping, key=lambda c: c.score, default=None)

    def settle(self) -> bool:
        """Repeat the leader with other seeds. Whether that ends the race: a leader that they refute leaves it to the others."""
        leader = self.leader
        if leader is None or leader.settled or leader.recovered < float(self.params.get("worth_repeating", WORTH_REPEATING)):
            return True
        self.repeat(leader, int(self.params.get("repeats", REPEATS)))
        in_doubt = leader.low is not None and leader.low <= 0
        leader.settled = not in_doubt or (len(leader.seeds) <= REPEATS and self.gap.speaks_for(leader.pairs))
        return leader.settled

    def is_over(self, heat: float) -> bool:
        """Somebody recovers enough and nobody with stronger signs is on the way, or nobody is within reach."""
        if self.leader is not None and self.leader.recovered >= ENOUGH:
            return not self._challengers()
        tried = [c for c in self.contenders if c.runs]
        if any(self._left_the_plateau(c) for c in tried):
            return heat >= 1
        reach, sign = (LEAST_SHARE, STRONG) if heat < 0.5 else (float(self.params.get("reach", WITHIN_REACH)), DIRECT)
        return not any(max(c.lead, c.recovered) >= reach or c.prior >= sign for c in tried)

    def _left_the_plateau(self, contender: Contender) -> bool:
        """Whether it has begun to learn where the baseline has learned nothing, to its end."""
        return not self.gap.learned(min(self.gap.before, self._baseline_loss(contender.horizon))) and self.gap.learned(contender.after)

    def _challengers(self) -> list[Contender]:
        """Who may yet be preferred to a leader that recovers enough: the most promising, and the one with the strongest signs."""
        leader = self.leader
        if leader is None or leader.recovered < ENOUGH:
            return []
        able = [c for c in self.contenders if c.runs and self._may_win(c, leader)]
        chosen = [*sorted(able, key=lambda c: -c.promise)[:1], *sorted(able, key=lambda c: -c.prior)[:1]]
        return list({id(c): c for c in chosen}.values())

    def _may_win(self, contender: Contender, leader: Contender) -> bool:
        """Clearly stronger signs, and ahead of the baseline or direct; or a smaller change with no weaker signs that is well ahead."""
        if contender.prior >= leader.prior + CLEARLY:
            return contender.lead >= LEAST_SHARE or contender.prior >= DIRECT
        return contender.size < leader.size and contender.prior >= leader.prior and contender.lead >= WITHIN_REACH

    # -- running -------------------------------------------------------------------------------------------------------------------

    def heat(self, share: float) -> None:
        """Run those still in the race up to this share of the training."""
        horizon = self.lab.horizon(share) if share < 1 else self.lab.total
        if any(c.runs for c in self.contenders):
            self._run(self._challengers() or self._survivors(horizon), horizon)
        elif self.params.get("one_by_one"):
            self._run_until_enough(horizon)
        else:
            self._run(self.contenders, horizon)
            for contender in list(self.contenders):
                self._climb(contender, horizon)

    def _run_until_enough(self, horizon: int) -> None:
        """The strongest signs first; those behind a contender that recovers ENOUGH leave the race untried."""
        for contender in sorted(self.contenders, key=lambda c: -c.prior):
            if self.leader is None or self.leader.recovered < ENOUGH:
                self._run([contender], horizon)

    def _survivors(self, horizon: int) -> list[Contender]:
        """The most promising, those first that learn where the baseline does not, and the one with the strongest signs; at full length one
        less, so that the budget lasts for repeats.
        """
        able = [c for c in self.contenders if c.runs and c.settled is None]
        ranked = sorted(able, key=lambda c: (self._left_the_plateau(c), c.promise), reverse=True)
        chosen = [*ranked[: SURVIVORS - (horizon >= self.lab.total)], *sorted(ranked, key=lambda c: -c.prior)[:1]]
        once = {id(c): c for c in chosen}.values()
        return [c for c in once if c.prior >= STRONG or max(c.lead, c.recovered) > LEAST_SHARE or self._left_the_plateau(c)]

    def _affordable(self, contenders: Sequence[Contender], horizon: int) -> Sequence[Contender]:
        """As many of them, in their order, as the budget pays for."""
        left, chosen = self.lab.left + 1e-9, []
        for contender in contenders:
            cost = self._cost(contender.ref, horizon)
            if cost <= left:
                left -= cost
                chosen.append(contender)
        return chosen

    def _cost(self, ref: RemedyRef, horizon: int) -> float:
        """Baseline runs that a run of this remedy takes: a longer training takes more than one."""
        return self.lab.cost(self._job(ref, horizon))

    def _run(self, contenders: Sequence[Contender], horizon: int) -> None:
        contenders = self._affordable(contenders, horizon)
        names = ", ".join(str(c.ref) for c in contenders)
        runs = self.lab.train([self._job(c.ref, horizon) for c in contenders], f"race: {names}")
        for contender, run in zip(contenders, runs, strict=True):
            self._note(contender, run, horizon)

    def _job(self, ref: RemedyRef, horizon: int) -> Job:
        """The contender up to this horizon. At the full one it goes to its own end; a longer training as far as the budget pays."""
        if horizon < self.lab.total:
            return self._short(horizon, ref)
        job = self.lab.job(ref)
        steps, most = (
            total_steps(len(job.task.train), job.recipe),
            int((self.lab.left / self.lab.baseline_cost(self.lab.total) - REPEATS * self.goes_on) * self.lab.total),
        )
        return self.lab.job(ref, horizon=most) if LEAST_LONGER * self.lab.total <= most < steps else job

    def _short(self, horizon: int, *refs: RemedyRef, repeat: int = 0) -> Job:
        """Up to this update of the baseline, or as many epochs of a training with batches of another size."""
        job = self.lab.job(*refs, repeat=repeat, refold=self.refold)
        share = (
            steps_per_epoch(len(job.task.train), job.recipe) / self.lab.per_epoch if len(job.task.train) == len(self.lab.task.train) else 1
        )
        return Job(job.task, job.recipe, max(1, round(horizon * share)))

    def _note(self, contender: Contender, run: Run, horizon: int) -> None:
        contender.runs.append(run)
        contender.horizons.append(horizon)
        contender.horizon = horizon
        contender.after, contender.after_other = _loss(run, self.quantity), _loss(run, self.other)
        contender.recovered = self.gap.recovered(contender.after)
        contender.lead = self.gap.effect(self._baseline_loss(horizon), contender.after)
        contender.seeds = (run.seed,)

    def _climb(self, contender: Contender, horizon: int) -> None:
        """More of what helps: x 10, x 100, ... as long as each beats the one before, or, where signs speak for it, while none has learned."""
        best, last = contender, self._baseline_loss(horizon)
        blind = BLIND_CLIMBS if contender.prior >= CLIMBING_SIGN and not self.gap.learned(min(last, self.gap.before)) else 0
        helps = contender.after < last or blind > 0
        stronger = make_remedy(contender.ref).stronger()
        while helps and stronger is not None and best.recovered < ENOUGH:
            following = Contender(stronger.ref, contender.prior, contender.size)
            try:
                if not self._pays(stronger.ref, horizon):
                    return
                self._run([following], horizon)
            except NotApplicable:
                return
            self.contenders.append(following)
            if not following.runs:
                return
            blind -= 1
            helps = following.after < best.after or (blind > 0 and not self.gap.learned(following.after))
            best, stronger = following, make_remedy(following.ref).stronger()

    def _pays(self, ref: RemedyRef, horizon: int) -> bool:
        """Whether the budget pays for a stronger remedy; for all of a longer training, of which a part has been seen."""
        job = self.lab.job(ref) if horizon >= self.lab.total else self._short(horizon, ref)
        return self.lab.cost(job) < self.lab.left

    def repeat(self, leader: Contender, repeats: int) -> None:
        """The leader and the baseline again, side by side, with other seeds (and divisions): the interval of the effect."""
        pairs = repeats * (self.lab.baseline_cost(self.lab.total) + self._cost(leader.ref, self.lab.total))
        if self.goes_on and pairs > self.lab.left:
            self._repeat_halves(leader, repeats)
            return
        horizon = self._shortest_telling(leader)
        self._repeat_at(leader, horizon, repeats)
        longer = self._longer_horizon(leader, horizon, repeats)
        if leader.low is not None and leader.low <= 0 and longer is not None:
            leader.repeats.clear()
            self._repeat_at(leader, longer, repeats)

    def _longer_horizon(self, leader: Contender, horizon: int, repeats: int) -> int | None:
        """Where an effect may show that a shorter run left in doubt: at the full length, or as far as the budget pays for all repeats."""
        for longer in (self.lab.total, self.lab.horizon(0.5)):
            own = 0.0 if longer in leader.horizons else self._cost(leader.ref, longer)
            pair = self.lab.baseline_cost(longer) + self._cost(leader.ref, longer)
            if longer > horizon and own + repeats * pair <= self.lab.left + 1e-9:
                return longer
        return None

    def _repeat_at(self, leader: Contender, horizon: int, repeats: int) -> None:
        """Pairs up to this update; more of them as long as they speak for the leader and leave a doubt."""
        if horizon not in leader.horizons:
            self._run([leader], horizon)
        pair = self.lab.baseline_cost(horizon) + self._cost(leader.ref, horizon)
        affordable = math.floor(self.lab.left / pair + 1e-9)
        repeats = max(0, min(repeats, affordable))
        if not repeats:
            margin = 2 * _fluctuation(leader.runs[-1], self.quantity) / self.gap.size
            leader.low, leader.high = leader.recovered - margin, leader.recovered + margin
            return
        pairs = leader.pairs = [(self._baseline_loss(horizon), self._loss_at(leader, horizon))]
        for repeat in range(1, min(MOST_REPEATS, affordable) + 1):
            if self.gap.speaks_for(pairs) and (repeat <= repeats or self.gap.bounds(pairs, leader.recovered)[0] <= 0):
                pairs.append(self._pair(leader, repeat, horizon))
        leader.low, leader.high = self.gap.bounds(pairs, leader.recovered)
        leader.mean_effect = self.gap.size * float(np.mean([self.gap.effect(*pair) for pair in pairs]))
        leader.seeds = tuple(dict.fromkeys((self.lab.recipe.seed, *(run.seed for run in leader.repeats))))
        if horizon >= self.lab.total and not self.refold:
            self.other_seeds += [without for without, _ in pairs[1:]]

    def _repeat_halves(self, leader: Contender, repeats: int) -> None:
        """A longer training is the baseline going on: what the second half of the baseline gains, on each seed, is its paired effect.

        How much it gains differs between seeds that stand on a plateau and those that have left it. So a fall on every seed, beyond the
        jumps of its own loss, is as good as an interval of its mean.
        """
        affordable = max(0, min(repeats, math.floor(self.lab.left / self.lab.baseline_cost(self.lab.total) + 1e-9)))
        leader.repeats = self.lab.train(
            [self.lab.job(repeat=k) for k in range(1, affordable + 1)], "does the loss fall on with other seeds?"
        )
        if not leader.repeats:
            return
        runs = (self.baseline, *leader.repeats)
        pairs = [(run.curves[self.quantity].at(self.lab.total // 2), run.curves[self.quantity].last) for run in runs]
        leader.low, leader.high = self.gap.bounds(pairs, leader.recovered)
        falls = [self.gap.effect(*pair) for pair in pairs]
        jumps = [FALLS_ON * _fluctuation(run, self.quantity) / self.gap.size for run in runs]
        if leader.low <= 0 and len(runs) >= PAIRS and all(fall > jump for fall, jump in zip(falls, jumps, strict=True)):
            leader.low, leader.high = min(falls), max(falls)
        leader.seeds = tuple(dict.fromkeys((self.lab.recipe.seed, *(run.seed for run in leader.repeats))))

    def _pair(self, leader: Contender, repeat: int, horizon: int) -> tuple[float, float]:
        """(loss without, loss with the remedy) with another seed, side by side."""
        jobs = [
            self._short(horizon, *refs, repeat=repeat)
            if horizon < self.lab.total
            else self.lab.job(*refs, repeat=repeat, refold=self.refold)
            for refs in ((), (leader.ref,))
        ]
        runs = self.lab.train(jobs, f"repeated with seed {jobs[0].recipe.seed}: {leader.ref}")
        leader.repeats += runs
        return _loss(runs[0], self.quantity), _loss(runs[1], self.quantity)

    def _shortest_telling(self, leader: Contender) -> int:
        """The first horizon at which the leader was ahead of the baseline by half of what it recovers in the end."""
        for run, horizon in zip(leader.runs, leader.horizons, strict=True):
            if self.gap.effect(self._baseline_loss(horizon), _loss(run, self.quantity)) >= 0.5 * leader.recovered:
                return horizon
        return leader.horizon

    def _baseline_loss(self, horizon: int) -> float:
        if self.baseline.outcome is Outcome.DIVERGED or horizon >= self.lab.total:
            return _loss(self.baseline, self.quantity)
        return self.baseline.curves[self.quantity].at(horizon)

    def _loss_at(self, contender: Contender, horizon: int) -> float:
        at = contender.horizons.index(horizon) if horizon in contender.horizons else -1
        return _loss(contender.runs[at], self.quantity)

    # -- evidence ------------------------------------------------------------------------------------------------------------------

    def baselines(self) -> list[Evidence]:
        """What the baseline itself recovers with the best of the other seeds that repeats were run with at full length."""
        if not self.other_seeds:
            return []
        value = max(self.gap.recovered(loss) for loss in self.other_seeds)
        seeds = tuple(self.lab.recipe.seed + k for k in range(1, len(self.other_seeds) + 1))
        details = {"quantity": self.quantity, "before": self.gap.before, "after": min(self.other_seeds), "reachable": self.gap.goal}
        return [Evidence(experiment="intervention", measure="other_seeds", value=value, seeds=seeds, details=details)]

    def evidence(self, contender: Contender) -> Evidence:
        keys = dict.fromkeys([self.baseline.key, *(run.key for run in (*contender.runs, *contender.repeats))])
        return Evidence(
            experiment="intervention",
            measure="recovered",
            value=contender.recovered,
            low=None if contender.low is None else min(contender.low, contender.recovered),  # a longer run may have come after the repeats
            high=None if contender.high is None else max(contender.high, contender.recovered),
            subject=str(contender.ref),
            remedy=contender.ref,
            runs=tuple(keys),
            seeds=contender.seeds,
            step=contender.horizon,
            details={
                "quantity": self.quantity,
                "before": self.gap.before,
                "after": contender.after,
                self.other: contender.after_other,
                "lowest_validation_loss": _lowest(contender.runs[-1]),
                "reachable": self.gap.goal,
                **({} if contender.mean_effect is None else {"mean_effect": contender.mean_effect}),
                **({"worst_seed": min(self.gap.recovered(pair[1]) for pair in contender.pairs)} if contender.pairs else {}),
                "share_of_training": min(contender.horizon, contender.runs[-1].steps) / self.lab.total,
                "learned": self.quantity != "train_loss" or not math.isfinite(contender.after) or self.gap.learned(contender.after),
                "prior": contender.prior,
                "score": contender.score,
            },
        )


def _not_run(contender: Contender) -> Evidence:
    """A contender that the budget did not pay for, or that stood behind one which settled the race."""
    text = "not run: the budget did not pay for it, or another remedy settled the race first"
    return Evidence(
        experiment="intervention", measure="not-run", value=math.nan, subject=str(contender.ref), remedy=contender.ref, text=text
    )


def _fluctuation(run: Run, quantity: str) -> float:
    """How much the evaluated loss jumps from one evaluation to the next over the last half of a run: its noise, without its trend.

    Of too few evaluations nobody can tell: then no fall is beyond it.
    """
    values = np.array(run.curves["validation_metric" if quantity == "validation_error" else quantity].values)
    late = values[len(values) // 2 :]
    return float(np.std(np.diff(late))) if len(late) > 2 and bool(np.isfinite(late).all()) else math.inf


def _lowest(run: Run) -> float:
    """Where the validation loss was lowest; infinite where it never was finite."""
    return min((v for v in run.curves.get("validation_loss", Curve()).values if math.isfinite(v)), default=math.inf)


def _loss(run: Run, quantity: str) -> float:
    """The run's final loss, or its share of wrong validation rows; infinite when it diverged or failed."""
    if run.outcome in (Outcome.DIVERGED, Outcome.FAILED):
        return math.inf
    loss = 1 - run.last("validation_metric") if quantity == "validation_error" else run.last(quantity)
    return loss if math.isfinite(loss) else math.inf
