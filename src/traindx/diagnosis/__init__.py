"""Rules weigh the evidence and name causes; the procedure walks the guide's flowchart. Records in, records out: no tensors here."""

from __future__ import annotations

from traindx.diagnosis.conclusion import Conclusion, conclude
from traindx.diagnosis.procedure import next_question
from traindx.diagnosis.reading import MARGIN, Reading
from traindx.diagnosis.rules import RULES, Rule

__all__ = ["MARGIN", "RULES", "Conclusion", "Reading", "Rule", "conclude", "next_question"]
