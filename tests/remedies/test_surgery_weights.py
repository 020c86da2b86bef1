from __future__ import annotations

import pytest
import torch
from surgery_zoo import ROWS, TOKENS, HandMade, Recurrent, Tied, feed
from torch import nn

from traindx.records import InputError, NotApplicable
from traindx.remedies.surgery import reinitialize


def test_he_keeps_the_scale_of_a_deep_rectifier_net():
    torch.manual_seed(0)
    model = nn.Sequential(*[m for _ in range(30) for m in (nn.Linear(256, 256), nn.ReLU())], nn.Linear(256, 3))
    x = torch.randn(64, 256)
    for layer in model:
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)
    assert model[:-1](x).std() < 1e-9
    reinitialize(model, feed(x), "he")
    assert 0.2 < model[:-1](x).std() < 5
    assert model[-1].weight.std().item() == pytest.approx(256**-0.5, rel=0.1)


def test_fans_of_convolutions():
    model = nn.Sequential(
        nn.Conv2d(16, 64, 3),
        nn.ReLU(),
        nn.Conv2d(64, 64, 3, groups=8),
        nn.Tanh(),
        nn.ConvTranspose2d(64, 32, 3),
        nn.ReLU(),
        nn.Conv2d(32, 1, 1),
    )
    reinitialize(model, feed(torch.randn(2, 16, 9, 9)), "auto")
    assert model[0].weight.std().item() == pytest.approx((2 / 144) ** 0.5, rel=0.05)
    assert model[2].weight.abs().max().item() == pytest.approx((6 / 144) ** 0.5, rel=0.02)
    assert model[4].weight.std().item() == pytest.approx((2 / 576) ** 0.5, rel=0.05)


def test_norms_and_biases_are_reset():
    model = nn.Sequential(nn.Linear(8, 6), nn.BatchNorm1d(6), nn.PReLU(), nn.Linear(6, 6), nn.LayerNorm(6), nn.ReLU(), nn.Linear(6, 2))
    for p in model.parameters():
        nn.init.constant_(p, 3.0)
    model[1].running_mean.fill_(9)
    reinitialize(model, feed(ROWS))
    assert model[1].weight.eq(1).all()
    assert model[1].bias.eq(0).all()
    assert model[1].running_mean.eq(0).all()
    assert model[4].weight.eq(1).all()
    assert model[2].weight.eq(0.25).all()
    assert all(m.bias.eq(0).all() for m in model if isinstance(m, nn.Linear))
    assert all(m.weight.unique().numel() > 2 for m in model if isinstance(m, nn.Linear))


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_recurrent_weights_are_orthogonal(kind):
    model = Recurrent(kind, bidirectional=True, layers=2)
    reinitialize(model, feed(TOKENS))
    for gate in model.rnn.weight_hh_l1_reverse.split(10):
        assert torch.allclose(gate @ gate.T, torch.eye(10), atol=1e-5)
    bias = model.rnn.bias_ih_l0
    assert bias.sum() == (10 if kind is nn.LSTM else 0)
    assert model.rnn.bias_hh_l0.eq(0).all()


def test_matrices_made_by_hand_are_drawn_where_nothing_else_has_weights():
    model = HandMade()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(100.0)
    reinitialize(model, feed(ROWS))
    assert 0 < model.w.abs().max() <= (6 / (8 + 6)) ** 0.5 and 0 < model.v.abs().max() <= (6 / (6 + 3)) ** 0.5
    assert model.b.eq(0).all()


@pytest.mark.parametrize(
    ("name", "zero"), [("b", True), ("b1", True), ("bias", True), ("bn_scale", False), ("body", False), ("beta", False)]
)
def test_only_biases_made_by_hand_become_zero(name, zero):
    model = HandMade()
    model.register_parameter(name, nn.Parameter(torch.ones(6)))
    reinitialize(model, feed(ROWS))
    assert bool(getattr(model, name).eq(0).all()) is zero


def test_what_belongs_to_no_layer_stays_beside_layers():
    model = nn.Sequential(nn.Linear(8, 8), HandMade())
    before = model[1].w.clone()
    reinitialize(model, feed(ROWS))
    assert torch.equal(model[1].w, before)


def test_without_weights_there_is_nothing_to_draw():
    with pytest.raises(NotApplicable, match="neither a layer of torch nor a matrix"):
        reinitialize(nn.Sequential(nn.BatchNorm1d(8)), feed(ROWS))
    with pytest.raises(InputError):
        reinitialize(HandMade(), feed(ROWS), "uniform")  # type: ignore[arg-type]


def test_tied_weights_stay_tied():
    model = reinitialize(Tied(), feed(TOKENS))
    assert model.head.weight is model.embed.weight


def test_torchs_own_draw_has_variance_one_third_of_the_fan_in():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(400, 300), nn.ReLU(), nn.Linear(300, 200))
    for p in model.parameters():
        nn.init.constant_(p, 3.0)
    reinitialize(model, feed(torch.randn(2, 400)), "torch")
    for layer in (model[0], model[2]):
        assert layer.weight.std().item() * layer.in_features**0.5 == pytest.approx(3**-0.5, rel=0.02)
