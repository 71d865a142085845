"""`python docs/contract_table.py` writes the tables of operator-contract.md from the contract itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from converse.nn.contract.table import CONTRACT, Check

PAGE = Path(__file__).resolve().parent / "operator-contract.md"
BEGIN = "<!-- checks: written by docs/contract_table.py from converse/nn/contract/table.py -->"
END = "<!-- end of checks -->"


def tables() -> str:
    """A table for each group of checks, in the order of the contract."""
    groups = dict.fromkeys(check.group for check in CONTRACT)
    return "\n".join(
        line for group in groups for line in _table(group, [one for one in CONTRACT if one.group == group])
    )


def _table(group: str, checks: list[Check]) -> Iterator[str]:
    yield f"### {group.capitalize()}\n"
    yield "| check | expected | where it fails |\n|---|---|---|"
    for check in checks:
        name = check.name + (f" (`--{check.option}`)" if check.option else "")
        yield f"| {name} | {_cell(check.expected)} | {_cell(check.cure)} |"
    yield ""


def _cell(text: str) -> str:
    return text.replace("|", r"\|").replace("__", r"\_\_").replace("_version", r"\_version").replace("*", r"\*")


def page(text: str) -> str:
    """The page with its tables written anew."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{tables()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
