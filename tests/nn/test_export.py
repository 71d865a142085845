"""What others run: ``torch.export`` and ONNX. Oracle: the same network as it is called in PyTorch."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from converse.nn.blocks import Block
from converse.nn.derivatives import exporting
from converse.nn.operators import Converse2D

UNKNOWN_TO_ONNX = {"unsqueeze", "expand", "_to_copy", "to", "alias", "detach", "copy_", "conj_physical_"}
"""Operations on complex numbers for which torch's exporter has no rule (torch 2.14.1, onnxscript 0.7.2)."""


def block() -> Block:
    torch.manual_seed(0)
    made = Block(4, lambda channels: Converse2D(channels, 3))
    for parameter in made.parameters():
        nn.init.normal_(parameter, 0, 0.3)
    return made.eval()


def exported(module: nn.Module, *inputs: Tensor, sizes: object = None) -> torch.export.ExportedProgram:
    return torch.export.export(module, inputs, dynamic_shapes=sizes, strict=False)


def on_complex_numbers(graph: torch.fx.GraphModule) -> set[str]:
    """Names of the operations that take complex numbers, in the graph and those inside."""
    found = set()
    for part in graph.modules():
        if not isinstance(part, torch.fx.GraphModule):
            continue
        for node in part.graph.nodes:
            taken = [one.meta.get("val") for one in node.all_input_nodes]
            if node.op == "call_function" and any(isinstance(one, Tensor) and one.is_complex() for one in taken):
                found.add(str(getattr(node.target, "_schema", node.target)).partition("(")[0])
    return {name.rpartition("::")[2].partition(".")[0] for name in found}


def test_nothing_is_exported_here() -> None:
    assert not exporting()


def test_one_program_serves_all_sizes(tmp_path: Path) -> None:
    high = torch.export.Dim("high", min=2, max=512)
    torch.manual_seed(0)
    operator = Converse2D(3, 3).eval()
    program = exported(operator, torch.rand(2, 3, 12, 14), sizes=({2: high},))
    torch.export.save(program, tmp_path / "operator.pt2")
    y = torch.rand(2, 3, 21, 14)
    result = torch.export.load(tmp_path / "operator.pt2").module()(y)
    torch.testing.assert_close(result, operator(y), rtol=0, atol=1e-5)


def test_a_block_can_be_exported() -> None:
    made, x = block(), torch.rand(2, 4, 12, 14)
    program = exported(made, x)
    used = on_complex_numbers(program.graph_module)
    assert "mul" in used
    assert not used & UNKNOWN_TO_ONNX
    torch.testing.assert_close(program.module()(x), made(x), rtol=0, atol=1e-4)


def test_a_block_runs_elsewhere_as_onnx(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    made, x = block(), torch.rand(2, 4, 12, 14)
    with torch.no_grad():
        program = torch.onnx.export(made, (x,), dynamo=True, verbose=False)
    assert program is not None
    program.save(tmp_path / "block.onnx")
    session = runtime.InferenceSession(tmp_path / "block.onnx")
    (result,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    torch.testing.assert_close(torch.from_numpy(result), made(x).detach(), rtol=0, atol=1e-3)
