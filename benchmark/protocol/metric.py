"""A metric of ranked lists, and the label under which files, tables and declarations hold it."""

from __future__ import annotations

import re
from typing import NamedTuple

LABEL = re.compile(r"(masked )?(.+?)(?:@(\d+)(?:\((.+)\))?)?")


class Metric(NamedTuple):
    """``HR@20``, ``Recall@20(min)``, ``masked NDCG@10``: larger is better.

    k       length of the list; 0: of no list (Pearson)
    form    which definition, where the name has several: min, trunc, sampled; empty: the plain one
    masked  of the lists without the users' disliked items, where both kinds stand together
    """

    name: str
    k: int = 0
    form: str = ""
    masked: bool = False

    @classmethod
    def parse(cls, label: str) -> Metric:
        """What ``str`` wrote; any other text is a name."""
        parts = LABEL.fullmatch(label)
        if parts is None:
            return cls(label)
        masked, name, k, form = parts.groups("")
        return cls(name, int(k or 0), form, bool(masked))

    def __str__(self) -> str:
        at = f"@{self.k}" if self.k else ""
        return "masked " * self.masked + self.name + at + f"({self.form})" * bool(self.form)


def of_lists(label: str, masked: bool) -> str:
    """The label of a metric of the plain or of the masked lists."""
    return str(Metric.parse(label)._replace(masked=masked))
