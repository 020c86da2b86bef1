import torch
from torch import nn

torch.manual_seed(0)
use_amp = torch.cuda.is_available()
model = nn.Linear(32, 4)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
scaler = torch.amp.GradScaler() if use_amp else None
for x, y in [(torch.randn(8, 32), torch.randint(0, 4, (8,)))]:
    optimizer.zero_grad()
    with torch.autocast("cuda", enabled=use_amp):
        loss = nn.functional.cross_entropy(model(x), y)
    if scaler is not None:
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    else:
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
