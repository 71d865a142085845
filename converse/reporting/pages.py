"""Templates of HTML pages, in which whatever is put escapes itself."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from converse.content import content
from converse.counted import counted
from converse.plain_text import visible

if TYPE_CHECKING:
    from jinja2 import Environment, Template


def page_template(name: str) -> Template:
    """A template of ``reports/templates`` for HTML; a name that it does not get is an error.

    Args:
        name: of the file.
    """
    return _environment().get_template(name)


def shown(value: Any) -> Any:
    """What a page shows of a value: text of users and stores without what turns, hides or controls."""
    return visible(value, keep="\n") if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(content("reports") / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["counted"] = counted
    return environment
