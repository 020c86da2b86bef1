import torch

torch.manual_seed(0)
inputs, labels = torch.randn(100, 5), torch.randint(0, 2, (100,))
for _ in range(3):
    inputs = inputs[torch.randperm(len(inputs))]
    labels = labels[torch.randperm(len(labels))]  # TDX503
