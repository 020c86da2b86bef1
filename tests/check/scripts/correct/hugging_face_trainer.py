import numpy as np
from datasets import load_dataset
from transformers import AutoModelForSequenceClassification, AutoTokenizer, Trainer, TrainingArguments, set_seed

set_seed(0)
tokenizer = AutoTokenizer.from_pretrained("bert-base-cased")
model = AutoModelForSequenceClassification.from_pretrained("bert-base-cased", num_labels=5)
dataset = load_dataset("yelp_review_full").map(lambda rows: tokenizer(rows["text"], truncation=True), batched=True)


def compute_metrics(evaluated):
    logits, labels = evaluated
    return {"accuracy": (np.argmax(logits, axis=-1) == labels).mean()}


arguments = TrainingArguments(output_dir="out", eval_strategy="epoch")
trainer = Trainer(model, arguments, train_dataset=dataset["train"], eval_dataset=dataset["test"], compute_metrics=compute_metrics)
trainer.train()
