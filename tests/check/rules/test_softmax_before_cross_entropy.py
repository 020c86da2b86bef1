import pytest


@pytest.mark.parametrize(
    ("loss", "output"),
    [
        ("F.cross_entropy", "torch.softmax(z, dim=1)"),
        ("nn.CrossEntropyLoss()", "F.softmax(z, dim=1)"),
        ("nn.CrossEntropyLoss()", "z.softmax(-1).squeeze(1)"),
        ("nn.BCEWithLogitsLoss()", "torch.sigmoid(z)"),
        ("F.binary_cross_entropy_with_logits", "z.sigmoid().view(-1)"),
    ],
)
def test_fires_on_the_spot(broken, loss, output):
    line = f"loss = {loss}({output}, y)"
    assert broken("softmax-before-cross-entropy", line) == [line]


def test_fires_through_a_model_and_a_function(broken):
    code = """
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = nn.Linear(3, 2)
            self.softmax = nn.Softmax(dim=1)
        def forward(self, x):
            x = F.relu(x)
            x = self.head(x)
            return self.softmax(x)
    def train(net, criterion):
        outputs = net(x)
        loss = criterion(outputs, y)
    train(Net().to("cpu"), nn.CrossEntropyLoss())
    """
    assert broken("softmax-before-cross-entropy", code) == ["loss = criterion(outputs, y)"]


@pytest.mark.parametrize("model", ["nn.Sequential(nn.Linear(4, 2), nn.Softmax(dim=1))", "nn.Sequential(body, nn.Sigmoid(), nn.Flatten(0))"])
def test_fires_on_a_sequence(broken, model):
    code = f"""
    model = {model}
    loss = F.cross_entropy(model(x), y)
    """
    assert broken("softmax-before-cross-entropy", code) == ["loss = F.cross_entropy(model(x), y)"]


def test_fires_in_a_lightning_module(broken):
    code = """
    import lightning as L
    class Lit(L.LightningModule):
        def __init__(self):
            self.net = nn.Sequential(nn.Linear(4, 2), nn.Softmax(dim=1))
        def forward(self, x):
            return self.net(x)
        def training_step(self, batch, _):
            x, y = batch
            return F.cross_entropy(self(x), y)
    """
    assert broken("softmax-before-cross-entropy", code) == ["return F.cross_entropy(self(x), y)"]


@pytest.mark.parametrize(
    ("loss", "output"),
    [
        ("nn.NLLLoss()", "F.log_softmax(z, dim=1)"),
        ("F.cross_entropy", "F.log_softmax(z, dim=1)"),
        ("nn.BCELoss()", "torch.sigmoid(z)"),
        ("F.cross_entropy", "F.softmax(z, dim=1) @ w"),
    ],
)
def test_silent_on_what_belongs_together(broken, loss, output):
    assert broken("softmax-before-cross-entropy", f"loss = {loss}({output}, y)") == []


def test_silent_where_only_one_branch_has_it(broken):
    code = """
    class Net(nn.Module):
        def forward(self, x):
            x = self.head(x)
            if not self.training:
                x = F.softmax(x, dim=1)
            return x
    loss = F.cross_entropy(Net()(x), y)
    """
    assert broken("softmax-before-cross-entropy", code) == []


def test_declines_where_the_model_or_the_loss_is_out_of_sight(broken):
    code = """
    from mine import Net
    loss = F.cross_entropy(Net()(x), y)
    def train(criterion):
        return criterion(torch.softmax(z, 1), y)
    """
    assert broken("softmax-before-cross-entropy", code) == []
