import torch
from torch import nn


def test(model, device, loader):
    model.eval()
    loss, correct = 0.0, 0
    for data, target in loader:
        data, target = data.to(device), target.to(device)
        output = model(data)  # TDX403
        loss += nn.functional.cross_entropy(output, target, reduction="sum").item()
        correct += output.argmax(1).eq(target).sum().item()
    print(loss, correct)


torch.manual_seed(0)
test(nn.Linear(2, 2), "cpu", [(torch.randn(8, 2), torch.randint(0, 2, (8,)))])
