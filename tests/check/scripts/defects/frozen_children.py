import torch
from torchvision.models import resnet50

torch.manual_seed(0)
backbone = resnet50()
for child in backbone.children():
    child.requires_grad = False  # TDX304
optimizer = torch.optim.Adam((p for p in backbone.parameters() if p.requires_grad), lr=1e-3)
