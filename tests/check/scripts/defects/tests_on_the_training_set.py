from torch.utils.data import DataLoader
from torchvision import datasets, transforms

to_tensor = transforms.ToTensor()
train_dataset = datasets.CIFAR10("data", train=True, transform=to_tensor)
test_dataset = datasets.CIFAR10("data", train=True, transform=to_tensor)  # TDX505
train_loader = DataLoader(train_dataset, batch_size=128, shuffle=True)
test_loader = DataLoader(train_dataset, batch_size=128)  # TDX505
