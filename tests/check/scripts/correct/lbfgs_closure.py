import torch
from torch import nn, optim

torch.manual_seed(0)
x = torch.linspace(0, 1, 50).unsqueeze(1)
y = torch.sin(6 * x)
model = nn.Sequential(nn.Linear(1, 20), nn.Tanh(), nn.Linear(20, 1))
optimizer = optim.LBFGS(model.parameters(), line_search_fn="strong_wolfe")
history = []


def closure():
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(model(x), y)
    loss.backward()
    return loss


for _ in range(20):
    history.append(float(optimizer.step(closure)))
