import torch
from torch import nn, optim
from torchvision import models

torch.manual_seed(0)
model = models.vgg16(weights=models.VGG16_Weights.DEFAULT)
for param in model.features.parameters():
    param.require_grad = False  # TDX304
model.classifier[6] = nn.Linear(4096, 2)
optimizer = optim.SGD(model.parameters(), lr=1e-3)
