import torch
from torch import nn
from torch.amp import GradScaler, autocast

torch.manual_seed(0)
model = nn.Linear(32, 4).cuda()
optimizer = torch.optim.AdamW(model.parameters())
scaler = GradScaler()
for x, y in [(torch.randn(8, 32).cuda(), torch.randint(0, 4, (8,)).cuda())]:
    optimizer.zero_grad(set_to_none=True)
    with autocast("cuda"):
        loss = nn.functional.cross_entropy(model(x), y)
    scaler.scale(loss).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)  # TDX109
    scaler.step(optimizer)
    scaler.update()
