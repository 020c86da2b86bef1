import pytest


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("np.random.shuffle(X_train)", "np.random.shuffle(y_train)"),
        ("x = x[torch.randperm(9)]", "y = y[torch.randperm(9)]"),
        ("images = np.random.permutation(images)", "labels = np.random.permutation(labels)"),
    ],
)
def test_fires(broken, first, second):
    assert broken("targets-misaligned", f"{first}\n{second}") == [second]


def test_silent_on_one_order_for_both(broken):
    code = """
    order = torch.randperm(9)
    x, y = x[order], y[order]
    x = x[order]
    y = y[order]
    np.random.seed(0)
    np.random.shuffle(x)
    np.random.seed(0)
    np.random.shuffle(y)
    """
    assert broken("targets-misaligned", code) == []


def test_declines_on_names_that_say_nothing(broken):
    assert broken("targets-misaligned", "np.random.shuffle(a)\nnp.random.shuffle(b)\nmine.shuffle(x)\nmine.shuffle(y)") == []
