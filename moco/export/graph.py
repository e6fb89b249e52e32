"""An ONNX graph, node by node: names, constants, and the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET = 18
"""Of December 2022: onnxruntime 1.14 and newer run it."""

IR_VERSION = 8
"""The oldest file version that has that operator set."""

EXTERNAL_ABOVE_BYTES = 2**28
"""A larger table goes into a file of its own: an ONNX file ends at 2 GiB, and is held in memory several times."""


class Graph:
    """A graph under construction. Values are known by their names, which are unique."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._names: set[str] = set()
        self._external: dict[str, NDArray[np.float32]] = {}

    def input(self, name: str, dtype: type[np.generic], width: int) -> str:
        """An input (N, width) of any N."""
        self._inputs.append(_value(self._unique(name), dtype, ["N", width]))
        return name

    def constant(self, name: str, array: NDArray[Any]) -> str:
        """An array of the graph's own."""
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(array), self._unique(name)))
        return name

    def table(self, name: str, array: NDArray[np.float32]) -> str:
        """A constant that may be very large."""
        if array.nbytes <= EXTERNAL_ABOVE_BYTES:
            return self.constant(name, array)
        self._external[self._unique(name)] = np.ascontiguousarray(array, dtype="<f4")
        return name

    def node(self, operator: str, *inputs: str, name: str, **attributes: Any) -> str:
        """An operator with one result, which bears the node's name."""
        return self.nodes(operator, *inputs, names=(name,), node_name=name, **attributes)[0]

    def nodes(
        self, operator: str, *inputs: str, names: tuple[str, ...], node_name: str, **attributes: Any
    ) -> tuple[str, ...]:
        """An operator with several results."""
        outputs = [self._unique(name) for name in names]
        self._nodes.append(helper.make_node(operator, list(inputs), outputs, name=node_name, **attributes))
        return names

    def write(self, path: Path, output: str, name: str, text: str) -> None:
        """Writes the graph, whose result is the (N,) float32 value `output`, and checks it.

        Args:
            path: Of the ONNX file; large tables go beside it, under its name with ".table" behind.
            output: Name of the result.
            name: Of the graph.
            text: What it is, for people.
        """
        beside = path.with_name(f"{path.name}.table")
        constants = list(self._constants)
        offset = 0
        for table, array in self._external.items():
            constants.append(_outside(table, array, beside.name, offset))
            offset += array.nbytes
        graph = helper.make_graph(
            self._nodes, name, self._inputs, [_value(output, np.float32, ["N"])], constants, doc_string=text
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="moco",
            doc_string=text,
        )
        if self._external:
            with beside.open("wb") as file:
                for array in self._external.values():
                    file.write(array.data)
        path.write_bytes(model.SerializeToString())
        onnx.checker.check_model(str(path), full_check=True)

    def _unique(self, name: str) -> str:
        assert name not in self._names, f"two values of the graph are called {name!r}"
        self._names.add(name)
        return name


def _value(name: str, dtype: type[np.generic], shape: list[str | int]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape)


def _outside(name: str, array: NDArray[np.float32], location: str, offset: int) -> onnx.TensorProto:
    """A constant whose numbers lie in another file."""
    tensor = TensorProto()
    tensor.name = name
    tensor.data_type = TensorProto.FLOAT
    tensor.dims.extend(array.shape)
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", str(offset)), ("length", str(array.nbytes))):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    return tensor
