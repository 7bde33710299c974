"""
The cheapest matching of rows to columns, by shortest augmenting paths.

After D. Crouse, "On implementing 2D rectangular assignment algorithms", IEEE Transactions on Aerospace and Electronic Systems 52
(2016). scipy has the same, and its import costs a server that was killed a third of a second before it serves again.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from planner._jit import kernel, piece
from planner.tables import BoolArray, FloatArray, IndexArray

NONE: Final = -1
# Rows of the work space.
ROW_PRICE, COLUMN_PRICE, LEAST = 0, 1, 2
SEEN, REACHED = 0, 1
VIA, LEFT = 0, 1


@kernel
def match_rows(
    cost: FloatArray, out_column: IndexArray, out_row: IndexArray, prices: FloatArray, marks: BoolArray, columns: IndexArray
) -> None:
    """
    Give every row a column of its own, so that the sum of the costs is least.

    cost                    (n, m), finite, n not above m
    out_column, out_row     (n,), (m,) written: the column of each row; the row of each column, -1 none
    prices, marks, columns  (3, m), (2, m), (2, m) work space; written
    """
    out_column[:] = NONE
    out_row[:] = NONE
    prices[ROW_PRICE] = 0.0
    prices[COLUMN_PRICE] = 0.0
    for row in range(cost.shape[0]):
        end = _shortest(cost, row, out_row, prices, marks, columns)
        _raise_prices(row, prices[LEAST, end], out_column, prices, marks)
        while True:
            via = columns[VIA, end]
            before = out_column[via]
            out_row[end] = via
            out_column[via] = end
            end = before
            if via == row:
                break


@piece
def _shortest(cost: FloatArray, row: int, row_of: IndexArray, prices: FloatArray, marks: BoolArray, columns: IndexArray) -> int:
    """The free column that the cheapest alternating path from *row* ends at; of equally cheap ones, a free one first."""
    m = cost.shape[1]
    for at in range(m):
        prices[LEAST, at] = np.inf
        marks[SEEN, at] = False
        marks[REACHED, at] = False
        columns[LEFT, at] = m - 1 - at
    left_count, so_far, end = m, 0.0, NONE
    while end == NONE:
        marks[SEEN, row] = True
        lowest, chosen = np.inf, 0
        for at in range(left_count):
            column = columns[LEFT, at]
            reduced = so_far + cost[row, column] - prices[ROW_PRICE, row] - prices[COLUMN_PRICE, column]
            if reduced < prices[LEAST, column]:
                prices[LEAST, column] = reduced
                columns[VIA, column] = row
            least = prices[LEAST, column]
            if least < lowest or (least == lowest and row_of[column] == NONE):
                lowest, chosen = least, at
        so_far = lowest
        column = columns[LEFT, chosen]
        marks[REACHED, column] = True
        left_count -= 1
        columns[LEFT, chosen] = columns[LEFT, left_count]
        if row_of[column] == NONE:
            end = column
        else:
            row = row_of[column]
    return end


@piece
def _raise_prices(row: int, path_cost: float, column_of: IndexArray, prices: FloatArray, marks: BoolArray) -> None:
    """No reduced cost becomes negative, and those on the path become zero."""
    prices[ROW_PRICE, row] += path_cost
    for other in range(len(column_of)):
        if marks[SEEN, other] and other != row:
            prices[ROW_PRICE, other] += path_cost - prices[LEAST, column_of[other]]
    for column in range(prices.shape[1]):
        if marks[REACHED, column]:
            prices[COLUMN_PRICE, column] -= path_cost - prices[LEAST, column]
