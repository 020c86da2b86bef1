import torch
from torch import nn

torch.manual_seed(1337)
micro_steps = 8
model = nn.Linear(8, 8)
optimizer = torch.optim.AdamW(model.parameters())
iteration = 0
while True:
    if iteration % 100 == 0:
        model.eval()
        with torch.no_grad():
            print(model(torch.randn(2, 8)).sum().item())
        model.train()
    for _ in range(micro_steps):
        x = torch.randn(4, 8)
        loss = (model(x) - x).square().mean() / micro_steps
        loss.backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    iteration += 1
    if iteration > 200:
        break
