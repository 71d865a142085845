"""What a comparison takes, before it begins."""

from __future__ import annotations

from converse.workflows.compare_request import CompareRequest
from converse.workflows.contender import examined, with_widths
from converse.workflows.preview import Preview, PreviewLine, preview_run


def forecast(request: CompareRequest) -> Preview:
    """What :func:`converse.workflows.compare.compare` would do; nothing is downloaded, written or trained.

    What the tuning will choose is not known before all of it is done. Until then the trainings that are compared are
    counted with the suite's settings, which take as long, and their trials have no names.

    Args:
        request: what would be asked for.

    Raises:
        ConverseError: as :func:`converse.workflows.compare.compare`.
    """
    operator = examined(request)
    lines: list[PreviewLine] = []
    notes = [*request.left_out]
    for task, suite in request.suites().items():
        contender = with_widths(request, operator, task, suite, keep=False)
        winners = request.winners(contender, task)
        open_yet = False
        if request.tuned:
            tuning = preview_run(request.tunes(suite, task, contender, winners))
            lines += tuning.lines
            notes += tuning.notes
            open_yet = any(line["steps"] or line["images"] for line in tuning.lines) or not winners.exists()
        chosen = winners if request.tuned and not open_yet else None
        comparison = preview_run(request.runs(suite, task, contender, chosen), anew=open_yet)
        lines += [{**line, "trial": None} for line in comparison.lines] if open_yet else comparison.lines
        notes += comparison.notes
    return Preview(tuple(lines), tuple(dict.fromkeys(notes)))
