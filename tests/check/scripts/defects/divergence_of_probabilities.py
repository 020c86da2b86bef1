import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
teacher, student = nn.Linear(8, 4), nn.Linear(8, 4)
optimizer = torch.optim.SGD(student.parameters(), lr=0.1)
temperature = 2.0
for x in [torch.randn(16, 8)]:
    with torch.no_grad():
        wanted = F.softmax(teacher(x) / temperature, dim=1)
    got = F.softmax(student(x) / temperature, dim=1)
    loss = F.kl_div(got, wanted, reduction="batchmean")  # TDX202
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
