"""The same defects in trainings by Lightning and Hugging Face; for tests and for the bench."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

CAUSES = {
    "head replaced": "parameters-not-in-optimizer",
    "frozen": "frozen-parameters",
    "flipped": "loss-sign-flipped",
    "detached": "detached-graph",
    "root of zero": "non-finite-loss",
    "eval": "eval-mode-while-training",
}


def rows() -> tuple[Tensor, Tensor]:
    x = torch.randn(160, 8, generator=torch.Generator().manual_seed(0))
    return x, (x[:, 0] > 0).long()


class Root(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.sqrt(x - x.amin(1, keepdim=True))


class Network(nn.Module):
    """Takes what all four frameworks hand over; returns logits, or a mapping where labels are given."""

    def __init__(self, defect: str = "") -> None:
        super().__init__()
        self.defect = defect
        self.body = nn.Sequential(nn.Linear(8, 16), Root() if defect == "root of zero" else nn.ReLU(), nn.Dropout(0.1))
        self.head = nn.Linear(16, 2)
        if defect == "frozen":
            self.body.requires_grad_(False)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Any:
        features = self.body(x)
        logits = self.head(features.detach() if self.defect == "detached" else features)
        if labels is None:
            return logits
        loss = nn.functional.cross_entropy(logits, labels)
        return {"loss": -loss if self.defect == "flipped" else loss, "logits": logits}


def lightning_fit(folder: Path, defect: str = "", watched: bool = True, accumulate: int = 1, strict: bool = True) -> tuple[nn.Module, Any]:
    import lightning.pytorch as lightning

    from traindx.integrations.lightning import TraindxCallback

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.network = Network(defect)

        def forward(self, x: Tensor) -> Any:
            return self.network(x)

        def training_step(self, batch: Any, index: int) -> Tensor:
            if defect == "eval":
                self.eval()
            loss = nn.functional.cross_entropy(self(batch[0]), batch[1])
            return -loss if defect == "flipped" else loss

        def validation_step(self, batch: Any, index: int) -> None:
            self.log("val_loss", nn.functional.cross_entropy(self(batch[0]), batch[1]))

        def configure_optimizers(self) -> Any:
            optimizer = torch.optim.SGD(self.parameters(), lr=0.05)
            if defect == "head replaced":
                self.network.head = nn.Linear(16, 2)
            return optimizer

    torch.manual_seed(0)
    module = Module()
    callback = TraindxCallback(nn.CrossEntropyLoss(), quiet=True, strict=strict)
    trainer = lightning.Trainer(
        max_epochs=3,
        callbacks=[callback] if watched else [],
        accumulate_grad_batches=accumulate,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
    )
    data = TensorDataset(*rows())
    trainer.fit(module, DataLoader(data, 16), DataLoader(data, 32))
    return module, callback


def hf_train(folder: Path, defect: str = "", watched: bool = True, strict: bool = True) -> tuple[nn.Module, Any]:
    import transformers

    from traindx.integrations.hf import TraindxCallback

    torch.manual_seed(0)
    model = Network(defect)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    if defect == "head replaced":
        model.head = nn.Linear(16, 2)
    x, y = rows()
    data = [{"x": a, "labels": b} for a, b in zip(x, y, strict=True)]
    callback = TraindxCallback(nn.CrossEntropyLoss(), quiet=True, strict=strict)
    arguments = transformers.TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=16,
        num_train_epochs=3,
        report_to=[],
        save_strategy="no",
        eval_strategy="epoch",
        logging_strategy="no",
        disable_tqdm=True,
        use_cpu=True,
        max_grad_norm=0.0 if defect == "root of zero" else 1.0,
        seed=0,
    )
    trainer = transformers.Trainer(
        model=model,
        args=arguments,
        train_dataset=data,
        eval_dataset=data,
        optimizers=(optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0)),
        callbacks=[callback] if watched else [],
    )
    trainer.train()
    return model, callback
