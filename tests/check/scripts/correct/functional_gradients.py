import torch
from torch import nn

torch.manual_seed(0)
model = nn.Linear(4, 1)
inner_lr = 0.01
meta_optimizer = torch.optim.Adam(model.parameters())
for _ in range(100):
    meta_loss = torch.zeros(())
    for _ in range(4):
        x, y = torch.randn(8, 4), torch.randn(8, 1)
        inner = nn.functional.mse_loss(model(x), y)
        gradients = torch.autograd.grad(inner, list(model.parameters()), create_graph=True)
        fast = [p - inner_lr * g for p, g in zip(model.parameters(), gradients, strict=True)]
        meta_loss = meta_loss + nn.functional.mse_loss(nn.functional.linear(x, *fast), y)
    meta_optimizer.zero_grad()
    meta_loss.backward()
    meta_optimizer.step()
