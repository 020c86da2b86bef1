"""Training loops in other people's styles, each sound and (most) with one mistake, under a watch with its default settings.

    python bench/watched_styles.py [PART_OF_A_NAME ...]

Written without a look at the watch, its tests or bench/watched_loops.py; what its first run found is in results/watched-styles.md, beside what
is found since the watch was mended after it. A line for each: what is expected, the findings in order with the update at which each was first
seen, and the loss (mean of the first and of the last tenth). ``hard``: the mistake leaves little that a watch could hold on to. ``debatable``:
unusual on purpose, or by mistake.
"""

import copy
import itertools
import logging
import random
import sys
import time
import traceback
import warnings
from collections import deque
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call, grad, vmap
from torch.nn.utils import clip_grad_norm_, parametrizations
from torch.optim import lr_scheduler
from torch.optim.swa_utils import SWALR, AveragedModel, update_bn
from torch.utils.checkpoint import checkpoint
from torch.utils.data import DataLoader, TensorDataset

import traindx as tdx

watch = partial(tdx.watch, quiet=True)
LOOPS = []
KEPT = []
OFF = []


class Errors(logging.Handler):
    """What the watch logs when it switches itself off."""

    def emit(self, record):
        OFF.append(repr(record.exc_info[1])[:160] if record.exc_info else record.getMessage()[:160])


logging.getLogger("traindx").addHandler(Errors())
logging.getLogger("traindx").propagate = False


def keep(loss):
    KEPT.append(float(loss))


def loop(twin="", **mistakes):
    """Register a loop. ``twin``: "debatable" or nothing; each mistake: its cause, with " hard" or " debatable" after it."""

    def register(function):
        LOOPS.append((function.__name__, function, twin, {name.replace("_", "-"): cause for name, cause in mistakes.items()}))
        return function

    return register


def blobs(n, width=8, classes=3, noise=1.0):
    centres = 1.5 * torch.randn(classes, width)
    y = torch.randint(0, classes, (n,))
    return centres[y] + noise * torch.randn(n, width), y


def mlp(*widths, act=nn.ReLU):
    layers = []
    for a, b in itertools.pairwise(widths):
        layers += [nn.Linear(a, b), act()]
    return nn.Sequential(*layers[:-1])


# ---- several networks ----------------------------------------------------------------------------------------------------------------


@loop(detached_fake="detached-graph", d_not_cleared="missing-zero-grad", g_not_cleared="missing-zero-grad")
def gan(bad):
    """DCGAN order: the critic on real and fake, then the generator through the critic."""
    return gan_of_two(bad, both=False)


@loop(detached_fake="detached-graph", d_not_cleared="missing-zero-grad")
def gan_with_two_reports(bad):
    """The same, with a report after each of the two updates: their losses take turns."""
    return gan_of_two(bad, both=True)


def gan_of_two(bad, both):
    g, d = mlp(4, 32, 2), mlp(2, 32, 1, act=partial(nn.LeakyReLU, 0.2))
    opt_g, opt_d = torch.optim.Adam(g.parameters(), 1e-3, betas=(0.5, 0.999)), torch.optim.Adam(d.parameters(), 1e-3, betas=(0.5, 0.999))
    bce = nn.BCEWithLogitsLoss()
    one, zero = torch.ones(64, 1), torch.zeros(64, 1)
    with watch(nn.ModuleDict({"g": g, "d": d}), [opt_g, opt_d]) as w:
        for _ in range(300):
            real = torch.tensor([2.0, 1.0]) + 0.3 * torch.randn(64, 2)
            if bad != "d-not-cleared":
                opt_d.zero_grad()
            fake = g(torch.randn(64, 4))
            loss_d = bce(d(real), one) + bce(d(fake.detach()), zero)
            loss_d.backward()
            opt_d.step()
            if both:
                w.step(loss_d)
            if bad != "g-not-cleared":
                opt_g.zero_grad()
            if bad == "detached-fake":
                fake = fake.detach()
            loss_g = bce(d(fake), one)
            loss_g.backward()
            opt_g.step()
            keep(loss_g)
            w.step(loss_g)
    return w, f"mean of fakes {g(torch.randn(500, 4)).mean(0).tolist()} (2, 1)"


@loop(critic_not_cleared="missing-zero-grad")
def wgan_spectral(bad):
    """Wasserstein critic with spectral norm, three critic updates to one, requires_grad toggled; weight norm in the generator."""
    g = nn.Sequential(parametrizations.weight_norm(nn.Linear(4, 32)), nn.ReLU(), nn.Linear(32, 2))
    sn = parametrizations.spectral_norm
    critic = nn.Sequential(sn(nn.Linear(2, 32)), nn.LeakyReLU(0.1), sn(nn.Linear(32, 32)), nn.LeakyReLU(0.1), sn(nn.Linear(32, 1)))
    opt_g, opt_c = torch.optim.RMSprop(g.parameters(), 2e-3), torch.optim.RMSprop(critic.parameters(), 2e-3)
    with watch(nn.ModuleList([g, critic]), [opt_g, opt_c]) as w:
        for _ in range(150):
            critic.requires_grad_(True)
            for _ in range(3):
                real = torch.tensor([1.0, -1.0]) + 0.3 * torch.randn(64, 2)
                with torch.no_grad():
                    fake = g(torch.randn(64, 4))
                loss_c = critic(fake).mean() - critic(real).mean()
                if bad != "critic-not-cleared":
                    opt_c.zero_grad(set_to_none=False)
                loss_c.backward()
                opt_c.step()
            critic.requires_grad_(False)
            opt_g.zero_grad()
            loss_g = -critic(g(torch.randn(64, 4))).mean()
            loss_g.backward()
            opt_g.step()
            keep(loss_c)
            w.step(loss_c.item())
    return w, f"mean of fakes {g(torch.randn(500, 4)).mean(0).tolist()} (1, -1)"


@loop(decoder_forgotten="parameters-not-in-optimizer")
def vae(bad):
    x = torch.sigmoid(3 * torch.randn(512, 3) @ torch.randn(3, 20))

    class VAE(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 6))
            self.decoder = nn.Sequential(nn.Linear(3, 32), nn.ReLU(), nn.Linear(32, 20))

        def forward(self, x):
            mu, logvar = self.encoder(x).chunk(2, -1)
            z = mu + torch.randn_like(mu) * (logvar / 2).exp()
            return self.decoder(z), mu, logvar

    def elbo(out, x):
        rec, mu, logvar = out
        return (F.binary_cross_entropy_with_logits(rec, x, reduction="sum") - 0.5 * (1 + logvar - mu**2 - logvar.exp()).sum()) / len(x)

    model = VAE()
    opt = torch.optim.Adam((model.encoder if bad else model).parameters(), 3e-3)
    with watch(model, opt, elbo) as w:
        for _ in range(15):
            for (b,) in DataLoader(TensorDataset(x), 32, shuffle=True):
                out = model(b)
                loss = elbo(out, b)
                opt.zero_grad()
                loss.backward()
                opt.step()
                keep(loss)
                w.step(loss, out, b)
    return w


@loop(optimizer_of_the_teacher="parameters-not-in-optimizer")
def mean_teacher(bad):
    """A few labels, consistency with an EMA copy; both in the module that is watched."""
    x, y = blobs(400)
    student = mlp(8, 32, 3)
    teacher = copy.deepcopy(student)
    if bad:
        opt = torch.optim.SGD(teacher.parameters(), lr=0.05, momentum=0.9)
    else:
        teacher.requires_grad_(False)
        opt = torch.optim.SGD(student.parameters(), lr=0.05, momentum=0.9)
    with watch(nn.ModuleDict({"student": student, "teacher": teacher}), opt) as w:
        for _ in range(200):
            i, j = torch.randint(0, 60, (16,)), torch.randint(0, 400, (32,))
            loss = F.cross_entropy(student(x[i]), y[i])
            with torch.no_grad():
                aim = teacher(x[j]).softmax(-1)
            loss = loss + 0.5 * F.mse_loss(student(x[j] + 0.1 * torch.randn(32, 8)).softmax(-1), aim)
            student.zero_grad()
            loss.backward()
            opt.step()
            with torch.no_grad():
                for a, b in zip(teacher.parameters(), student.parameters(), strict=True):
                    a.mul_(0.95).add_(b, alpha=0.05)
            keep(loss)
            w.step(loss)
    return w


@loop(cleared_before_step="gradients-cleared-before-step")
def distillation(bad):
    x, y = blobs(512, 10, 5, noise=2.0)
    teacher = mlp(10, 64, 5)
    t_opt = torch.optim.Adam(teacher.parameters(), 1e-2)
    for _ in range(100):
        t_opt.zero_grad()
        F.cross_entropy(teacher(x), y).backward()
        t_opt.step()
    teacher.eval()
    student, temp = mlp(10, 16, 5), 3.0
    opt = torch.optim.Adam(student.parameters(), 5e-3)
    kd = nn.KLDivLoss(reduction="batchmean")
    with watch(student, opt, kd) as w:
        for _ in range(250):
            xb = x[torch.randint(0, 512, (64,))]
            with torch.no_grad():
                soft = F.softmax(teacher(xb) / temp, -1)
            logp = F.log_softmax(student(xb) / temp, -1)
            loss = kd(logp, soft) * temp**2
            if not bad:
                opt.zero_grad()
            loss.backward()
            if bad:
                opt.zero_grad()
            opt.step()
            keep(loss)
            w.step(loss, logp, soft)
    return w


@loop(minus_forgotten="loss-sign-flipped")
def infonce(bad):
    data = torch.randn(256, 4) @ torch.randn(4, 16)
    encoder = nn.Sequential(nn.Linear(16, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 8))
    opt = torch.optim.AdamW(encoder.parameters(), 1e-3, weight_decay=1e-4)
    with watch(encoder, opt, F.cross_entropy) as w:
        for _ in range(200):
            b = data[torch.randperm(256)[:48]]
            v1, v2 = (b + 0.3 * torch.randn_like(b) for _ in "12")
            z1, z2 = F.normalize(encoder(v1), dim=1), F.normalize(encoder(v2), dim=1)
            logits = z1 @ z2.T / 0.2
            log_p = torch.log_softmax(logits, 1).diag()
            loss = log_p.mean() if bad else -log_p.mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
            keep(loss)
            w.step(loss, logits, torch.arange(48))
    return w


# ---- reinforcement learning ----------------------------------------------------------------------------------------------------------


@loop(log_probs_without_graph="detached-graph", sign="loss-sign-flipped hard")
def reinforce(bad):
    """Go right in a corridor; normalised returns, so that the loss lies around 0 and says nothing."""
    policy = mlp(6, 16, 2, act=nn.Tanh)
    opt = torch.optim.Adam(policy.parameters(), 1e-2)
    eye, lengths = torch.eye(6), []
    with watch(policy, opt) as w:
        for _ in range(150):
            s, logps, rewards = 2, [], []
            for _ in range(15):
                with torch.set_grad_enabled(bad != "log-probs-without-graph"):
                    dist = torch.distributions.Categorical(logits=policy(eye[s]))
                    a = dist.sample()
                    logps.append(dist.log_prob(a))
                s = max(0, min(5, s + (1 if a else -1)))
                rewards.append(1.0 if s == 5 else -0.1)
                if s == 5:
                    break
            lengths.append(len(rewards))
            returns, r = [], 0.0
            for x in reversed(rewards):
                r = x + 0.95 * r
                returns.insert(0, r)
            returns = torch.tensor(returns)
            returns = (returns - returns.mean()) / (returns.std() + 1e-6)
            loss = -(torch.stack(logps) * returns).sum()
            if bad == "sign":
                loss = -loss
            if bad == "log-probs-without-graph":
                loss.requires_grad_()
            opt.zero_grad()
            loss.backward()
            opt.step()
            keep(loss)
            w.step(loss)
    return w, f"steps to the goal {sum(lengths[:15]) / 15:.1f} -> {sum(lengths[-15:]) / 15:.1f}"


@loop(q_column_against_row="output-target-shape-mismatch")
def dqn(bad):
    """Replay and a target network; the loss rises while the values grow, as it does."""
    q = mlp(6, 32, 2)
    target = copy.deepcopy(q).eval()
    opt, loss_fn, memory, eye, s = torch.optim.Adam(q.parameters(), 3e-3), nn.SmoothL1Loss(), deque(maxlen=500), torch.eye(6), 0
    with watch(q, opt, loss_fn) as w:
        for t in range(500):
            with torch.no_grad():
                a = random.randrange(2) if random.random() < 0.3 else int(q(eye[s]).argmax())
            n = max(0, min(5, s + (1 if a else -1)))
            memory.append((s, a, 1.0 if n == 5 else 0.0, n, float(n == 5)))
            s = 0 if n == 5 else n
            if len(memory) < 100:
                continue
            batch = random.sample(memory, 32)
            ss, aa, rr, nn_, done = (torch.tensor(c) for c in zip(*batch, strict=True))
            value = q(eye[ss]).gather(1, aa[:, None])
            with torch.no_grad():
                aim = rr + 0.9 * (1 - done) * target(eye[nn_]).max(1).values
            if not bad:
                value = value.squeeze(1)
            loss = loss_fn(value, aim)
            opt.zero_grad()
            loss.backward()
            opt.step()
            if t % 50 == 0:
                target.load_state_dict(q.state_dict())
            keep(loss)
            w.step(loss, value, aim)
    return w, f"values of 'right' {[round(v, 2) for v in q(eye)[:, 1].tolist()]}"


# ---- what is handed to the optimizer -------------------------------------------------------------------------------------------------


def pretrained(x, layers):
    """A body that has learned another task of the same inputs."""
    head = nn.Linear(32, 5)
    aim = (x @ torch.randn(x.shape[1], 5)).argmax(1)
    opt = torch.optim.Adam([*layers.parameters(), *head.parameters()], 3e-3)
    for i in torch.randint(0, len(x), (150, 64)):
        opt.zero_grad()
        F.cross_entropy(head(layers(x[i])), aim[i]).backward()
        opt.step()
    opt.zero_grad()
    return layers


@loop(unfrozen_but_not_handed_over="parameters-not-in-optimizer", head_replaced_after_the_optimizer="parameters-not-in-optimizer")
def head_then_body(bad):
    """Fine-tuning in two stages: the head alone, then all, with a lower rate for the body."""
    x, y = blobs(500, 10, 4, 2.5)
    model = nn.Sequential()
    model.add_module("body", pretrained(x, nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU())))
    model.add_module("head", nn.Linear(32, 5 if bad == "head-replaced-after-the-optimizer" else 4))
    model.body.requires_grad_(False)
    opt = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=3e-3)
    if bad == "head-replaced-after-the-optimizer":
        model.head = nn.Linear(32, 4)
    ce = nn.CrossEntropyLoss()
    with watch(model, opt, ce) as w:
        for it in range(300):
            if it == 100:
                model.body.requires_grad_(True)
                if bad != "unfrozen-but-not-handed-over":
                    opt.add_param_group({"params": list(model.body.parameters()), "lr": 1e-3})
            i = torch.randint(0, 500, (32,))
            out = model(x[i])
            loss = ce(out, y[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
            keep(loss)
            w.step(loss, out, y[i])
    return w


@loop(twin="debatable")
def frozen_batch_norm(bad):
    """Fine-tuning as in detection: all learns but BatchNorm, which stays in evaluation mode on purpose."""
    x, y = blobs(500, 10, 4, 2.0)
    body = pretrained(x, nn.Sequential(nn.Linear(10, 32), nn.BatchNorm1d(32), nn.ReLU()))
    model = nn.Sequential(body, nn.Dropout(0.1), nn.Linear(32, 4))
    body[1].requires_grad_(False)
    opt = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], 0.02, momentum=0.9)
    with watch(model, opt, F.cross_entropy) as w:
        for _ in range(15):
            model.train()
            body[1].eval()
            for b in torch.randperm(500).split(25):
                opt.zero_grad()
                out = model(x[b])
                loss = F.cross_entropy(out, y[b])
                loss.backward()
                opt.step()
                keep(loss)
                w.step(loss, out, y[b])
    return w


@loop(twin="debatable")
def linear_probe(bad):
    """A body frozen for good and in evaluation mode: a probe, on purpose."""
    x, y = blobs(500, 10, 4, 2.0)
    body = pretrained(x, nn.Sequential(nn.Linear(10, 32), nn.BatchNorm1d(32), nn.ReLU()))
    for p in body.parameters():
        p.requires_grad = False
    head = nn.Linear(32, 4)
    opt = torch.optim.Adam(head.parameters(), 1e-2)
    model = nn.Sequential(body, head)
    with watch(model, opt) as w:
        for i in range(200):
            body.eval()
            head.train()
            b = slice(i % 10 * 50, i % 10 * 50 + 50)
            with torch.no_grad():
                feats = body(x[b])
            out = head(feats)
            loss = F.cross_entropy(out, y[b])
            opt.zero_grad()
            loss.backward()
            opt.step()
            keep(loss)
            w.step(loss, out, y[b])
    return w


@loop(scale_in_no_group="parameters-not-in-optimizer")
def decay_groups(bad):
    """Groups by name, with and without weight decay, and a rate of its own for the head."""

    class Block(nn.Module):
        def __init__(self, d):
            super().__init__()
            self.fc, self.norm = nn.Linear(d, d), nn.LayerNorm(d)
            self.gamma = nn.Parameter(0.1 * torch.ones(d))

        def forward(self, x):
            return x + self.gamma * torch.relu(self.fc(self.norm(x)))

    x, y = blobs(600, 16, 4, 2.0)
    model = nn.Sequential(nn.Linear(16, 32), Block(32), Block(32), nn.Linear(32, 4))
    named = list(model.named_parameters())
    decay = [p for n, p in named if n.endswith("weight") and not n.startswith("3.")]
    plain = [p for n, p in named if (n.endswith("bias") if bad else not n.endswith("weight")) and not n.startswith("3.")]
    groups = [
        {"params": decay, "weight_decay": 0.05},
        {"params": plain, "weight_decay": 0.0},
        {"params": model[3].parameters(), "lr": 1e-2, "weight_decay": 0.0},
    ]
    opt = torch.optim.AdamW(groups, lr=1e-3)
    loss_fn = nn.CrossEntropyLoss(label_smoothing=0.1)
    with watch(model, opt, loss_fn) as w:
        for _ in range(8):
            for xb, yb in DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True, drop_last=True):
                opt.zero_grad(set_to_none=True)
                out = model(xb)
                loss = loss_fn(out, yb)
                loss.backward()
                opt.step()
                keep(loss)
                w.step(loss, out, yb)
    return w


@loop(embedding_loaded_after_the_optimizer="parameters-not-in-optimizer")
def tied_language_model(bad):
    class LM(nn.Module):
        def __init__(self, v=20, d=24):
            super().__init__()
            self.emb, self.rnn, self.out = nn.Embedding(v, d), nn.GRU(d, d, batch_first=True), nn.Linear(d, v, bias=False)
            self.out.weight = self.emb.weight

        def forward(self, t):
            return self.out(self.rnn(self.emb(t))[0])

    walk = (torch.arange(3000) * 7 + torch.randint(0, 2, (3000,))) % 20
    model = LM()
    nn.init.normal_(model.emb.weight, std=0.2)
    opt = torch.optim.Adam(model.parameters(), lr=5e-3)
    if bad:
        model.emb.weight = nn.Parameter(0.2 * torch.randn(20, 24))
        model.out.weight = model.emb.weight
    with watch(model, opt, lambda o, t: F.cross_entropy(o.reshape(-1, 20), t.reshape(-1))) as w:
        for _ in range(150):
            i = torch.randint(0, 2980, (16, 1)) + torch.arange(13)
            tok = walk[i]
            out = model(tok[:, :-1])
            loss = F.cross_entropy(out.reshape(-1, 20), tok[:, 1:].reshape(-1))
            opt.zero_grad()
            loss.backward()
            clip_grad_norm_(model.parameters(), 1.0)
            opt.step()
            keep(loss)
            w.step(loss, out, tok[:, 1:])
    return w


@loop(layer_created_in_forward="parameters-not-in-optimizer")
def diffusion(bad):
    """DDPM in two dimensions; the layer for the time is built when its width is first known."""

    class Eps(nn.Module):
        def __init__(self):
            super().__init__()
            self.time = None
            self.inp, self.mid, self.out = nn.Linear(2, 64), nn.Linear(64, 64), nn.Linear(64, 2)

        def forward(self, x, t):
            ang = t[:, None] * torch.tensor([1.0, 2.0, 4.0, 8.0])
            feats = torch.cat([ang.sin(), ang.cos()], -1)
            if self.time is None:
                self.time = nn.Linear(feats.shape[-1], 64)
            h = torch.relu(self.inp(x) + self.time(feats))
            return self.out(torch.relu(self.mid(h)))

    model = Eps()
    ema = None
    if not bad:
        model(torch.zeros(1, 2), torch.zeros(1))  # builds the lazy layer
        ema = copy.deepcopy(model)
    opt = torch.optim.Adam(model.parameters(), 3e-3)
    mse = nn.MSELoss()
    with watch(model, opt, mse) as w:
        for _ in range(300):
            ang = 6.28 * torch.rand(64)
            x0 = torch.stack([ang.cos(), ang.sin()], -1)
            t, noise = torch.rand(64), torch.randn(64, 2)
            a = torch.cos(t * 1.5)[:, None]
            pred = model(a * x0 + (1 - a**2).sqrt() * noise, t)
            loss = mse(pred, noise)
            opt.zero_grad()
            loss.backward()
            opt.step()
            if ema is not None:
                for p, q in zip(ema.parameters(), model.parameters(), strict=True):
                    p.data.lerp_(q.data, 0.02)
            keep(loss)
            w.step(loss, pred, noise)
    return w


@loop(criterion_not_handed_over="parameters-not-in-optimizer hard")
def uncertainty_weighting(bad):
    """Two tasks, weighed by a learned criterion; outputs and targets as dictionaries, a loss that falls below zero."""
    x, y = blobs(600, 8, 3, 1.5)
    r = x @ torch.randn(8, 1) / 3

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.trunk, self.cls, self.reg = nn.Sequential(nn.Linear(8, 32), nn.Tanh()), nn.Linear(32, 3), nn.Linear(32, 1)

        def forward(self, x):
            h = self.trunk(x)
            return {"cls": self.cls(h), "reg": self.reg(h)}

    class Weighed(nn.Module):
        def __init__(self):
            super().__init__()
            self.log_var = nn.Parameter(torch.zeros(2))

        def forward(self, out, aim):
            parts = torch.stack([F.cross_entropy(out["cls"], aim["cls"]), F.mse_loss(out["reg"], aim["reg"])])
            return (torch.exp(-self.log_var) * parts + self.log_var).sum()

    net, criterion = Net(), Weighed()
    opt = torch.optim.Adam(net.parameters() if bad else [*net.parameters(), *criterion.parameters()], 1e-2)
    with watch(net, opt, criterion) as w:
        for _ in range(300):
            i = torch.randint(0, 600, (40,))
            out, aim = net(x[i]), {"cls": y[i], "reg": r[i]}
            loss = criterion(out, aim)
            opt.zero_grad()
            criterion.zero_grad()
            loss.backward()
            opt.step()
            keep(loss)
            w.step(loss, out, aim)
    return w


@loop(frozen_by_accident="frozen-parameters debatable", step_lr_by_the_batch="scheduler-wrong-rhythm")
def weighted_cross_entropy(bad):
    x, y = blobs(800, 6, 3, 2.0)
    rows = torch.cat([(y == 0).nonzero()[:, 0], (y == 1).nonzero()[:, 0][:60], (y == 2).nonzero()[:, 0][:30]])
    x, y = x[rows], y[rows]
    weight = len(y) / (3 * torch.bincount(y).float())
    model = mlp(6, 32, 32, 3)
    if bad == "frozen-by-accident":
        for p in model[:4].parameters():
            p.requires_grad = False
    opt = torch.optim.SGD(filter(lambda p: p.requires_grad, model.parameters()), lr=0.03, momentum=0.9, nesterov=True)
    crit = nn.CrossEntropyLoss(weight=weight)
    sched = lr_scheduler.StepLR(opt, step_size=8, gamma=0.1)
    with watch(model, opt, crit) as w:
        for _ in range(25):
            for xb, yb in DataLoader(TensorDataset(x, y), 32, shuffle=True):
                out = model(xb)
                loss = crit(out, yb)
                opt.zero_grad()
                loss.backward()
                opt.step()
                if bad == "step-lr-by-the-batch":
                    sched.step()
                keep(loss)
                w.step(loss, out, yb)
            if bad != "step-lr-by-the-batch":
                sched.step()
    return w


@loop(twin="debatable")
def style_transfer(bad):
    """The picture is what is learned, the network stays."""
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU()).eval().requires_grad_(False)
    aim = net(torch.rand(1, 3, 24, 24))
    image = torch.rand(1, 3, 24, 24, requires_grad=True)
    opt = torch.optim.Adam([image], lr=0.02)
    with watch(net, opt) as w:
        for _ in range(150):
            opt.zero_grad()
            f = net(image.clamp(0, 1))
            gram = lambda t: torch.einsum("bchw,bdhw->cd", t, t) / t[0, 0].numel()  # noqa: E731
            loss = F.mse_loss(gram(f), gram(aim)) * 1e3 + F.mse_loss(f, aim) * 10
            loss.backward()
            opt.step()
            keep(loss)
            w.step(loss)
    return w


@loop()
def adam_then_sgd(bad):
    """Two optimizers of the same parameters, one after the other."""
    x, y = blobs(500, 8, 4, 2.0)
    model = mlp(8, 32, 4)
    adam = torch.optim.Adam(model.parameters(), 3e-3)
    sgd = torch.optim.SGD(model.parameters(), 0.01)
    with watch(model, [adam, sgd], F.cross_entropy) as w:
        for it in range(300):
            opt = adam if it < 150 else sgd
            i = torch.randint(0, 500, (32,))
            opt.zero_grad()
            out = model(x[i])
            loss = F.cross_entropy(out, y[i])
            loss.backward()
            opt.step()
            keep(loss)
            w.step(loss, out, y[i])
    return w


# ---- gradients -----------------------------------------------------------------------------------------------------------------------


@loop(closure_without_zero_grad="missing-zero-grad")
def lbfgs(bad):
    return lbfgs_with(bad, complete=True)


@loop(closure_without_zero_grad="missing-zero-grad hard")
def lbfgs_as_in_the_manual(bad):
    """Without the call in the closure that the watch asks for."""
    return lbfgs_with(bad, complete=False)


def lbfgs_with(bad, complete):
    x = torch.linspace(-2, 2, 200)[:, None]
    y = torch.sin(2 * x) + 0.05 * torch.randn_like(x)
    model = mlp(1, 16, 1, act=nn.Tanh)
    opt = torch.optim.LBFGS(model.parameters(), lr=0.5, max_iter=4, history_size=10)
    with watch(model, opt, F.mse_loss) as w:
        for _ in range(80):

            def closure():
                if not bad:
                    opt.zero_grad()
                loss = F.mse_loss(model(x), y)
                loss.backward()
                if complete:
                    w.gradients_complete()
                return loss

            loss = opt.step(closure)
            keep(loss)
            w.step(loss, model(x), y)
    return w


@loop(cleared_every_batch="gradients-cleared-before-step", never_cleared="missing-zero-grad", never_enough_batches="missing-optimizer-step")
def accumulation_with_remainder(bad):
    """Ten batches an epoch, four to an update, the last two by themselves."""
    x, y = blobs(160, 8, 3, 1.5)
    model = mlp(8, 24, 3)
    opt = torch.optim.Adam(model.parameters(), 3e-3)
    crit, every = nn.CrossEntropyLoss(), 16 if bad == "never-enough-batches" else 4
    loader = DataLoader(TensorDataset(x, y), 16, shuffle=True)
    with watch(model, opt, crit) as w:
        opt.zero_grad()
        for _ in range(40):
            for i, (xb, yb) in enumerate(loader):
                if bad == "cleared-every-batch":
                    opt.zero_grad()
                out = model(xb)
                loss = crit(out, yb)
                (loss / every).backward()
                if (i + 1) % every == 0 or (i + 1 == len(loader) and bad != "never-enough-batches"):
                    opt.step()
                    if not bad:
                        opt.zero_grad()
                keep(loss)
                w.step(loss, out, yb)
    return w


@loop(step_without_parentheses="missing-optimizer-step")
def amp_with_scaler(bad):
    x, y = blobs(512, 16, 4, 2.0)
    model = nn.Sequential(nn.Linear(16, 64), nn.LayerNorm(64), nn.GELU(), nn.Linear(64, 4))
    opt = torch.optim.AdamW(model.parameters(), 2e-3)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10, growth_interval=50)
    crit = nn.CrossEntropyLoss()
    with watch(model, opt, crit) as w:
        for _ in range(200):
            i = torch.randint(0, 512, (64,))
            opt.zero_grad(set_to_none=True)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                out = model(x[i])
                loss = crit(out, y[i])
            scaler.scale(loss).backward()
            scaler.unscale_(opt)
            clip_grad_norm_(model.parameters(), 1.0)
            if bad:
                scaler.step  # noqa: B018
            else:
                scaler.step(opt)
            scaler.update()
            keep(loss)
            w.step(loss, out, y[i])
    return w


@loop(reentrant_on_inputs_without_gradient="detached-graph")
def checkpointed(bad):
    x, y = blobs(500, 12, 4, 2.0)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.blocks = nn.ModuleList([nn.Sequential(nn.Linear(12, 12), nn.GELU(), nn.Dropout(0.1)) for _ in range(3)])
            self.head = nn.Linear(12, 4)

        def forward(self, x):
            for b in self.blocks:
                x = checkpoint(b, x, use_reentrant=bool(bad))
            return self.head(x)

    model = Net()
    opt = torch.optim.Adam(model.parameters(), 3e-3)
    with watch(model, opt, nn.CrossEntropyLoss()) as w:
        for _ in range(250):
            i = torch.randint(0, 500, (32,))
            out = model(x[i])
            loss = F.cross_entropy(out, y[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
            keep(loss)
            w.step(loss, out, y[i])
    return w


@loop(added_to_the_last="missing-zero-grad hard")
def private_gradients(bad):
    """DP-SGD with torch.func: gradients by row, clipped, noised, written into .grad; backward() is never called."""
    x, y = blobs(400, 8, 3, 1.5)
    model = mlp(8, 16, 3)
    opt = torch.optim.SGD(model.parameters(), lr=0.3)

    def row_loss(params, xi, yi):
        return F.cross_entropy(functional_call(model, params, (xi[None],)), yi[None])

    per_row = vmap(grad(row_loss), in_dims=(None, 0, 0))
    with watch(model, opt, F.cross_entropy) as w:
        for _ in range(150):
            i = torch.randint(0, 400, (32,))
            params = {n: p.detach() for n, p in model.named_parameters()}
            g = per_row(params, x[i], y[i])
            norms = torch.stack([v.flatten(1).norm(dim=1) for v in g.values()]).norm(dim=0)
            for n, p in model.named_parameters():
                v = torch.einsum("b...,b->...", g[n], (1 / norms).clamp(max=1.0)) / 32 + 0.01 * torch.randn_like(p)
                p.grad = v if not bad or p.grad is None else p.grad + v
            opt.step()
            with torch.no_grad():
                out = model(x[i])
                loss = F.cross_entropy(out, y[i])
            keep(loss)
            w.step(loss.item())
    return w


@loop(second_pass_adds_to_the_first="missing-zero-grad debatable")
def sharpness_aware(bad):
    """SAM by hand: up along the gradient, gradient there, back, step."""
    x, y = blobs(400, 8, 3, 1.5)
    model = mlp(8, 32, 3)
    opt = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    with watch(model, opt, F.cross_entropy) as w:
        for _ in range(200):
            i = torch.randint(0, 400, (32,))
            out = model(x[i])
            loss = F.cross_entropy(out, y[i])
            opt.zero_grad()
            loss.backward()
            with torch.no_grad():
                size = torch.stack([p.grad.norm() for p in model.parameters()]).norm()
                moves = [p.grad * (0.05 / (size + 1e-12)) for p in model.parameters()]
                for p, e in zip(model.parameters(), moves, strict=True):
                    p.add_(e)
            if not bad:
                opt.zero_grad()
            F.cross_entropy(model(x[i]), y[i]).backward()
            with torch.no_grad():
                for p, e in zip(model.parameters(), moves, strict=True):
                    p.sub_(e)
            opt.step()
            keep(loss)
            w.step(loss, out, y[i])
    return w


@loop(zero_grad_missing="missing-zero-grad")
def skip_gram(bad):
    """Word vectors with sparse gradients and SparseAdam."""
    corpus = torch.randint(0, 10, (2000,)) * 5
    corpus = torch.stack([corpus + k for k in range(5)], 1).flatten()

    class SG(nn.Module):
        def __init__(self):
            super().__init__()
            self.u, self.v = nn.Embedding(50, 16, sparse=True), nn.Embedding(50, 16, sparse=True)

        def forward(self, a, b, neg):
            pos = (self.u(a) * self.v(b)).sum(-1)
            rest = torch.einsum("bd,bkd->bk", self.u(a), self.v(neg))
            return -(F.logsigmoid(pos) + F.logsigmoid(-rest).sum(-1)).mean()

    model = SG()
    opt = torch.optim.SparseAdam(list(model.parameters()), lr=5e-2)
    with watch(model, opt) as w:
        for _ in range(250):
            i = torch.randint(0, 9998, (128,))
            loss = model(corpus[i], corpus[i + 1], torch.randint(0, 50, (128, 4)))
            if not bad:
                opt.zero_grad()
            loss.backward()
            opt.step()
            keep(loss)
            w.step(loss)
    return w


@loop(output_through_data="detached-graph")
def truncated_bptt(bad):
    """Hidden state carried over and detached, as it should be."""

    class CharLSTM(nn.Module):
        def __init__(self):
            super().__init__()
            self.emb, self.lstm, self.fc = nn.Embedding(12, 16), nn.LSTM(16, 32, batch_first=True), nn.Linear(32, 12)

        def forward(self, t, state):
            h, state = self.lstm(self.emb(t), state)
            if bad:
                h = h.data
            return self.fc(h), state

    text = torch.cumsum(torch.randint(1, 3, (8, 2001)), 1) % 12
    model = CharLSTM()
    opt = torch.optim.RMSprop(model.parameters(), 3e-3)
    crit = nn.CrossEntropyLoss()
    with watch(model, opt, crit) as w:
        for _ in range(2):
            state = None
            for s in range(0, 2000, 20):
                if state is not None:
                    state = tuple(v.detach() for v in state)
                logits, state = model(text[:, s : s + 20], state)
                logits, aim = logits.flatten(0, 1), text[:, s + 1 : s + 21].flatten()
                loss = crit(logits, aim)
                opt.zero_grad()
                loss.backward()
                clip_grad_norm_(model.parameters(), 0.5)
                opt.step()
                keep(loss)
                w.step(loss, logits, aim)
    return w


@loop(loss_of_a_new_tensor="detached-graph")
def endless_iterator(bad):
    x, y = blobs(300, 8, 3, 1.5)
    loader = DataLoader(TensorDataset(x, y), 20, shuffle=True)
    model = mlp(8, 32, 3)
    opt = torch.optim.Adagrad(model.parameters(), 0.05)
    it, step = iter(loader), 0
    with watch(model, opt, nn.CrossEntropyLoss()) as w:
        while step < 200:
            try:
                xb, yb = next(it)
            except StopIteration:
                it = iter(loader)
                continue
            opt.zero_grad()
            out = model(xb)
            if bad:
                out = torch.tensor(out.tolist(), requires_grad=True)
            loss = F.cross_entropy(out, yb)
            loss.backward()
            opt.step()
            step += 1
            keep(loss)
            w.step(loss, out, yb)
    return w


@loop(backward_without_parentheses="missing-backward")
def denoising_autoencoder(bad):
    t = torch.linspace(0, 1, 16)
    images = torch.sin(6 * (t[:, None] * torch.rand(400, 1, 1, 1) + t * torch.rand(400, 1, 1, 1)) + torch.rand(400, 1, 1, 1))
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, 2, 1),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, 2, 1),
        nn.ReLU(),
        nn.ConvTranspose2d(8, 8, 2, 2),
        nn.ReLU(),
        nn.ConvTranspose2d(8, 1, 2, 2),
    )
    opt = torch.optim.Adam(model.parameters(), 3e-3)
    mse = nn.MSELoss()
    with watch(model, opt, mse) as w:
        for _ in range(8):
            for xb in images[torch.randperm(400)].split(20):
                opt.zero_grad()
                out = model(xb + 0.2 * torch.randn_like(xb))
                loss = mse(out, xb)
                if bad:
                    loss.backward  # noqa: B018
                else:
                    loss.backward()
                opt.step()
                keep(loss)
                w.step(loss, out, xb)
    return w


@loop(derivative_without_graph="detached-graph hard")
def physics_informed(bad):
    """u' = -u, u(0) = 1: derivatives inside the loss."""
    net = mlp(1, 20, 20, 1, act=nn.Tanh)
    opt = torch.optim.Adam(net.parameters(), 3e-3)
    with watch(net, opt) as w:
        for _ in range(300):
            t = 2 * torch.rand(40, 1)
            t.requires_grad_()
            u = net(t)
            (du,) = torch.autograd.grad(u.sum(), t, create_graph=not bad, retain_graph=True)
            loss = (du + u).pow(2).mean() + (net(torch.zeros(1, 1)) - 1).pow(2).mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
            keep(loss)
            w.step(loss)
    return w, f"u(1) = {net(torch.ones(1, 1)).item():.3f} (0.368)"


# ---- modes and evaluation ------------------------------------------------------------------------------------------------------------


class Trainer:
    """As one finds it in many a repository."""

    def __init__(self, model, lr, forget_train, w=None):
        self.model, self.forget, self.crit = model, forget_train, nn.CrossEntropyLoss()
        self.optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9, weight_decay=1e-4)
        self.best = float("inf")

    def fit(self, train, valid, epochs):
        with watch(self.model, self.optimizer, self.crit) as self.w:
            self.model.train()
            for _ in range(epochs):
                self.train_epoch(train)
                self.evaluate(valid)
        return self.w

    def train_epoch(self, loader):
        if not self.forget:
            self.model.train()
        for batch in loader:
            self.training_step(*batch)

    def training_step(self, x, y):
        self.optimizer.zero_grad()
        logits = self.model(x)
        loss = self.crit(logits, y)
        loss.backward()
        self.optimizer.step()
        keep(loss)
        self.w.step(loss, logits, y)

    @torch.no_grad()
    def evaluate(self, loader):
        self.model.eval()
        total = hits = rows = 0
        for x, y in loader:
            out = self.model(x)
            total += self.crit(out, y).item() * len(y)
            hits += (out.argmax(1) == y).sum().item()
            rows += len(y)
        self.best = min(self.best, total / rows)
        self.w.validate(total / rows, hits / rows)


@loop(train_never_called_again="eval-mode-while-training")
def trainer_class(bad):
    """Heavy dropout: the training loss stays above the validation's."""
    x, y = blobs(600, 10, 4, 2.0)
    model = nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Dropout(0.7), nn.Linear(64, 64), nn.ReLU(), nn.Dropout(0.7), nn.Linear(64, 4))
    train = DataLoader(TensorDataset(x[:480], y[:480]), 32, shuffle=True)
    return Trainer(model, 0.03, bool(bad)).fit(train, DataLoader(TensorDataset(x[480:], y[480:]), 60), 15)


@loop(eval_for_good="eval-mode-while-training", never_eval="train-mode-while-evaluating")
def message_passing(bad):
    """A graph as a whole, half of its nodes labelled; validation after every epoch."""
    n = 120
    y = torch.randint(0, 3, (n,))
    adj = (torch.rand(n, n) < torch.where(y[:, None] == y, 0.1, 0.02)).float()
    adj = ((adj + adj.T) > 0).float() + torch.eye(n)
    adj = adj / adj.sum(1, keepdim=True)
    x = torch.randn(n, 10) + 0.7 * F.one_hot(y, 10)
    mask = torch.rand(n) < 0.5

    class GCN(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(10, 16), nn.Linear(16, 3)

        def forward(self, x, adj):
            x = F.dropout(torch.relu(adj @ self.a(x)), 0.5, self.training)
            return F.log_softmax(adj @ self.b(x), dim=1)

    model = GCN()
    opt = torch.optim.Adam(model.parameters(), 1e-2, weight_decay=5e-4)
    with watch(model, opt, F.nll_loss) as w:
        model.train()
        for _ in range(150):
            if bad != "eval-for-good":
                model.train()
            opt.zero_grad()
            out = model(x, adj)
            loss = F.nll_loss(out[mask], y[mask])
            loss.backward()
            opt.step()
            keep(loss)
            w.step(loss, out[mask], y[mask])
            if bad != "never-eval":
                model.eval()
            with torch.no_grad():
                w.validate(F.nll_loss(model(x, adj)[~mask], y[~mask]))
    return w


@loop(evaluated_in_training_mode="train-mode-while-evaluating")
def evaluation_every_n_steps(bad):
    x, y = blobs(600, 10, 4, 2.0)
    model = nn.Sequential(nn.Linear(10, 48), nn.BatchNorm1d(48), nn.ReLU(), nn.Dropout(0.3), nn.Linear(48, 4))
    opt = torch.optim.NAdam(model.parameters(), 2e-3)
    crit = nn.CrossEntropyLoss()

    def evaluate():
        if not bad:
            model.eval()
        with torch.no_grad():
            loss = crit(model(x[500:]), y[500:])
        model.train()
        return loss.item()

    with watch(model, opt, crit) as w:
        for step in range(1, 301):
            i = torch.randint(0, 500, (32,))
            out = model(x[i])
            loss = crit(out, y[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
            keep(loss)
            w.step(loss, out, y[i])
            if step % 25 == 0:
                w.validate(evaluate())
    return w


@loop(average_evaluated_in_training_mode="train-mode-while-evaluating hard")
def weight_averaging(bad):
    """SWA; the average is what is evaluated."""
    x, y = blobs(600, 10, 4, 2.0)
    model = nn.Sequential(nn.Linear(10, 48), nn.BatchNorm1d(48), nn.ReLU(), nn.Dropout(0.4), nn.Linear(48, 4))
    swa = AveragedModel(model)
    opt = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    cosine, flat = lr_scheduler.CosineAnnealingLR(opt, 12), SWALR(opt, swa_lr=0.02, anneal_epochs=3)
    loader = DataLoader(TensorDataset(x[:500], y[:500]), 25, shuffle=True)
    with watch(model, opt, F.cross_entropy) as w:
        for epoch in range(15):
            for xb, yb in loader:
                opt.zero_grad()
                out = model(xb)
                loss = F.cross_entropy(out, yb)
                loss.backward()
                opt.step()
                keep(loss)
                w.step(loss, out, yb)
            if epoch >= 8:
                swa.update_parameters(model)
                flat.step()
                if not bad:
                    update_bn(loader, swa)
                    swa.eval()
                with torch.no_grad():
                    w.validate(F.cross_entropy(swa(x[500:]), y[500:]))
                swa.train()
            else:
                cosine.step()
    return w


# ---- losses, targets, shapes ---------------------------------------------------------------------------------------------------------


@loop(softmax_at_the_end="softmax-before-cross-entropy")
def segmentation(bad):
    yy, xx = torch.meshgrid(torch.arange(16), torch.arange(16), indexing="ij")
    c, r = torch.randint(3, 13, (200, 2)), torch.randint(2, 6, (200,))
    masks = ((((xx - c[:, 0, None, None]) ** 2 + (yy - c[:, 1, None, None]) ** 2) < r[:, None, None] ** 2).long()) + (xx > 12).long()
    images = torch.stack([masks + 0.8 * torch.randn(masks.shape), torch.randn(masks.shape)], 1)
    layers = [nn.Conv2d(2, 12, 3, padding=1), nn.BatchNorm2d(12), nn.ReLU(), nn.Conv2d(12, 12, 3, padding=1), nn.BatchNorm2d(12), nn.ReLU()]
    model = nn.Sequential(*layers, nn.Conv2d(12, 3, 1), *([nn.Softmax(dim=1)] if bad else []))
    opt = torch.optim.Adam(model.parameters(), 5e-3)
    crit = nn.CrossEntropyLoss()
    with watch(model, opt, crit) as w:
        for _ in range(6):
            for b in torch.randperm(200).split(8):
                out = model(images[b])
                loss = crit(out, masks[b])
                opt.zero_grad()
                loss.backward()
                opt.step()
                keep(loss)
                w.step(loss, out, masks[b])
    return w


@loop(sigmoid_in_the_model="softmax-before-cross-entropy")
def multi_label(bad):
    x = torch.randn(600, 12)
    y = (x @ torch.randn(12, 6) + 0.5 * torch.randn(600, 6) > 3).float()
    model = mlp(12, 48, 6)
    if bad:
        model.append(nn.Sigmoid())
    crit = nn.BCEWithLogitsLoss(pos_weight=(1 - y.mean(0)) / y.mean(0).clamp(min=0.01))
    opt = torch.optim.Adam(model.parameters(), 3e-3)
    with watch(model, opt, crit) as w:
        for _ in range(250):
            i = torch.randint(0, 600, (32,))
            out = model(x[i])
            loss = crit(out, y[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
            keep(loss)
            w.step(loss, out, y[i])
    return w


@loop(column_against_row="output-target-shape-mismatch")
def log_cosh(bad):
    x = torch.randn(500, 5)
    y = x[:, 0] * x[:, 1] + x[:, 2] + 0.1 * torch.randn(500)
    loss_fn = lambda p, t: torch.log(torch.cosh(p - t)).mean()  # noqa: E731
    model = mlp(5, 40, 1)
    opt = torch.optim.Adam(model.parameters(), 5e-3)
    with watch(model, opt, loss_fn) as w:
        for _ in range(15):
            for xb, yb in DataLoader(TensorDataset(x, y), 25, shuffle=True):
                pred = model(xb) if bad else model(xb).squeeze(-1)
                loss = loss_fn(pred, yb)
                opt.zero_grad()
                loss.backward()
                opt.step()
                keep(loss)
                w.step(loss, pred, yb)
    return w


@loop(inputs_alone_permuted="targets-misaligned", labels_one_late="targets-misaligned hard")
def epochs_shuffled_by_hand(bad):
    x, y = blobs(320, 8, 4, 1.2)
    if bad == "labels-one-late":
        y = y.roll(1)
    model = mlp(8, 48, 4)
    opt = torch.optim.SGD(model.parameters(), 0.1)
    with watch(model, opt, F.cross_entropy) as w:
        for _ in range(20):
            perm = torch.randperm(320)
            xs = x[perm]
            ys = y if bad == "inputs-alone-permuted" else y[perm]
            for k in range(0, 320, 32):
                out = model(xs[k : k + 32])
                loss = F.cross_entropy(out, ys[k : k + 32])
                model.zero_grad()
                loss.backward()
                opt.step()
                keep(loss)
                w.step(loss, out, ys[k : k + 32])
    return w


@loop(labels_permuted_instead_of_mixed="targets-misaligned")
def mixup(bad):
    """Inputs are mixed with others; the labels handed over are the first ones alone."""
    x, y = blobs(320, 8, 4, 1.2)
    model = mlp(8, 48, 4)
    opt = torch.optim.Adam(model.parameters(), 3e-3)
    beta = torch.distributions.Beta(0.4, 0.4)
    crit = nn.CrossEntropyLoss()
    with watch(model, opt, crit) as w:
        for _ in range(20):
            for b in torch.randperm(320).split(32):
                xb, yb, lam = x[b], y[b], beta.sample()
                other = torch.randperm(32)
                if bad:
                    out = model(xb[other])
                    loss = crit(out, yb)
                else:
                    out = model(lam * xb + (1 - lam) * xb[other])
                    loss = lam * crit(out, yb) + (1 - lam) * crit(out, yb[other])
                opt.zero_grad()
                loss.backward()
                opt.step()
                keep(loss)
                w.step(loss, out, yb)
    return w


@loop(twin="")
def label_noise_of_annotators(bad):
    """The same rows met again with other labels on purpose: each time the label of one of several annotators, and jittered inputs."""
    x, y = blobs(200, 8, 4, 1.0)
    votes = torch.where(torch.rand(200, 3) < 0.25, torch.randint(0, 4, (200, 3)), y[:, None])
    model = mlp(8, 32, 4)
    opt = torch.optim.Adam(model.parameters(), 3e-3)
    with watch(model, opt, F.cross_entropy) as w:
        for _ in range(40):
            for b in torch.randperm(200).split(25):
                yb = votes[b, torch.randint(0, 3, (25,))]
                out = model(x[b])
                loss = F.cross_entropy(out, yb)
                opt.zero_grad()
                loss.backward()
                opt.step()
                keep(loss)
                w.step(loss, out, yb)
    return w


# ---- numbers that are not finite ------------------------------------------------------------------------------------------------------


@loop(log_of_softmax="non-finite-loss")
def nll_of_log_softmax(bad):
    x, y = blobs(400, 8, 3, 1.0)
    x = 400 * x
    model = mlp(8, 32, 3)
    opt = torch.optim.SGD(model.parameters(), 1e-6, momentum=0.9)
    nll = nn.NLLLoss()
    with watch(model, opt, nll) as w:
        for _ in range(200):
            i = torch.randint(0, 400, (32,))
            out = model(x[i])
            logp = torch.log(torch.softmax(out, 1)) if bad else F.log_softmax(out, dim=1)
            loss = nll(logp, y[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
            keep(loss)
            w.step(loss, logp, y[i])
    return w


@loop(mean_over_no_token="non-finite-loss")
def masked_language_model(bad):
    """BERT's loss; now and then a batch in which no token is masked. The model returns its loss."""

    class Bert(nn.Module):
        def __init__(self):
            super().__init__()
            self.emb, self.pos = nn.Embedding(13, 24), nn.Parameter(0.02 * torch.randn(10, 24))
            layer = nn.TransformerEncoderLayer(24, 2, 48, dropout=0.0, batch_first=True, norm_first=True)
            self.enc, self.head = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Linear(24, 12)

        def forward(self, tok):
            mask = torch.rand(tok.shape) < 0.06
            out = self.head(self.enc(self.emb(tok.masked_fill(mask, 12)) + self.pos))
            each = F.cross_entropy(out.flatten(0, 1), tok.flatten(), reduction="none").view_as(mask)
            count = mask.sum() if bad else mask.sum().clamp(min=1)
            return {"loss": (each * mask).sum() / count, "logits": out}

    model = Bert()
    opt = torch.optim.AdamW(model.parameters(), 3e-3)
    with watch(model, opt) as w:
        for _ in range(250):
            tok = (torch.randint(0, 12, (8, 1)) + torch.arange(10)) % 12
            out = model(tok)
            out["loss"].backward()
            opt.step()
            opt.zero_grad()
            keep(out["loss"])
            w.step(out["loss"])
    return w


@loop(sqrt_at_zero="non-finite-loss")
def triplets(bad):
    """Metric learning; a positive may be the anchor itself."""
    x, y = blobs(200, 8, 5, 2.0)
    model = mlp(8, 32, 4)
    opt = torch.optim.Adam(model.parameters(), 2e-3)
    eps = 0.0 if bad else 1e-8
    with watch(model, opt) as w:
        for _ in range(200):
            a = torch.randint(0, 200, (24,))
            same = y[a][:, None] == y
            pos, neg = torch.multinomial(same.float(), 1)[:, 0], torch.multinomial((~same).float(), 1)[:, 0]
            za, zp, zn = model(x[a]), model(x[pos]), model(x[neg])
            dp, dn = (((za - z) ** 2).sum(1).add(eps).sqrt() for z in (zp, zn))
            loss = torch.relu(dp - dn + 1.0).mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
            keep(loss)
            w.step(loss)
    return w


@loop(exp_of_raw_features="non-finite-loss")
def poisson_rates(bad):
    """Counts, with the rate by an exponential; clipped by the norm."""
    x = torch.randn(500, 4)
    y = torch.poisson(torch.exp(x @ torch.tensor([0.5, -0.4, 0.3, 0.0]) + 1))
    if bad:
        x = x * torch.tensor([1.0, 1.0, 300.0, 50.0])
    model = mlp(4, 24, 1)
    opt = torch.optim.Adam(model.parameters(), 5e-3)
    loss_fn = lambda eta, y: (torch.exp(eta) - y * eta).mean()  # noqa: E731
    with watch(model, opt, loss_fn) as w:
        for _ in range(200):
            i = torch.randint(0, 500, (50,))
            eta = model(x[i]).squeeze(1)
            loss = loss_fn(eta, y[i])
            opt.zero_grad()
            loss.backward()
            clip_grad_norm_(model.parameters(), 5.0)
            opt.step()
            keep(loss)
            w.step(loss, eta, y[i])
    return w


# ---- rates and schedules -------------------------------------------------------------------------------------------------------------


@loop(rate_too_high="learning-rate-too-high")
def noisy_tiny_batches(bad):
    """Two rows a batch, heavy noise, momentum; nothing but the loss is handed over."""
    x = torch.randn(600, 8)
    y = (x @ torch.randn(8, 1)).tanh() + 0.7 * torch.randn(600, 1)
    model = mlp(8, 24, 1)
    opt = torch.optim.SGD(model.parameters(), lr=0.5 if bad else 0.005, momentum=0.9)
    with watch(model, opt) as w:
        for _ in range(400):
            i = torch.randint(0, 600, (2,))
            loss = F.mse_loss(model(x[i]), y[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
            keep(loss)
            w.step(loss)
    return w


@loop(warm_up_by_the_epoch="scheduler-wrong-rhythm hard", forty_times_the_rate="learning-rate-too-high")
def transformer_with_warm_up(bad):
    """Noam's schedule, by the update."""

    class Tiny(nn.Module):
        def __init__(self):
            super().__init__()
            self.emb, self.pos = nn.Embedding(10, 32), nn.Parameter(0.02 * torch.randn(12, 32))
            layer = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.1, batch_first=True)
            self.enc, self.out = nn.TransformerEncoder(layer, 2), nn.Linear(32, 10)

        def forward(self, t):
            n = t.shape[1]
            return self.out(self.enc(self.emb(t) + self.pos[:n], mask=nn.Transformer.generate_square_subsequent_mask(n)))

    data = (torch.randint(0, 10, (480, 1)) + torch.randint(1, 4, (480, 1)) * torch.arange(13)) % 10
    model = Tiny()
    opt = torch.optim.Adam(model.parameters(), lr=1.0, betas=(0.9, 0.98), eps=1e-9)
    sched = lr_scheduler.LambdaLR(
        opt, lambda s: 32**-0.5 * (8.0 if bad.startswith("forty") else 0.2) * min((s + 1) ** -0.5, (s + 1) * 50**-1.5)
    )
    crit = nn.CrossEntropyLoss()
    with watch(model, opt, lambda o, t: crit(o.transpose(1, 2), t), scheduler=sched) as w:
        for _ in range(8):
            for (tok,) in DataLoader(TensorDataset(data), 24, shuffle=True):
                out = model(tok[:, :-1])
                loss = crit(out.transpose(1, 2), tok[:, 1:])
                opt.zero_grad()
                loss.backward()
                opt.step()
                if bad != "warm-up-by-the-epoch":
                    sched.step()
                keep(loss)
                w.step(loss, out, tok[:, 1:])
            if bad == "warm-up-by-the-epoch":
                sched.step()
    return w


@loop(stepped_by_the_batch="scheduler-wrong-rhythm")
def reduce_on_plateau(bad):
    x = torch.randn(600, 6)
    y = torch.sin(x.sum(1, keepdim=True)) + 0.1 * torch.randn(600, 1)
    model = mlp(6, 64, 1)
    opt = torch.optim.Adam(model.parameters(), 1e-2)
    sched = lr_scheduler.ReduceLROnPlateau(opt, factor=0.3, patience=2)
    with watch(model, opt, F.mse_loss) as w:
        for _ in range(20):
            for b in torch.randperm(480).split(24):
                out = model(x[b])
                loss = F.mse_loss(out, y[b])
                opt.zero_grad()
                loss.backward()
                opt.step()
                if bad:
                    sched.step(loss.item())
                keep(loss)
                w.step(loss, out, y[b])
            model.eval()
            with torch.no_grad():
                val = F.mse_loss(model(x[480:]), y[480:])
            model.train()
            if not bad:
                sched.step(val)
            w.validate(val.item())
    return w


@loop(epochs_counted_as_batches="scheduler-wrong-rhythm")
def cosine_with_restarts(bad):
    """SGDR by fractions of an epoch; the mistake: a cosine over the epochs, stepped with every batch."""
    x, y = blobs(600, 10, 4, 2.5)
    model = mlp(10, 48, 4)
    opt = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    epochs = 12
    loader = DataLoader(TensorDataset(x, y), 30, shuffle=True)
    sched = lr_scheduler.CosineAnnealingLR(opt, epochs) if bad else lr_scheduler.CosineAnnealingWarmRestarts(opt, T_0=2, T_mult=2)
    with watch(model, opt, F.cross_entropy, scheduler=sched) as w:
        for epoch in range(epochs):
            for i, (xb, yb) in enumerate(loader):
                opt.zero_grad()
                out = model(xb)
                loss = F.cross_entropy(out, yb)
                loss.backward()
                opt.step()
                if bad:
                    sched.step()
                else:
                    sched.step(epoch + i / len(loader))
                keep(loss)
                w.step(loss, out, yb)
    return w


@loop(stepped_by_the_epoch="scheduler-wrong-rhythm")
def one_cycle(bad):
    """A user's own optimizer (signs of the gradient, with momentum) under OneCycleLR; the scheduler is not handed over."""

    class SignSGD(torch.optim.Optimizer):
        def __init__(self, params, lr, momentum=0.9):
            super().__init__(params, {"lr": lr, "momentum": momentum})

        @torch.no_grad()
        def step(self):
            for g in self.param_groups:
                for p in g["params"]:
                    m = self.state[p].setdefault("m", torch.zeros_like(p)).mul_(g["momentum"]).add_(p.grad, alpha=1 - g["momentum"])
                    p.sub_(g["lr"] * m.sign())

    x, y = blobs(600, 10, 4, 2.0)
    model = mlp(10, 48, 4)
    opt = SignSGD(model.parameters(), 1e-3)
    loader = DataLoader(TensorDataset(x, y), 30, shuffle=True)
    sched = lr_scheduler.OneCycleLR(opt, max_lr=5e-3, epochs=15, steps_per_epoch=len(loader), cycle_momentum=False)
    with watch(model, opt, F.cross_entropy, **({"scheduler": sched} if bad else {})) as w:
        for _ in range(15):
            for xb, yb in loader:
                opt.zero_grad()
                out = model(xb)
                loss = F.cross_entropy(out, yb)
                loss.backward()
                opt.step()
                if not bad:
                    sched.step()
                keep(loss)
                w.step(loss, out, yb)
            if bad:
                sched.step()
    return w


@loop(twin="debatable")
def learning_rate_finder(bad):
    """A range test: the rate rises until the loss explodes, on purpose."""
    x, y = blobs(400, 8, 3, 1.5)
    model = mlp(8, 32, 3)
    opt = torch.optim.SGD(model.parameters(), 1e-4, momentum=0.9)
    sched = lr_scheduler.ExponentialLR(opt, 1.07)
    best = float("inf")
    with watch(model, opt, F.cross_entropy) as w:
        for _ in range(200):
            i = torch.randint(0, 400, (32,))
            out = model(x[i])
            loss = F.cross_entropy(out, y[i])
            best = min(best, loss.item())
            if loss.item() > 4 * best + 1:
                break
            opt.zero_grad()
            loss.backward()
            opt.step()
            sched.step()
            keep(loss)
            w.step(loss, out, y[i])
    return w


@loop(softmax_at_the_end="softmax-before-cross-entropy")
def curriculum(bad):
    """From easy to hard: the loss rises with each stage, as it should."""
    x, y = blobs(900, 8, 4, 1.0)
    hard = torch.arange(900).float() / 900
    x = x + 6 * hard[:, None] * torch.randn(900, 8)
    model = mlp(8, 48, 4)
    if bad:
        model.append(nn.Softmax(dim=-1))
    opt = torch.optim.Adam(model.parameters(), 2e-3)
    with watch(model, opt, F.cross_entropy) as w:
        for it in range(400):
            top = int(900 * min(1.0, 0.1 + it / 300))
            i = torch.randint(max(0, top - 300), top, (32,))
            out = model(x[i])
            loss = F.cross_entropy(out, y[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
            keep(loss)
            w.step(loss, out, y[i])
    return w


@loop()
def parity_plateau(bad):
    """Sparse parity: chance for long, then all at once."""
    x = torch.randint(0, 2, (2000, 8)).float() * 2 - 1
    y = (x[:, :3].prod(1) > 0).float()
    model = mlp(8, 64, 1)
    opt = torch.optim.Adam(model.parameters(), 4e-3)
    with watch(model, opt, F.binary_cross_entropy_with_logits) as w:
        for _ in range(400):
            i = torch.randint(0, 2000, (50,))
            out = model(x[i]).flatten()
            loss = F.binary_cross_entropy_with_logits(out, y[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
            keep(loss)
            w.step(loss, out, y[i])
    return w


@loop(only_the_density_of_its_own="loss-sign-flipped")
def mixture_density(bad):
    """The likelihood of a narrow target: below zero by nature."""
    x = torch.rand(500, 1) * 4 - 2
    y = 0.2 * torch.sin(2 * x) + 0.02 * torch.randn_like(x)
    model = mlp(1, 32, 2, act=nn.Tanh)
    opt = torch.optim.Adam(model.parameters(), 5e-3)

    def nll(out, y):
        mu, log_s = out.chunk(2, 1)
        return -torch.distributions.Normal(mu, log_s.clamp(-5, 3).exp()).log_prob(y).mean()

    with watch(model, opt, nll) as w:
        for _ in range(300):
            i = torch.randint(0, 500, (32,))
            out = model(x[i])
            loss = nll(out, y[i])
            if bad:
                loss = -loss
            opt.zero_grad()
            loss.backward()
            opt.step()
            keep(loss)
            w.step(loss, out, y[i])
    return w


# ---- what looks like a mistake and is none --------------------------------------------------------------------------------------------


@loop(sign="loss-sign-flipped hard")
def siamese(bad):
    """SimSiam: one side of the loss is detached on purpose, and it falls to -1."""
    data = torch.randn(256, 4) @ torch.randn(4, 16)
    f = nn.Sequential(nn.Linear(16, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 16), nn.BatchNorm1d(16))
    h = nn.Sequential(nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 16))
    opt = torch.optim.SGD([*f.parameters(), *h.parameters()], lr=0.1, momentum=0.9, weight_decay=1e-4)
    with watch(nn.ModuleDict({"f": f, "h": h}), opt) as w:
        for _ in range(200):
            b = data[torch.randint(0, 256, (64,))]
            z1, z2 = f(b + 0.2 * torch.randn_like(b)), f(b + 0.2 * torch.randn_like(b))
            loss = -0.5 * (F.cosine_similarity(h(z1), z2.detach()).mean() + F.cosine_similarity(h(z2), z1.detach()).mean())
            if bad:
                loss = -loss
            opt.zero_grad()
            loss.backward()
            opt.step()
            keep(loss)
            w.step(loss)
    return w


@loop(no_straight_through="detached-graph")
def vector_quantised(bad):
    """VQ-VAE: codes by the straight-through estimator, the codebook by its own term."""

    class VQ(nn.Module):
        def __init__(self):
            super().__init__()
            self.enc, self.dec, self.codes = mlp(10, 32, 4).append(nn.Tanh()), mlp(4, 32, 10), nn.Embedding(16, 4)

        def forward(self, x):
            z = self.enc(x)
            q = self.codes(torch.cdist(z, self.codes.weight).argmin(1))
            own = F.mse_loss(q, z.detach()) + (0.0 if bad else 0.25 * F.mse_loss(z, q.detach()))
            return self.dec(q if bad else z + (q - z).detach()), own

    x, _ = blobs(400, 10, 8, 0.5)
    model = VQ()
    nn.init.uniform_(model.codes.weight, -1, 1)
    opt = torch.optim.Adam(model.parameters(), 3e-3)
    with watch(model, opt, lambda out, x: F.mse_loss(out[0], x) + out[1]) as w:
        for _ in range(250):
            b = x[torch.randint(0, 400, (32,))]
            out = model(b)
            loss = F.mse_loss(out[0], b) + out[1]
            opt.zero_grad()
            loss.backward()
            opt.step()
            keep(loss)
            w.step(loss, out, b)
    return w


@loop(experts_in_a_plain_list="parameters-not-in-optimizer")
def mixture_of_experts(bad):
    """One expert for each row: many a batch leaves an expert without a gradient."""

    class MoE(nn.Module):
        def __init__(self):
            super().__init__()
            self.gate, experts = nn.Linear(8, 12), [mlp(8, 8, 3) for _ in range(12)]
            self.experts = experts if bad else nn.ModuleList(experts)

        def forward(self, x):
            p, k = self.gate(x).softmax(-1).max(-1)
            out = torch.zeros(len(x), 3)
            for e in k.unique().tolist():
                out[k == e] = self.experts[e](x[k == e]) * p[k == e][:, None]
            return out

    x, y = blobs(500, 8, 3, 1.5)
    model = MoE()
    opt = torch.optim.Adam(model.parameters(), 5e-3)
    with watch(model, opt, nn.CrossEntropyLoss()) as w:
        for _ in range(250):
            i = torch.randint(0, 500, (8,))
            out = model(x[i])
            loss = F.cross_entropy(out, y[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
            keep(loss)
            w.step(loss, out, y[i])
    return w


@loop()
def stochastic_depth(bad):
    """Blocks left out at random; a rate that begins and ends at zero."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.inp, self.out = nn.Linear(8, 24), nn.Linear(24, 4)
            self.blocks = nn.ModuleList(nn.Sequential(nn.LayerNorm(24), nn.Linear(24, 24), nn.SiLU()) for _ in range(5))

        def forward(self, x):
            x = self.inp(x)
            for i, b in enumerate(self.blocks):
                if not self.training or random.random() > 0.1 * (i + 1):
                    x = x + b(x)
            return self.out(x)

    x, y = blobs(500, 8, 4, 2.0)
    model = Net()
    opt = torch.optim.AdamW(model.parameters(), 1e-2)
    sched = lr_scheduler.LambdaLR(opt, lambda s: min(s / 20, (300 - s) / 280))
    with watch(model, opt, F.cross_entropy, scheduler=sched) as w:
        for _ in range(300):
            i = torch.randint(0, 500, (32,))
            out = model(x[i])
            loss = F.cross_entropy(out, y[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
            sched.step()
            keep(loss)
            w.step(loss, out, y[i])
    return w


@loop(twin="debatable")
def random_network_distillation(bad):
    """A frozen network of random weights is the aim, on purpose."""
    model = nn.ModuleDict({"aim": mlp(6, 32, 8).requires_grad_(False), "predictor": mlp(6, 32, 8)})
    opt = torch.optim.Adam(model["predictor"].parameters(), 3e-3)
    with watch(model, opt, F.mse_loss) as w:
        for _ in range(250):
            x = torch.randn(32, 6)
            out, aim = model["predictor"](x), model["aim"](x)
            loss = F.mse_loss(out, aim)
            opt.zero_grad()
            loss.backward()
            opt.step()
            keep(loss)
            w.step(loss, out, aim)
    return w


@loop()
def tasks_in_turn(bad):
    """Continual learning: the same inputs with the labels of another task from time to time, and a jump of the loss each time."""
    x = torch.randn(200, 8)
    model = mlp(8, 48, 2)
    opt = torch.optim.Adam(model.parameters(), 5e-3)
    with watch(model, opt, nn.CrossEntropyLoss()) as w:
        for task in range(4):
            y = ((x[:, task] > 0) ^ (x[:, task + 1] > 0)).long()
            for _ in range(12):
                for b in torch.randperm(200).split(25):
                    out = model(x[b])
                    loss = F.cross_entropy(out, y[b])
                    opt.zero_grad()
                    loss.backward()
                    opt.step()
                    keep(loss)
                    w.step(loss, out, y[b])
    return w


@loop(values_of_the_rollout="detached-graph debatable")
def actor_critic(bad):
    """PPO's way: several updates on one rollout, a clipped ratio, a value loss and an entropy bonus in one sum; the network has two outputs.

    The mistake: the values are taken from the rollout, where there was no graph, so that the critic never learns.
    """

    class AC(nn.Module):
        def __init__(self):
            super().__init__()
            self.trunk, self.pi, self.v = nn.Sequential(nn.Linear(5, 24), nn.Tanh()), nn.Linear(24, 3), nn.Linear(24, 1)

        def forward(self, s):
            h = self.trunk(s)
            return torch.distributions.Categorical(logits=self.pi(h)), self.v(h).squeeze(-1)

    best = torch.randn(5, 3)
    model = AC()
    opt = torch.optim.Adam(model.parameters(), 5e-3)
    mean = []
    with watch(model, opt) as w:
        for _ in range(60):
            s = torch.randn(64, 5)
            with torch.no_grad():
                dist, v0 = model(s)
                a = dist.sample()
                old, reward = dist.log_prob(a), (s @ best).gather(1, a[:, None]).squeeze(1)
            mean.append(reward.mean().item())
            for _ in range(4):
                dist, v = model(s)
                v = v0 if bad else v
                adv = (reward - v).detach()
                ratio = (dist.log_prob(a) - old).exp()
                loss = (
                    -torch.min(ratio * adv, ratio.clamp(0.8, 1.2) * adv).mean() + 0.5 * F.mse_loss(v, reward) - 0.01 * dist.entropy().mean()
                )
                opt.zero_grad()
                loss.backward()
                clip_grad_norm_(model.parameters(), 0.5)
                opt.step()
                keep(loss)
                w.step(loss)
    return w, f"reward {sum(mean[:6]) / 6:.2f} -> {sum(mean[-6:]) / 6:.2f}"


# ---- all of them ---------------------------------------------------------------------------------------------------------------------


def run(function, bad):
    KEPT.clear()
    OFF.clear()
    torch.manual_seed(0)
    random.seed(0)
    begun = time.perf_counter()
    answer = function(bad)
    w, note = answer if isinstance(answer, tuple) else (answer, "")
    tenth = max(1, len(KEPT) // 10)
    course = f"loss {sum(KEPT[:tenth]) / tenth:.3g} -> {sum(KEPT[-tenth:]) / tenth:.3g}"
    found = [(f.cause, str(f.standing.value), f.evidence[0].step if f.evidence else None, f.summary) for f in w.findings]
    return found, f"{course}, {len(KEPT)} reports, {time.perf_counter() - begun:.1f} s {note}"


def main(wanted):
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    seen = {"top": 0, "named": 0, "missed": 0}
    hard = dict(seen)
    twins = false = open_twins = open_findings = 0
    errors = []
    for name, function, twin, mistakes in LOOPS:
        for bad, cause in {"": "", **mistakes}.items():
            title = f"{name}/{bad or 'sound'}"
            if wanted and not any(part in title for part in wanted):
                continue
            expected, _, mark = cause.partition(" ") if bad else ("nothing", "", twin)
            try:
                found, course = run(function, bad)
            except Exception:
                errors.append(title)
                print(f"CRASH {title}\n{traceback.format_exc()}", flush=True)
                continue
            causes = [c for c, *_ in found]
            if bad:
                count = hard if mark else seen
                verdict = "top" if causes[:1] == [expected] else "named" if expected in causes else "missed"
                count[verdict] += 1
            else:
                verdict = "finding" if causes else "quiet"
                if twin:
                    open_twins, open_findings = open_twins + 1, open_findings + bool(causes)
                else:
                    twins, false = twins + 1, false + bool(causes)
            told = ", ".join(f"{c} ({s}, @{step})" for c, s, step, _ in found) or "nothing"
            if OFF:
                errors.append(title)
            flag = " " if verdict in ("top", "quiet") and not OFF else "!"
            print(f"{flag} {title}{f' [{mark}]' if mark else ''}: expected {expected}; found {told}; {course}", flush=True)
            for error in OFF:
                print(f"      THE WATCH SWITCHED ITSELF OFF: {error}", flush=True)
            for _, _, _, summary in found:
                print(f"      {summary.partition('; what would')[0][:250]}", flush=True)
    print(f"\nmistakes: {seen['top']} right on top, {seen['named']} named below another, {seen['missed']} missed, of {sum(seen.values())}")
    print(f"hard or debatable mistakes: {hard['top']} on top, {hard['named']} below, {hard['missed']} missed, of {sum(hard.values())}")
    print(
        f"sound loops: {false} of {twins} with a finding; debatable ones: {open_findings} of {open_twins}; raised, or the watch did: {errors or 'none'}"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
