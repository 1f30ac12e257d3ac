"""Types of the arrays that the analysis passes about; in JSON they are lists."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import GetCoreSchemaHandler
from pydantic_core import core_schema


class _AsList:
    """Lets pydantic write an array as a list, with null for what is not finite, and read it."""

    def __init__(self, dtype: type[np.generic]) -> None:
        self._dtype = dtype

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self._read,
            serialization=core_schema.plain_serializer_function_ser_schema(_finite_values),
        )

    def _read(self, values: Any) -> NDArray[Any]:
        if isinstance(values, np.ndarray):
            return values
        if not isinstance(values, list):
            raise ValueError('is not a list')
        array = np.array(values, dtype=float)  # None becomes not a number
        if self._dtype is not np.float64 and not np.isfinite(array).all():
            raise ValueError('holds null')
        return array.astype(self._dtype)


def _finite_values(array: NDArray[Any]) -> Any:
    if array.dtype.kind != 'f':
        return array.tolist()
    listed = array.astype(object)
    listed[~np.isfinite(array)] = None
    return listed.tolist()


FloatArray = Annotated[NDArray[np.float64], _AsList(np.float64)]
IntArray = Annotated[NDArray[np.int64], _AsList(np.int64)]
BoolArray = Annotated[NDArray[np.bool_], _AsList(np.bool_)]
