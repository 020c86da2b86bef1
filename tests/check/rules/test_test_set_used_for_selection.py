import pytest

KEEP = "torch.save(model.state_dict(), 'best.pt')"


@pytest.mark.parametrize("test", ["test_acc > best_acc", "best_loss > test_loss", "self.best <= acc_test"])
def test_fires_on_a_kept_best(broken, test):
    assert broken("test-set-used-for-selection", f"if {test}:\n    {KEEP}") == [f"if {test}:"]


def test_fires_where_the_score_comes_from_the_test_loader(broken):
    code = f"""
    acc = evaluate(model, test_loader)
    if acc > best_acc:
        {KEEP}
    def test(epoch):
        for x, y in testloader:
            correct += (model(x).argmax(1) == y).sum()
        acc = 100.0 * correct / total
        if acc > best_acc:
            {KEEP}
    """
    assert broken("test-set-used-for-selection", code) == ["if acc > best_acc:", "if acc > best_acc:"]


def test_fires_on_schedules_and_early_stopping(broken):
    code = """
    scheduler = optim.lr_scheduler.ReduceLROnPlateau(optimizer)
    scheduler.step(test_loss)
    early_stopping(test_loss, model)
    """
    assert broken("test-set-used-for-selection", code) == ["scheduler.step(test_loss)", "early_stopping(test_loss, model)"]


def test_silent_on_validation_and_on_reports(broken):
    code = f"""
    if val_acc > best_acc:
        {KEEP}
    if test_acc > best_acc:
        print("a new best")
    acc = evaluate(model, val_loader)
    if acc > best_acc:
        {KEEP}
    latest = score
    if latest > best:
        {KEEP}
    """
    assert broken("test-set-used-for-selection", code) == []


def test_declines_where_the_score_is_out_of_sight(broken):
    code = f"""
    def keep(acc, best_acc):
        if acc > best_acc:
            {KEEP}
    """
    assert broken("test-set-used-for-selection", code) == []
