"""Columns of a table as the matrix that models take: one row a customer, one column a feature.

In: an Arrow batch. Out: doubles, NaN where a feature is not defined. One conversion for training, scoring and
explaining, so that a customer is the same row in all of them.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa


def feature_matrix(batch: pa.RecordBatch, features: Sequence[str]) -> np.ndarray:
    """(rows, len(features)) doubles of the named columns, NaN where null or not finite."""
    matrix = np.empty((batch.num_rows, len(features)))
    for j, feature in enumerate(features):
        matrix[:, j] = column_values(batch, feature)
    matrix[~np.isfinite(matrix)] = np.nan
    return matrix


def column_values(batch: pa.RecordBatch, name: str) -> np.ndarray:
    """(rows,) doubles of one column, NaN where null."""
    return batch.column(name).to_numpy(zero_copy_only=False).astype(float)
