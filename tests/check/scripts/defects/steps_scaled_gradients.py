import torch
from torch import nn

torch.manual_seed(0)
model = nn.Linear(32, 4).cuda()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
scaler = torch.cuda.amp.GradScaler()
for x, y in [(torch.randn(8, 32).cuda(), torch.randint(0, 4, (8,)).cuda())]:
    optimizer.zero_grad()
    with torch.autocast("cuda"):
        loss = nn.functional.cross_entropy(model(x), y)
    scaler.scale(loss).backward()
    optimizer.step()  # TDX110
    scaler.update()
