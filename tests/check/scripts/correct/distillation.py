import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
teacher, student = nn.Linear(8, 4), nn.Linear(8, 4)
teacher.requires_grad_(False)
teacher.eval()
optimizer = torch.optim.SGD(student.parameters(), lr=0.1)
losses = []
for x, y in [(torch.randn(16, 8), torch.randint(0, 4, (16,)))]:
    soft = F.softmax(teacher(x) / 2, dim=1)
    outputs = student(x)
    loss = F.kl_div(F.log_softmax(outputs / 2, dim=1), soft, reduction="batchmean") + F.cross_entropy(outputs, y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.detach())
