"""Templates of HTML pages, in which whatever is put escapes itself."""

from __future__ import annotations

import json
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


def data_element(value: Any) -> Markup:
    """Data as JSON that can stand inside an element ``<script>``; its texts are as a page shows them."""
    text = json.dumps(_all_shown(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for letter in "<>&":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return Markup(text)  # nothing in it can end the element


def _all_shown(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _all_shown(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_all_shown(inner) for inner in value]
    return shown(value)


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
