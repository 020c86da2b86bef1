import numpy as np

np.random.seed(0)
X_train = np.random.randn(100, 5)
y_train = (X_train.sum(1) > 0).astype(int)
np.random.shuffle(X_train)
np.random.shuffle(y_train)  # TDX503
