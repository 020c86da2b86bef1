import torch

torch.manual_seed(0)
x_train, x_test = torch.randn(80, 4), torch.randn(20, 4)
x_train = (x_train - x_train.mean(0)) / x_train.std(0)
x_test = (x_test - x_test.mean(0)) / x_test.std(0)  # TDX504
