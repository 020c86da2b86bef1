import torch
from torch import nn

torch.manual_seed(0)
model = nn.Linear(10, 1)
opt = torch.optim.SGD(model.parameters(), lr=0.1)
loss_fn = nn.MSELoss()
x, y = torch.randn(100, 10), torch.randn(100, 1)
for epoch in range(100):
    opt.zero_grad()
    loss = loss_fn(model(x), y)
    opt.step()  # TDX102
    if epoch % 10 == 0:
        print(f"{epoch}: {loss.item():.4f}")
