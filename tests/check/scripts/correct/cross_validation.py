import numpy as np
import torch
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

np.random.seed(0)
torch.manual_seed(0)
X, y = load_breast_cancer(return_X_y=True)
X_rest, X_test, y_rest, y_test = train_test_split(X, y, test_size=0.2, random_state=0)
scaler = StandardScaler().fit(X_rest)
X_rest, X_test = scaler.transform(X_rest), scaler.transform(X_test)
order = np.random.permutation(len(X_rest))
X_rest, y_rest = X_rest[order], y_rest[order]
for train_rows, val_rows in StratifiedKFold(5).split(X_rest, y_rest):
    model = nn.Sequential(nn.Linear(30, 16), nn.ReLU(), nn.Linear(16, 1))
    criterion, optimizer = nn.BCEWithLogitsLoss(), torch.optim.Adam(model.parameters())
    x, t = torch.tensor(X_rest[train_rows]).float(), torch.tensor(y_rest[train_rows]).float()
    best_val, best_state = float("inf"), None
    for _ in range(20):
        model.train()
        for xb, yb in DataLoader(TensorDataset(x, t), batch_size=32, shuffle=True):
            optimizer.zero_grad()
            criterion(model(xb).squeeze(1), yb).backward()
            optimizer.step()
        model.eval()
        with torch.inference_mode():
            held_out = torch.tensor(X_rest[val_rows]).float()
            val_loss = criterion(model(held_out).squeeze(1), torch.tensor(y_rest[val_rows]).float()).item()
        if val_loss < best_val:
            best_val, best_state = val_loss, model.state_dict()
