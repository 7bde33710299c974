"""Names for the columns the loop works in: one dtype a meaning, so that a mistaken array is a type error, not a wrong stop."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatColumn: TypeAlias = NDArray[np.float64]
IntColumn: TypeAlias = NDArray[np.int64]
RowColumn: TypeAlias = NDArray[np.int32]
CodeColumn: TypeAlias = NDArray[np.int8]
FlagColumn: TypeAlias = NDArray[np.bool_]
